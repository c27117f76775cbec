#!/bin/sh
# Faults: whatever breaks, a program gets an error, never a hang, never a
# clean end of half a file, and never the host's own network.

. "${0%/*}/../lib/net.sh"

MANY=$LIB/many
hosts && services small dns web || exit 1
product || skip_all "smolwrap is not built"
watch client

# Ends of time are part of the tests: `timed` notes the tenths of a second.
timed() {
	timed_from=$(date +%s%N)
	"$@"
	timed_status=$?
	tenths=$((($(date +%s%N) - timed_from) / 100000000))
	return $timed_status
}
flows() { [ "$(wc -c <"$T/part")" -gt 1000 ]; }
# A slow download that something interrupts once it has begun.
# interrupted NAME COMMAND...: COMMAND does it.
interrupted() {
	what=$1; shift
	: >"$T/part"
	wrapped curl -sS -m 100 http://www.example.test/slow \
	    >"$T/part" 2>"$T/err" &
	job=$!
	ok "$what: data flows before" within 20 flows
	"$@"
	timed wait $job
	status=$?
	case $status in
	18 | 52 | 55 | 56) pass "$what: curl says so (status $status)" ;;
	*) fail "$what: curl ended with status $status"
		diag "$(tail -n 3 "$T/err")" ;;
	esac
	ok "$what: within 10 s ($tenths tenths)" test "$tenths" -lt 100
}

kill_sshd() {
	# shellcheck disable=SC2046,SC2154 # a list; set by start_sshd
	kill -9 "$pid_sshd_server" $(descendants "$pid_sshd_server")
}
kill_sessions() {
	# shellcheck disable=SC2046
	kill -9 $(sessions)
}

interrupted "the ssh connection is killed" cut_tunnel KILL
interrupted "the SSH server is killed" kill_sshd
timed wrapped curl -sS -m 20 http://www.example.test/ >"$T/out" 2>"$T/err"
is $? 125 "no SSH server: the launcher fails with 125"
diag "$(cat "$T/err")"
ok "no SSH server: within 10 s ($tenths tenths)" test "$tenths" -lt 100
start_sshd server
ok "the SSH server is back: it works" \
    wrapped curl -sS -m 20 http://www.example.test/
interrupted "the session is killed" kill_sessions

# However a program receives, what was cut does not end well: an error that came
# after the first bytes of a call is the next one's.
cat >"$T/ways.py" <<'END'
import os, socket, time
def lowat(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 3000)
    return len(os.read(s.fileno(), 60000))
def look(s):
    n = len(s.recv(2000, socket.MSG_PEEK | socket.MSG_WAITALL))
    return len(s.recv(n)) if n else 0
def soon(s):
    try:
        return len(s.recv(60000, socket.MSG_WAITALL | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return not time.sleep(0.01)
ways = {
    "recv": lambda s: len(s.recv(60000)),
    "all": lambda s: len(s.recv(60000, socket.MSG_WAITALL)),
    "parts": lambda s: s.recvmsg_into(
        [bytearray(20000), bytearray(3), bytearray(9999)], 0,
        socket.MSG_WAITALL)[0],
    "thrown": lambda s: s.recv_into(bytearray(30000), 30000,
        socket.MSG_TRUNC | socket.MSG_WAITALL),
    "lowat": lowat, "look": look, "soon": soon,
}
for name, way in ways.items():
    if os.fork():
        continue
    s = socket.create_connection(("www.example.test", 80))
    s.sendall(b"GET /slow HTTP/1.0\r\nHost: www.example.test\r\n\r\n")
    s.recv(1)
    os.write(1, b".")
    try:
        while way(s):
            pass
        end = "well"
    except OSError as e:
        end = e.errno
    os.write(2, f"{name} {end}\n".encode())
    os._exit(0)
for name in ways:
    os.wait()
END
begun() { [ "$(wc -c <"$T/part")" -eq 7 ]; }
for how in cut_tunnel kill_sessions; do
	: >"$T/part"
	wrapped timeout 60 python3 "$T/ways.py" >"$T/part" 2>"$T/err" &
	job=$!
	ok "$how: seven ways to receive have begun" within 20 begun
	$how
	wait $job
	is "$(sort "$T/err" | tr '\n' ' ')" \
	    "all 104 look 104 lowat 104 parts 104 recv 104 soon 104 thrown 104 " \
	    "$how: each ends in ECONNRESET"
done

# One program's life through all of it.
rm -f "$T/step"*
wrapped sh -c '
	step() { : >"$0/step$1"; i=0
		while [ ! -e "$0/go$1" ] && [ $i -lt 300 ]; do
			sleep 0.1; i=$((i + 1)); done; }
	curl -s -m 10 -o /dev/null http://www.example.test/; echo first $?
	step 1
	curl -s -m 20 -o /dev/null http://www.example.test/; echo down $?
	step 2
	i=0; until curl -s -m 10 -o /dev/null http://www.example.test/; do
		sleep 0.5; i=$((i + 1)); [ $i -lt 40 ] || break; done
	echo again $?
	step 3
	curl -s -m 20 -o /dev/null http://www.example.test/; echo dead $?
	step 4' "$T" >"$T/life" 2>"$T/err" &
life=$!
within 10 test -e "$T/step1"; kill_sshd; sleep 0.3; : >"$T/go1"
within 30 test -e "$T/step2"; start_sshd server; : >"$T/go2"
within 40 test -e "$T/step3"; kill_sessions; sleep 0.2; : >"$T/go3"
within 30 test -e "$T/step4"; : >"$T/go4"
wait $life
said() { sed -n "s/^$1 //p" "$T/life"; }
is "$(said first)" 0 "a program's first request works"
like "$(said down)" "[1-9]*" "with the SSH server gone, the next one fails"
is "$(said again)" 0 "when it is back, the same program can connect again"
like "$(said dead)" "[1-9]*" "with the session killed, it fails"
diag "$(tail -n 5 "$T/err")"

# A cut that nobody announces: the link goes down.
: >"$T/part"
wrapped curl -sS -m 100 http://www.example.test/slow >"$T/part" 2>"$T/err" &
job=$!
within 20 flows
on client ip link set eth0 down
timed wait $job
status=$?
on client ip link set eth0 up
case $status in
18 | 28 | 52 | 56) pass "a silent cut is noticed (status $status)" ;;
*) fail "a silent cut: status $status"; diag "$(tail -n 3 "$T/err")" ;;
esac
ok "a silent cut is noticed within 40 s ($tenths tenths)" test "$tenths" -lt 400

# Upload: what the far server got must not look whole.  More than any machine
# sends before the cut.
: >"$T/serve-log"
wrapped "$MANY" up $WWW 100000000000 >"$T/out" 2>&1 &
job=$!
uploads() {
	on inet ss -Htn state established "( sport = :5003 )" | grep -q .
}
within 20 uploads
cut_tunnel KILL
timed wait $job
status=$?
ok "an upload cut short fails" test $status -ne 0
ok "an upload cut short fails within 10 s ($tenths tenths)" \
    test "$tenths" -lt 100

is "$(strays client)" "" "through all that, the client sent SSH and no more"
ok "no session is left" within 15 no_sessions
tap_end
