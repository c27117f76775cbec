#!/bin/sh
# Our iroh endpoint against real ones, on loopback in a network namespace of
# its own.  `make interop-iroh`; see README for what has to be built before.
#
#	IROH_PEER, IROH_RELAY	the programs; NODE_PATH holds @number0/iroh

if [ -z "$SW_INSIDE" ]; then
	SW_INSIDE=1 exec timeout -s KILL 300 \
	    unshare -rnpf --kill-child --mount-proc sh "$0" "$@"
fi
cd "${0%/*}/../../.." || exit 1
. tests/lib/tap.sh
unset RUST_BACKTRACE
B=${B:-build/default}
OURS=$B/tests/lib/iroh_pipe
PEER=${IROH_PEER:-iroh-peer} RELAY=${IROH_RELAY:-iroh-relay}
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
ip link set lo up
[ -x "$OURS" ] || skip_all "$OURS is not built"
command -v "$PEER" >/dev/null || skip_all "no $PEER: see README"
command -v "$RELAY" >/dev/null || skip_all "no $RELAY: see README"
head -c 10000000 /dev/urandom >"$T/data"

# start NAME COMMAND...: in the background until it has printed its id.
start() {
	name=$1; shift
	"$@" >"$T/$name" 2>"$T/$name.err" </dev/null &
	within 20 grep -q '^id ' "$T/$name"
	eval "id_$name=$(sed -n 's/^id //p' "$T/$name")"
}
# echoes DESCRIPTION COMMAND...: 10 MB through it come back the same.
echoes() {
	what=$1; shift
	timeout 60 "$@" <"$T/data" >"$T/back" 2>"$T/back.err"
	if cmp -s "$T/data" "$T/back"; then
		pass "$what"
	else
		fail "$what"; diag "$(cat "$T/back.err")"
	fi
}
# refuses DESCRIPTION WORDS COMMAND...: it fails and says so.
refuses() {
	what=$1 words=$2; shift 2
	echo x | timeout 30 "$@" >"$T/back" 2>&1
	like "$(cat "$T/back")" "*$words*" "$what"
}

plan 18
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj "/CN=relay" -addext "subjectAltName=DNS:localhost" \
    -keyout "$T/relay.key" -out "$T/relay.crt" >/dev/null 2>&1
cat >"$T/relay.toml" <<-END
	http_bind_addr = "127.0.0.1:3341"
	enable_metrics = false
	[tls]
	https_bind_addr = "127.0.0.1:3443"
	cert_mode = "Manual"
	manual_cert_path = "$T/relay.crt"
	manual_key_path = "$T/relay.key"
END
"$RELAY" --dev >"$T/relay.log" 2>&1 &
"$RELAY" --config-path "$T/relay.toml" >"$T/tls-relay.log" 2>&1 &
URL=http://127.0.0.1:3340/ TLS=https://localhost:3443/
within 20 curl -s -o "$T/ping" "${URL}ping"

start ours "$OURS" listen -v -k "$T/key" -P 4401 -r $URL
start real "$PEER" listen --bind 127.0.0.1:4402 --secret 17
start relayed "$PEER" listen --relay $URL --relay-only --secret 18
start resets "$PEER" listen --bind 127.0.0.1:4403 --secret 19 --reset
within 10 grep -q 'relay is up' "$T/ours.err"

# shellcheck disable=SC2154 # set by start
{
echoes "we dial iroh" "$OURS" dial -a 127.0.0.1:4402 "$id_real"
echoes "iroh dials us" "$PEER" dial --bind 127.0.0.1:0 --peer "$id_ours" \
    --addr 127.0.0.1:4401
like "$(cat "$T/ours")" "*direct*" "and that was direct"
echoes "we dial iroh by its relay" "$OURS" dial -r $URL "$id_relayed"
echoes "iroh dials us by the relay" "$PEER" dial --relay $URL --relay-only \
    --peer "$id_ours"
like "$(tail -n 1 "$T/ours")" "*relayed" "and that was relayed"
echoes "iroh dials us all ways at once" "$PEER" dial --relay $URL \
    --bind 127.0.0.1:0 --peer "$id_ours" --addr 127.0.0.1:4401
like "$(tail -n 1 "$T/ours")" "*direct" "and the direct way won"
refuses "iroh refuses another protocol of ours" "does not know the protocol" \
    "$OURS" dial -A other -a 127.0.0.1:4402 "$id_real"
refuses "we refuse another protocol of iroh's" "error 120" \
    "$PEER" dial --alpn other --bind 127.0.0.1:0 --peer "$id_ours" \
    --addr 127.0.0.1:4401
refuses "we notice another identity" "another identity" \
    "$OURS" dial -a 127.0.0.1:4402 "$id_resets"
refuses "iroh notices another identity" UnknownIssuer \
    "$PEER" dial --bind 127.0.0.1:0 --peer "$id_real" --addr 127.0.0.1:4401
echo x | timeout 20 "$OURS" dial -a 127.0.0.1:4403 "$id_resets" >"$T/back"
is "$?$(cat "$T/back")" "0" "a stream that iroh resets ends"

# The real relay with TLS and a certificate of our own authority.
start behind "$OURS" listen -v -k "$T/key2" -r $TLS -c "$T/relay.crt"
within 10 grep -q 'relay is up' "$T/behind.err"
echoes "two of us meet at a relay behind TLS" "$OURS" dial -c "$T/relay.crt" \
    -r $TLS "$id_behind"
refuses "a relay of an unknown authority is not believed" "no answer" \
    "$OURS" dial -s 3 -r $TLS "$id_behind"

if node -e 'require("@number0/iroh")' 2>/dev/null; then
	start npm node tests/interop/iroh/npm_peer.js listen 4404
	echoes "we dial the npm package" "$OURS" dial -a 127.0.0.1:4404 "$id_npm"
	like "$(timeout 60 node tests/interop/iroh/npm_peer.js dial "$id_ours" \
	    127.0.0.1:4401 300000 2>&1)" "*same 300000*" "the npm package dials us"
else
	skip "no @number0/iroh for node" "we dial the npm package"
	skip "no @number0/iroh for node" "the npm package dials us"
fi
}
sleep 25 | timeout 60 "$OURS" dial -a 127.0.0.1:4402 "$id_real" >/dev/null
is $? 0 "a stream lives through 25 s of silence"
tap_end
