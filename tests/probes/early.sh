#!/bin/sh
# Calls before, after and beside the ordinary, by the kernel and wrapped.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/compare.sh"

hosts && services small dns || exit 1
{
	on server "$B/tests/probes/early" $WWW $DARK
	on server "$B/tests/probes/early" $WWW $DARK preinit
} >"$T/native"
product || skip_all "smolwrap is not built"
{
	wrapped "$B/tests/probes/early" $WWW $DARK
	wrapped "$B/tests/probes/early" $WWW $DARK preinit
} >"$T/wrapped" 2>"$T/err"
diag "$(cat "$T/err")"
compare "$T/native" "$T/wrapped" "$SW_ROOT/tests/probes/early.differs"
