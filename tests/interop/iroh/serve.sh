#!/bin/sh
# smolserve and real iroh endpoints, on loopback in a network namespace of its
# own: OpenSSH over the crate's endpoint to smolserve, directly and through the
# real relay; smolwrap over the crate's endpoint to smolserve's TCP port.
# `make interop-iroh`; see README.

if [ -z "$SW_INSIDE" ]; then
	SW_INSIDE=1 exec timeout -s KILL 300 \
	    unshare -rnpf --kill-child --mount-proc sh "$0" "$@"
fi
cd "${0%/*}/../../.." || exit 1
. tests/lib/tap.sh
unset RUST_BACKTRACE SSH_AUTH_SOCK
B=${B:-build/default}
PEER=${IROH_PEER:-iroh-peer} RELAY=${IROH_RELAY:-iroh-relay}
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
ip link set lo up
[ -x "$B/smolserve" ] || skip_all "$B/smolserve is not built"
command -v "$PEER" >/dev/null || skip_all "no $PEER: see README"
command -v "$RELAY" >/dev/null || skip_all "no $RELAY: see README"
"$RELAY" --dev >"$T/relay.log" 2>&1 &
URL=http://127.0.0.1:3340/
within 20 curl -s -o "$T/ping" "${URL}ping"
ssh-keygen -q -t ed25519 -N '' -f "$T/key"
head -c 10000000 /dev/urandom >"$T/data"
/usr/bin/python3 -m http.server 8000 --bind 127.0.0.1 -d "$T" >"$T/http" 2>&1 &
within 10 curl -s -o "$T/ping" http://127.0.0.1:8000/ping
"$B/smolserve" -l 127.0.0.1:2222 -l iroh:127.0.0.1:4410 --iroh-relay $URL \
    -k "$T/key.pub" --state "$T/state" --allow-private >"$T/out" 2>"$T/log" &
within 10 grep -q '^ready' "$T/out" || { cat "$T/log"; exit 1; }
id=$(sed -n 's/^listen iroh \([0-9a-z]*\) .*/\1/p' "$T/out")
sed -n 's/^hostkey /smolserve /p' "$T/out" >"$T/known"
# over PEER-WORDS... : the page behind smolserve, through it, is the same.
over() {
	printf 'GET /data HTTP/1.0\r\n\r\n' | timeout 60 ssh -F none \
	    -i "$T/key" -o IdentitiesOnly=yes -o HostKeyAlias=smolserve \
	    -o UserKnownHostsFile="$T/known" -o StrictHostKeyChecking=yes \
	    -o ProxyCommand="$PEER dial --bind 127.0.0.1:0 --peer $id $*" \
	    -W 127.0.0.1:8000 me@x 2>"$T/err" | tail -c 10000000 >"$T/got"
	cmp -s "$T/got" "$T/data" || { diag "$(cat "$T/err")"; return 1; }
}
ok "ssh over the iroh crate: 10 MB" over --addr 127.0.0.1:4410
ok "through the real relay" over --relay $URL --relay-only
"$PEER" listen --bind 127.0.0.1:4411 --secret 21 --to 127.0.0.1:2222 \
    >"$T/peer" 2>"$T/peer.err" </dev/null &
within 20 grep -q '^id ' "$T/peer"
theirs=$(sed -n 's/^id //p' "$T/peer")
: >"$T/known"
wrap() {
	timeout 60 "$B/smolwrap" --via "ssh+iroh://me@$theirs" -i "$T/key" \
	    --iroh-address 127.0.0.1:4411 --known-hosts "$T/known" -- "$@"
}
wrap true 2>&1 | sed -n "s/.*echo '\(.*\)' >>.*/\1/p" >"$T/line"
cat "$T/line" >"$T/known"
# By its name: an address of loopback would be this machine's own.
rm -f "$T/got"
wrap curl -sS -m 30 -o "$T/got" http://localhost.localdomain:8000/data \
    2>"$T/err"
ok "smolwrap over the iroh crate to smolserve" cmp "$T/got" "$T/data" ||
	diag "$(cat "$T/err")"
tap_end
