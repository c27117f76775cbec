#!/bin/sh
# Real programs through a whole mixnet on loopback: the shim, the mix tunnel,
# three mixes, two gateways, and an exit that makes real sockets.
B=${B:-build/default}
. tests/lib/tap.sh

if [ -z "${MIX_LOCAL_INSIDE:-}" ]; then
	unshare -rnm true 2>/dev/null || skip_all "no network namespaces here"
	MIX_LOCAL_INSIDE=1 exec unshare -rnm --kill-child -f "$0"
fi
command -v curl >/dev/null && command -v python3 >/dev/null ||
	skip_all "needs curl and python3"

plan 8
dir=$(mktemp -d)
trap 'kill $pids 2>/dev/null; rm -rf "$dir"' EXIT
ip link set lo up
# Addresses that are not loopback's, so that the shim takes them for far away.
ip addr add 192.0.2.1/32 dev lo

head -c 300000 /dev/urandom >"$dir/file"
(cd "$dir" && exec python3 -m http.server 8099 --bind 192.0.2.1) \
    >/dev/null 2>&1 &
pids=$!
cat >"$dir/echo.py" <<'EOF'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("192.0.2.1", 8098))
while True:
    data, peer = s.recvfrom(9000)
    s.sendto(data.upper(), peer)
EOF
python3 "$dir/echo.py" &
pids="$pids $!"
"$B/smolnode" local -e -t "$dir/net.json" >"$dir/node" 2>"$dir/node.err" &
node=$!
pids="$pids $node"
until grep -q ^topology "$dir/node" && curl -s -o "$dir/plain" \
    http://192.0.2.1:8099/file; do
	sleep 0.1
done
entry=$(sed -n 's/^entry //p' "$dir/node")
exit=$(sed -n 's/^exit //p' "$dir/node")

mix()
{
	timeout 50 "$B/tests/lib/mix_session" "$dir/net.json" "$entry" \
	    "$exit" "$PWD/$B/libsmolwrap.so" "$@"
}

ok "a download arrives" mix curl -sS -o "$dir/got" \
    http://192.0.2.1:8099/file
ok "it is what was sent" cmp "$dir/got" "$dir/file"
is "$(mix python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.sendto(b"over udp", ("192.0.2.1", 8098))
print(s.recv(100).decode())')" "OVER UDP" "datagrams go out and come back"
is "$(mix python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.sendto(b"x" * 4000, ("192.0.2.1", 8098))
d = s.recv(9000)
print(len(d), d == b"X" * 4000)')" "4000 True" "large ones too, in pieces"
mix curl -sS --max-time 20 http://192.0.2.1:1/ >"$dir/out" 2>&1
is $? 7 "a closed port refuses the connection"
# Who talked to the web server?  The exit, never the program itself: its
# namespace is the same, so look at its sockets while it is busy.
mix python3 -c '
import socket, time
s = socket.create_connection(("192.0.2.1", 8099))
time.sleep(3)' &
sleep 2
is "$(ss -Htnp dst 192.0.2.1:8099 | grep -c smolnode)" 1 \
    "the exit holds the connection"
is "$(ss -Htnp dst 192.0.2.1:8099 | grep -c python3)" 0 \
    "the program holds none"
wait $!
kill "$node"
wait "$node"
is $? 0 "smolnode ends when told to"
tap_end
