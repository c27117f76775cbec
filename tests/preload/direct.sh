#!/bin/sh
# direct.sh - the shim, its stack thread and the packet hop, without SSH.
#
# tests/lib/direct_session is a session whose exit is this machine.  Each probe
# runs bare against a server here and wrapped against the same one; the lines
# are compared.  Twice: with the stack in the process, and in the session.
SW_ROOT=$(cd "${0%/*}/../.." && pwd)
B=${B:-build/default}
case $B in /*) ;; *) B=$SW_ROOT/$B ;; esac
. "$SW_ROOT/tests/lib/tap.sh"
. "$SW_ROOT/tests/lib/compare.sh"

PATH=$PATH:/usr/sbin:/sbin
if [ -z "$DIRECT_INSIDE" ]; then
	unshare -rnmp --fork --mount-proc true 2>/dev/null ||
		skip_all "no unprivileged namespaces here"
	T=$(mktemp -d "${TMPDIR:-/tmp}/smolwrap-test.XXXXXX") || exit 1
	trap 'rm -rf "$T"' EXIT
	export T B
	DIRECT_INSIDE=1 timeout -s KILL 170 \
	    unshare -rnmp --fork --kill-child --mount-proc sh "$0"
	exit $?
fi

HERE=203.0.113.1 HERE6=2001:db8::1 DARK=203.0.113.99
LIBRARY=${LIBRARY:-$B/libsmolwrap.so}
ip link set lo up
ip link add dark0 type veth peer name dark1
ip link set dark0 up
ip link set dark1 up
ip addr add $HERE/32 dev lo
ip addr add 203.0.113.2/24 dev dark0
ip -6 addr add $HERE6/128 dev lo nodad
ip neigh add $DARK lladdr 02:00:00:00:00:99 dev dark0 nud permanent
"$B/tests/lib/serve" "$T/log" >/dev/null 2>&1 &
until [ -s "$T/log" ] || "$B/tests/lib/direct_session" "$LIBRARY" \
    "$B/tests/probes/depart" exit $HERE >/dev/null 2>&1; do :; done

# Where the direct session differs from any other: it has UDP, and the address
# it reaches is this machine's own.
cat "$SW_ROOT"/tests/probes/*.differs >"$T/differs"
cat >>"$T/differs" <<-END
	*/poll OUT, accepted: a newborn pair polls OUT (4.4)
	open-blocking/bind EADDRNOTAVAIL the address is local to the kernel only
	shutdown-rdwr/* * the kernel itself answers either way, by timing
	udp/write 1 accepted: a native write is not framed (4.2)
	udp/bind 0 accepted: a refused sendto does not bind
	udp/broadcast-forbidden EACCES the kernel has no route here
	nofile-8* * descriptors in flight count against the limit, all processes together
	before-connect-edge/* * accepted: one more edge when the owner reads
	refused*/event *ERR,HUP,* accepted: room is made a moment after the error
END

# both PROBE ARGUMENTS...: native once, wrapped with and without a thread
both() {
	probe=$1; shift
	"$B/tests/probes/$probe" "$@" >"$T/native" 2>/dev/null
	"$B/tests/lib/direct_session" $host "$LIBRARY" \
	    "$B/tests/probes/$probe" "$@" >"$T/wrapped" 2>"$T/err"
	compare "$T/native" "$T/wrapped" "$T/differs" >"$T/tap"
	bad=$(grep -A1 '^not ok' "$T/tap")
	is "$bad" "" "$probe $host: $(grep -c . "$T/native") lines as the kernel's"
}

for host in "" -s; do
	both state $HERE $HERE6 $DARK
	both ends $HERE
	both epoll $HERE
	both early $HERE $DARK
	both abuse $HERE $DARK
	for how in exit _exit quick_exit exit_group close-_exit \
	    shutdown-_exit thread-exit main-thread-ends exec-true exec \
	    exec-clean exec-half shell fork-child-writes daemon double-fork \
	    fork-both child-exits-first vfork-between; do
		: >"$T/log"
		timeout 10 "$B/tests/lib/direct_session" $host "$LIBRARY" \
		    "$B/tests/probes/depart" $how $HERE >/dev/null 2>&1
		# Of an earlier probe's connections the last may end late.
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			! grep -q '^tcp 5003 ' "$T/log" || break
			sleep 0.2
		done
		is "$(grep '^tcp 5003 ' "$T/log")" "tcp 5003 200000 eof good" \
		    "$how $host: all bytes arrive"
	done
done

# Errors of datagrams (IP_RECVERR), and a datagram socket shut for writing.
cat >"$T/datagrams.py" <<'END'
import errno, select, socket, sys
RECVERR, ERRQUEUE = (0, 11), 0x2000
to = sys.argv[1]

def fresh():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    return s

def name(f):
    try: return f()
    except OSError as e: return errno.errorcode.get(e.errno, str(e))

for connected in False, True:
    s = fresh()
    s.setsockopt(*RECVERR, 1)
    if connected:
        s.connect((to, 9)); s.send(b"x")
    else:
        s.sendto(b"x", (to, 9))
    select.select([s], [], [], 5)
    _, control, flags, peer = s.recvmsg(0, 200, ERRQUEUE)
    print(control[0][:2], control[0][2][:7].hex(), flags & ERRQUEUE, peer)
    s.setblocking(False)
    print(name(lambda: s.recv(1)))
s = fresh()
s.setsockopt(*RECVERR, 1)
s.sendto(b"x", (to, 9))
print(name(lambda: s.recv(1)))
s.setsockopt(*RECVERR, 0)
s.sendto(b"x", (to, 9))
s.sendto(b"echo", (to, 7))
print(s.recv(9))
s.connect((to, 7)); s.send(b"once"); s.shutdown(socket.SHUT_WR)
print(s.recv(9)); s.settimeout(0.3)
print(name(lambda: s.recv(9)), name(lambda: s.send(b"x")))
END
for host in "" -s; do
	is "$(timeout 30 "$B/tests/lib/direct_session" $host "$LIBRARY" \
	    /usr/bin/python3 "$T/datagrams.py" $HERE 2>&1)" \
	    "(0, 11) 6f000000020303 8192 ('$HERE', 9)
EAGAIN
(0, 11) 6f000000020303 8192 ('$HERE', 9)
EAGAIN
ECONNREFUSED
b'echo'
b'once'
timed out EPIPE" "datagrams $host: errors come back, and an end does not flood"
done
tap_end
