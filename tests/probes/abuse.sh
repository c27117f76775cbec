#!/bin/sh
# What programs do to descriptors, and threads that all start children, by the
# kernel and wrapped.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/compare.sh"

hosts && services small dns || exit 1
probe() {
	"$@" "$B/tests/probes/abuse" $WWW $DARK
	"$@" "$B/tests/probes/crowd" $WWW
}
probe on server >"$T/native"
product || skip_all "smolwrap is not built"
report probe wrapped
compare_both key "$SW_ROOT/tests/probes/abuse.differs"
