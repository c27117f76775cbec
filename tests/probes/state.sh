#!/bin/sh
# The state table: what every call answers in every state of a connection, by
# the kernel on the server's host and wrapped on the client's, line by line.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/compare.sh"

hosts && services small dns || exit 1
on server "$B/tests/probes/state" $WWW $WWW6 $DARK >"$T/native"
product || skip_all "smolwrap is not built"
report wrapped "$B/tests/probes/state" $WWW $WWW6 $DARK
compare_both key "$SW_ROOT/tests/probes/state.differs"
