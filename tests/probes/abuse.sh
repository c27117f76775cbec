#!/bin/sh
# What programs do to descriptors, and threads that all start children, by the
# kernel and wrapped.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/compare.sh"

hosts && services small dns || exit 1
{
	on server "$B/tests/probes/abuse" $WWW $DARK
	on server "$B/tests/probes/crowd" $WWW
} >"$T/native"
product || skip_all "smolwrap is not built"
{
	wrapped "$B/tests/probes/abuse" $WWW $DARK
	wrapped "$B/tests/probes/crowd" $WWW
} >"$T/wrapped" 2>"$T/err"
diag "$(cat "$T/err")"
compare "$T/native" "$T/wrapped" "$SW_ROOT/tests/probes/abuse.differs"
