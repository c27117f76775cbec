#!/bin/sh
# demo.sh - what `make demo` shows: a host whose only way out is an SSH server
# fetches a page whose name only the far side knows; by whom, by which path,
# and what left the host meanwhile. All of it happens in network namespaces of
# this script, as root and as an ordinary user.

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { printf '  client$ %s\n' "$*"; }

# A demo that shows nothing has failed.
MUST_RUN=1; export MUST_RUN

if [ -z "$SW_INSIDE$DEMO_AGAIN" ] && [ "$(id -u)" = 0 ] &&
    command -v setpriv >/dev/null; then
	DEMO_AGAIN=1; export DEMO_AGAIN
	sh "$0" || exit 1
	# By its whole path: a folder above may be closed to others.
	demo=$(cd "${0%/*}" && pwd)/${0##*/}
	if setpriv --reuid=65534 --regid=65534 --clear-groups \
	    test -r "$demo" 2>/dev/null; then
		cd / || exit 1
		setpriv --reuid=65534 --regid=65534 --clear-groups \
		    env TMPDIR=/tmp sh "$demo"
		exit
	fi
	say "An ordinary user cannot read this folder; the second half is left out."
	exit 0
fi
[ -n "$SW_INSIDE" ] || DEMO_USER=$(id -un 2>/dev/null || id -u)
export DEMO_USER
export TEST_SECONDS=120
. "${0%/*}/../tests/lib/net.sh"
. "$SW_ROOT/tests/lib/mixnet.sh"

hosts && services small dns web || { echo "demo: could not make the hosts"; exit 1; }
watch client
spawn server "$LIB/capture" eth1 "$T/seen-server"
URL=https://www.example.test/
SMOLWRAP="smolwrap --via ssh://tester@$SSHD"

say "The client's host, as $DEMO_USER: one neighbour, no route"
show "ip route"
on client ip route | sed 's/^/  /'

say "Without smolwrap"
show "curl $URL"
on client curl -sS --cacert "$T/ca.crt" -m 5 $URL 2>&1 | sed 's/^/  /'

say "With it"
show "$SMOLWRAP curl $URL"
wrapped curl -sS --cacert "$T/ca.crt" -m 20 \
    -w 'status %{http_code}, first byte after %{time_starttransfer} s\n' \
    $URL >"$T/page" 2>&1
sed 's/^/  /' "$T/page"
grep -q "the page of www.example.test" "$T/page" || exit 1

say "The path it took"
echo "  client  10.9.0.2"
echo "    | SSH"
echo "  server  10.9.0.1, a stock sshd; it asked DNS for:"
sed -n 's/.*query\[\(.*\)\] \(.*\) from \(.*\)/    \2 (\1), from \3/p' \
    "$T/dns-log" | sort -u
echo "    | HTTPS"
echo "  www.example.test, which saw:"
sed 's/^/    /' "$T/nginx/access.log"

say "All that left the client's host (protocol, destination, port, packets, bytes)"
seen client | sed 's/^/  /'
if [ -z "$(strays client)" ]; then
	echo "  SSH, and what the kernel says to its neighbour."
else
	echo "  That is more than SSH:"
	strays client | sed 's/^/  /'
	exit 1
fi

# --- the mixnet ---------------------------------------------------------------

say "The same page through a mixnet that smolwrap makes for this one command"
echo "  (three mixes, two gateways and an exit, on the host that sees the web server)"
printf '  server$ %s\n' "smolwrap -v --via mix:local curl $URL"
on server "$B/smolwrap" -v --via mix:local -- \
    curl -sS --cacert "$T/ca.crt" -m 40 \
    -w 'status %{http_code}, first byte after %{time_starttransfer} s\n' \
    $URL >"$T/page" 2>&1 </dev/null
sed 's/^smolwrap-session: //; s/^/  /' "$T/page"
grep -q "the page of www.example.test" "$T/page" || exit 1

say "And from the client's host, with the mixnet's nodes on the server"
# What is counted so far was SSH.
# shellcheck disable=SC2154 # set by watch
kill "$net_watch_client"; wait "$net_watch_client" 2>/dev/null
rm -f "$T/seen-client"
watch client
MIX_TRAFFIC=default
start_mixnet || { echo "demo: could not start the mixnet"; exit 1; }
show "smolwrap -v --via mix:network.json curl $URL"
# shellcheck disable=SC2086 # a list of words
on client "$B/smolwrap" -v $VIA -- curl -sS --cacert "$T/ca.crt" -m 40 \
    -w 'status %{http_code}, first byte after %{time_starttransfer} s\n' \
    $URL >"$T/page" 2>&1 </dev/null
sed 's/^smolwrap-session: //; s/^/  /' "$T/page"
grep -q "the page of www.example.test" "$T/page" || exit 1

say "All that left the client's host"
seen client | sed 's/^/  /'
if [ -z "$(mix_strays)" ]; then
	echo "  Packets to the entry gateway, $ENTRY, and nothing else."
else
	echo "  That is more than packets to the entry gateway:"
	mix_strays | sed 's/^/  /'
	exit 1
fi
