#!/bin/sh
# The mix tunnel's faults: whatever breaks, a program gets an error or goes on,
# and nothing leaves by another way.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/mixnet.sh"

hosts && services small dns web || exit 1
product || skip_all "smolwrap is not built"
start_mixnet || exit 1
watch client
SW=$B/smolwrap

timed() {
	timed_from=$(date +%s%N)
	"$@"
	timed_status=$?
	tenths=$((($(date +%s%N) - timed_from) / 100000000))
	return $timed_status
}
state_is() { on client "$SW" status -s mix 2>/dev/null | grep -q "^state $1$"; }

# shellcheck disable=SC2086 # a list of words
on client "$SW" up -s mix $VIA >"$T/out" 2>&1 || diag "$(cat "$T/out")"
ok "the tunnel is up" state_is up

# A program that tries to connect, and says how it went.
cat >"$T/try.py" <<'END'
import errno, socket, sys
try:
    socket.create_connection((sys.argv[1], 80), 10).close()
    print("connected")
except OSError as e:
    print(errno.errorcode.get(e.errno, str(e)))
END
try_it() {
	on client timeout 25 "$SW" -s mix -- \
	    python3 "$T/try.py" "$WWW" 2>&1 </dev/null
}
is "$(try_it)" "connected" "a program connects"

# The gateway is gone for a moment: what was under way goes on.
rm -f "$T/got"
on client timeout 90 "$SW" -s mix -- \
    curl -sS -m 80 -o "$T/got" http://www.example.test/slow >"$T/err" 2>&1 &
job=$!
within 10 test -s "$T/got"
on client ip link set eth0 down
sleep 1
on client ip link set eth0 up
wait $job
is $? 0 "a download outlives a second without the link" ||
	diag "$(cat "$T/err")"
ok "and is whole" cmp -s "$T/got" "$T/www/1m"

# The gateway is gone for good.
rm -f "$T/got"
on client timeout 60 "$SW" -s mix -- \
    curl -sS -m 50 -o "$T/got" http://www.example.test/slow >"$T/err" 2>&1 &
job=$!
within 10 test -s "$T/got"
stop_mixnet KILL
ok "the session notices that the gateway is gone" within 10 state_is down
is "$(timed try_it)" "ENETUNREACH" "with the tunnel down: network unreachable"
timed try_it >/dev/null
ok "within ten seconds ($tenths tenths)" test $tenths -lt 100
wait $job
ok "a download ends with an error, not as a short file" test $? -ne 0 ||
	diag "$(cat "$T/err")"
on client "$SW" status -s mix >"$T/out"
like "$(cat "$T/out")" "*error *" "status says what is wrong"
on client "$SW" down -s mix

# Nobody at the entry gateway from the beginning.
# shellcheck disable=SC2086
timed on client timeout 70 "$SW" $VIA -- true >"$T/out" 2>&1
is $? 125 "no gateway: the launcher fails"
like "$(cat "$T/out")" "smolwrap: could not reach the entry gateway 10.9.0.1 *" \
    "and says which" || diag "$(cat "$T/out")"
ok "within 40 s ($tenths tenths)" test $tenths -lt 400
is "$(wc -l <"$T/out")" 1 "in one line"

is "$(mix_strays)" "" \
    "through all that, the client talked to its entry gateway only"

# mix:local, on the host that sees the internet.  Its network is killed: old
# connections are reset, the next one has a new network.
LOCAL="--via mix:local --traffic raw"
# shellcheck disable=SC2086
on server "$SW" up -s mix $LOCAL >"$T/out" 2>&1 || diag "$(cat "$T/out")"
local_net() {
	for p in /proc/[0-9]*; do
		case $(readlink "$p/exe" 2>/dev/null) in
		*/smolnode) echo "${p#/proc/}" ;;
		esac
	done
}
rm -f "$T/got"
on server timeout 60 "$SW" -s mix -- \
    curl -sS -m 50 -o "$T/got" http://www.example.test/slow >"$T/err" 2>&1 &
job=$!
within 10 test -s "$T/got"
kill -KILL "$(local_net)"
timed wait $job
is $? 56 "the local network is killed: a connection is reset" ||
	diag "$(cat "$T/err")"
ok "within 40 s ($tenths tenths)" test $tenths -lt 400
again() {
	on server timeout 25 "$SW" -s mix -- \
	    curl -sS -m 20 -o "$T/got" http://www.example.test/
}
ok "the next one has a new network" within 20 again
on server "$SW" down -s mix
no_net() { [ -z "$(local_net)" ]; }
ok "the local network ends with its session" within 10 no_net
# shellcheck disable=SC2086
on server "$SW" $LOCAL -- sleep 20 >"$T/out" 2>&1 &
job=$!
has_net() { [ -n "$(local_net)" ]; }
within 10 has_net
# shellcheck disable=SC2046
kill -KILL $(sessions) 2>/dev/null
ok "and with one that is killed" within 10 no_net
wait $job 2>/dev/null
ok "no session is left" within 15 no_sessions
tap_end
