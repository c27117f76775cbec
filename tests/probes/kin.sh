#!/bin/sh
# One process of a family is killed: the others' connections go on, and nothing
# takes another way out. With its stack on a thread, its own end with an error
# for whoever holds them; with its stack in the session they go on.

. "${0%/*}/../lib/net.sh"

hosts && services small dns || exit 1
product || skip_all "smolwrap is not built"
watch client

# family STACK [outlive]: wanted results come in.
family() {
	STACK=$1; shift
	wrapped "$B/tests/probes/kin" $WWW "$@" >"$T/out" 2>"$T/err"
	is $? 0 "$STACK: the program ends well" || diag "$(cat "$T/err")"
	while read -r key wanted why; do
		got=$(sed -n "s,^$key ,,p" "$T/out")
		is "$got" "$wanted" "$STACK: $key: $why"
	done
}
family session outlive <<END
sibling/echo 1 the connection works
sibling/echo-1 1 a sibling with connections of its own is killed
sibling/echo-2 1 one that used this connection is killed
sibling/line 7 new ones work as well
owner/echo 1 it goes on without the process that opened it
parent/echo 1 a child outlives the parent, its connection too
parent/line 7 and the child can connect
END
family thread <<END
sibling/echo 1 the connection works
sibling/echo-1 1 a sibling with a stack of its own is killed
sibling/echo-2 1 one that used this connection is killed
sibling/line 7 new ones work as well
owner/silent ECONNRESET its stack died: no end of the data
owner/flowing ECONNRESET nor of data that flows
owner/send EPIPE as after any reset
owner/line 7 and we can connect
parent/recv ECONNRESET a child outlives the parent's stack, its flow does not
parent/line 7 and the child can connect
END
is "$(strays client)" "" "the client sent SSH and no more"
ok "no session is left" within 15 no_sessions
tap_end
