#!/bin/sh
# Every option number on every level: the kernel's answers to a program
# without privilege, and the wrapped answers. What may differ, and why, is in
# options.differs.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/compare.sh"

hosts && services small dns || exit 1
PLAIN="setpriv --bounding-set=-all --inh-caps=-all"
# shellcheck disable=SC2086
on server $PLAIN "$B/tests/probes/options" $WWW $WWW6 >"$T/native"
product || skip_all "smolwrap is not built"
# shellcheck disable=SC2086
report wrapped $PLAIN "$B/tests/probes/options" $WWW $WWW6
compare_both group "$SW_ROOT/tests/probes/options.differs"
