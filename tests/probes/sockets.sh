#!/bin/sh
# What may be opened, bound and connected to, datagrams and loopback: the kernel on
# the server's host and wrapped on the client's, line by line.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/compare.sh"

hosts && services small dns || exit 1
on server "$B/tests/probes/sockets" $WWW $WWW6 >"$T/native"
product || skip_all "smolwrap is not built"
report wrapped "$B/tests/probes/sockets" $WWW $WWW6
compare_both key "$SW_ROOT/tests/probes/sockets.differs"
