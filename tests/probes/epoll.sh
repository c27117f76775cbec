#!/bin/sh
# What epoll, poll and select tell, by the kernel and wrapped.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/compare.sh"

hosts && services small dns || exit 1
on server "$B/tests/probes/epoll" $WWW >"$T/native"
product || skip_all "smolwrap is not built"
report wrapped "$B/tests/probes/epoll" $WWW
compare_both key "$SW_ROOT/tests/probes/epoll.differs"
