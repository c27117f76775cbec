#!/bin/sh
# What epoll, poll and select tell, by the kernel and wrapped.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/compare.sh"

hosts && services small dns || exit 1
on server "$B/tests/probes/epoll" $WWW >"$T/native"
product || skip_all "smolwrap is not built"
wrapped "$B/tests/probes/epoll" $WWW >"$T/wrapped" 2>"$T/err"
diag "$(cat "$T/err")"
compare "$T/native" "$T/wrapped" "$SW_ROOT/tests/probes/epoll.differs"
