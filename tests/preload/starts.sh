#!/bin/sh
# starts.sh - a started program is wrapped however it was started, and PATH is
# searched exactly as libc does.
SW_ROOT=$(cd "${0%/*}/../.." && pwd)
B=${B:-build/default}
case $B in /*) ;; *) B=$SW_ROOT/$B ;; esac
. "$SW_ROOT/tests/lib/tap.sh"

T=$(mktemp -d "${TMPDIR:-/tmp}/smolwrap-test.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT
# The library is known to the probe by its name.
ln -s "${LIBRARY:-$B/libsmolwrap.so}" "$T/libsmolwrap.so"
wrapped() { "$B/tests/lib/fake_session" "$T/libsmolwrap.so" "$@"; }
probe=$B/tests/probes/starts

args="args [child] [one] [] [two words]"
is "$("$probe" execve)" "library 0 channel 0 mark 1 $args" \
    "control: a bare child is not wrapped"
for method in $("$probe" list); do
	mark=1
	[ "$method" != null-environment ] || mark=-
	is "$(wrapped "$probe" "$method" 2>&1)" \
	    "library 1 channel 1 mark $mark $args" \
	    "$method: the child is wrapped"
done

mkdir "$T/bare" "$T/wrapped"
(cd "$T/bare" && "$probe" search >../bare.out 2>../bare.err)
(cd "$T/wrapped" && wrapped "$probe" search >../wrapped.out 2>../wrapped.err)
ok "PATH is searched as libc does ($(wc -l <"$T/bare.out") cases)" \
	diff "$T/bare.out" "$T/wrapped.out"
tap_end
