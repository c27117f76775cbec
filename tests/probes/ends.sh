#!/bin/sh
# Ends of connections, both sides' view, by the kernel and wrapped.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/compare.sh"

# Both sides' report: what the probe printed, then what the servers noted.
probe() {
	: >"$T/serve-log"
	"$@" "$B/tests/probes/ends" $WWW
	within 5 grep -q "^tcp 5003 1003 " "$T/serve-log"
	sleep 0.3
	sort "$T/serve-log" | awk '{ print "server/" $2 "-" ++n[$2], $3, $4, $5 }'
}

hosts && services small dns || exit 1
probe on server >"$T/native"
product || skip_all "smolwrap is not built"
report probe wrapped
compare_both key "$SW_ROOT/tests/probes/ends.differs"
