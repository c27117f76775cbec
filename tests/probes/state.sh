#!/bin/sh
# The state table: what every call answers in every state of a connection, by
# the kernel on the server's host and wrapped on the client's, line by line.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/compare.sh"

hosts && services small dns || exit 1
on server "$B/tests/probes/state" $WWW $WWW6 $DARK >"$T/native"
product || skip_all "smolwrap is not built"
wrapped "$B/tests/probes/state" $WWW $WWW6 $DARK >"$T/wrapped" 2>"$T/err"
diag "$(cat "$T/err")"
compare "$T/native" "$T/wrapped" "$SW_ROOT/tests/probes/state.differs"
