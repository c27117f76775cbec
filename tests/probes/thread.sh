#!/bin/sh
# The stack's thread dies and the program lives on: every connection fails at
# once, the next one works, and nothing takes another way out.

. "${0%/*}/../lib/net.sh"

hosts && services small dns || exit 1
product || skip_all "smolwrap is not built"
watch client
# shellcheck disable=SC2034 # `wrapped` reads it
STACK=thread
wrapped "$B/tests/probes/thread" $WWW $DARK >"$T/out" 2>"$T/err"
is $? 0 "the program ends well" || diag "$(cat "$T/err")"
while read -r key wanted why; do
	got=$(sed -n "s,^thread/$key ,,p" "$T/out")
	is "$got" "$wanted" "$key: $why"
done <<END
before 1000 data flowed
recv ECONNRESET cut data does not end cleanly
soon yes and within 3 s
send EPIPE as after any reset
waiting-recv ECONNRESET a call that waits wakes up
trying-poll IN,OUT,ERR,HUP,RDHUP, an attempt is over
trying-error ECONNRESET and says so
all-soon yes all within 5 s
again-send 5 a new connection works
again-recv 5 both ways
name yes so do names
END
is "$(strays client)" "" "the client sent SSH and no more"
ok "no session is left" within 15 no_sessions
tap_end
