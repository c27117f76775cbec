#!/bin/sh
# Departures: a program writes 200,000 bytes and leaves, in each way programs
# leave; all must arrive. When a signal kills it, its stack in the session sends
# the rest, as the kernel would; one on a thread dies with it, and what arrived
# is stated, no more: SSH has no reset to tell the other side by.

. "${0%/*}/../lib/net.sh"

WAYS="exit _exit quick_exit exit_group close-_exit shutdown-_exit thread-exit
main-thread-ends exec exec-clean exec-half exec-true shell fork-child-writes
daemon double-fork fork-both child-exits-first vfork-between"
DEATHS="abort sigterm sigkill"

# leave RUNNER HOW: the server's line about it.
leave() {
	: >"$T/serve-log"
	"$1" "$B/tests/probes/depart" "$2" $WWW >"$T/out" 2>&1
	within 8 grep -q "^tcp 5003" "$T/serve-log"
	sed -n 's/^tcp 5003 //p' "$T/serve-log"
}
bare() { on server "$@"; }

hosts && services small dns || exit 1
for how in $WAYS; do
	is "$(leave bare $how)" "200000 eof good" "bare, $how" ||
		diag "$(cat "$T/out")"
done
for how in $DEATHS; do
	is "$(leave bare $how)" "200000 eof good" "bare, $how"
done
product || skip_all "smolwrap is not built"
for STACK in session thread; do
	for how in $WAYS; do
		is "$(leave wrapped $how)" "200000 eof good" "$STACK, $how" ||
			diag "$(cat "$T/out")"
	done
done
STACK=session
for how in $DEATHS; do
	is "$(leave wrapped $how)" "200000 eof good" "$STACK, $how"
done
STACK=thread
for how in $DEATHS; do
	like "$(leave wrapped $how)" "* good" "$STACK, $how" &&
		diag "of 200000 bytes: $(sed -n 's/^tcp 5003 //p' "$T/serve-log")"
done
tap_end
