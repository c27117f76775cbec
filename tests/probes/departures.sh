#!/bin/sh
# Departures: a program writes 200,000 bytes and leaves, in each way programs
# leave; all must arrive. What a death by signal gives is stated, no more: the
# kernel would send the rest, and SSH has no reset to tell the other side by.

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

plan 44
hosts && services small dns || exit 1
for how in $WAYS; do
	is "$(leave bare $how)" "200000 eof good" "bare, $how" ||
		diag "$(cat "$T/out")"
done
for how in $DEATHS; do
	is "$(leave bare $how)" "200000 eof good" "bare, $how"
done
for how in $WAYS; do
	if ! product; then
		skip "smolwrap is not built" "wrapped, $how"
		continue
	fi
	is "$(leave wrapped $how)" "200000 eof good" "wrapped, $how" ||
		diag "$(cat "$T/out")"
done
for how in $DEATHS; do
	if ! product; then
		skip "smolwrap is not built" "wrapped, $how"
		continue
	fi
	like "$(leave wrapped $how)" "* good" "wrapped, $how" &&
		diag "of 200000 bytes: $(sed -n 's/^tcp 5003 //p' "$T/serve-log")"
done
tap_end
