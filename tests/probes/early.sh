#!/bin/sh
# Calls before, after and beside the ordinary, by the kernel and wrapped.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/compare.sh"

hosts && services small dns || exit 1
probe() {
	"$@" "$B/tests/probes/early" $WWW $DARK
	"$@" "$B/tests/probes/early" $WWW $DARK preinit
}
probe on server >"$T/native"
product || skip_all "smolwrap is not built"
report probe wrapped
compare_both key "$SW_ROOT/tests/probes/early.differs"
