#!/bin/sh
# mix:local - a whole mixnet made for one session, in one network namespace.
B=${B:-build/default}
. tests/lib/tap.sh

if [ -z "${MIX_LOCAL_INSIDE:-}" ]; then
	unshare -rnm true 2>/dev/null || skip_all "no network namespaces here"
	MIX_LOCAL_INSIDE=1 exec unshare -rnm --kill-child -f "$0"
fi
command -v curl >/dev/null && command -v python3 >/dev/null ||
	skip_all "needs curl and python3"

dir=$(mktemp -d)
trap 'kill $pids 2>/dev/null; rm -rf "$dir"' EXIT
export HOME="$dir" XDG_RUNTIME_DIR="$dir"
ip link set lo up
# Addresses that are not loopback's, so that the shim takes them for far away.
ip addr add 192.0.2.1/32 dev lo

head -c 300000 /dev/urandom >"$dir/file"
(cd "$dir" && exec python3 -m http.server 8099 --bind 192.0.2.1) \
    >/dev/null 2>&1 &
pids=$!
within 20 curl -s -o "$dir/plain" http://192.0.2.1:8099/file

mix() { timeout 50 "$B/smolwrap" --via mix:local "$@"; }

for traffic in raw fast default; do
	rm -f "$dir/got"
	ok "a download, traffic $traffic" mix --traffic $traffic -- \
	    curl -sS -m 45 -o "$dir/got" http://192.0.2.1:8099/file
	ok "it is what was sent" cmp -s "$dir/got" "$dir/file"
done
mix --traffic none -- true >"$dir/out" 2>&1
is $? 125 "traffic of another name is refused"
like "$(cat "$dir/out")" "*traffic \"none\"*" "and named"
mix --traffic raw -- curl -sS -m 20 http://192.0.2.1:1/ >"$dir/out" 2>&1
is $? 7 "a closed port refuses the connection"
like "$(mix -v --traffic raw -- true 2>&1)" \
    "*route: entry 127.0.0.1:*route: mix-1 127.0.0.1:*route: mix-2*route: mix-3*route: exit*" \
    "-v shows the route"

# Who talks to the web server?  The exit, never the program: its namespace is
# the same, so look at its sockets while it is busy.
mkfifo "$dir/hold"
mix --traffic raw -- python3 -c '
import socket, sys
s = socket.create_connection(("192.0.2.1", 8099))
open(sys.argv[1], "w").close()
open(sys.argv[2]).read()' "$dir/connected" "$dir/hold" &
job=$!
within 20 test -e "$dir/connected"
like "$(ss -Htnp state established dst 192.0.2.1:8099)" "*smolnode*" \
    "the exit holds the connection"
is "$(ss -Htnp dst 192.0.2.1:8099 | grep -c python3)" 0 \
    "the program holds none"
: >"$dir/hold"
wait $job
is $? 0 "the program ends"
# The session stays until its last connection is closed: up to 10 s (FIN_WAIT_2).
gone() { ! ss -Htlnp | grep -q smolnode; }
ok "and the network with it" within 20 gone
tap_end
