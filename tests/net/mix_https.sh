#!/bin/sh
# A private network whose directory speaks HTTPS: nodes announce themselves and
# clients ask over TLS only, and a directory that cannot prove itself gets and
# gives nothing.
# shellcheck disable=SC2086 # lists of words
. "${0%/*}/../lib/net.sh"

product || skip_all "smolwrap is not built"
for need in openssl curl; do
	command -v $need >/dev/null || skip_all "$need is not installed"
done
hosts && services small dns web || exit 1
echo "10.9.0.1 dir.example.test" >>"$T/etc-server/hosts"
(cd "$T" && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -subj "/CN=test" -keyout key -out csr &&
echo "subjectAltName=DNS:dir.example.test,DNS:gw.example.test,IP:10.9.0.1" \
    >ext &&
openssl x509 -req -in csr -CA ca.crt -CAkey ca.key -CAcreateserial \
    -extfile ext -out cert -days 2) >>"$T/openssl.log" 2>&1 || exit 1
CERT="-C $T/cert -K $T/key"
URL=https://10.9.0.1:8443/

# node ROLE NAME URL OPTION...: its output is $T/NAME. All share an address, so
# they go without Noise.
node() {
	node_role=$1 node_name=$2 node_url=$3; shift 3
	: >"$T/$node_name"
	spawn server sh -c 'out=$1; shift; exec "$@" >"$out" 2>&1' - \
	    "$T/$node_name" "$B/smolnode" "$node_role" -d "$node_url" \
	    -k "$T/keys-$node_name" -l 10.9.0.1 -n "$@"
}
ready() { grep -q ^ready "$T/$1"; }
listed() {
	on server curl -sf -m 5 --cacert "$T/ca.crt" \
	    "${URL}v1/smolnode/topology" | grep -o mix_host | wc -l
}

spawn server sh -c 'out=$1; shift; exec "$@" >"$out" 2>&1' - "$T/directory" \
    "$B/smolnode" directory -o -l 10.9.0.1:8443 $CERT
ok "a directory with a certificate" within 10 hears server 8443
like "$(cat "$T/directory")" "directory https://10.9.0.1:8443/" "says where it is"
for i in 1 2 3; do node mix m$i "$URL" -A "$T/ca.crt"; done
node gateway entry https://dir.example.test:8443/ -A "$T/ca.crt" \
    -w 9000 -W 9001 -H gw.example.test $CERT
node exit out "$URL" -A "$T/ca.crt" -e
for n in m1 m2 m3 entry out; do
	ok "$n knows the network" within 30 ready $n || diag "$(cat "$T/$n")"
done
like "$(cat "$T/entry")" "*websocket wss://gw.example.test:9001*" \
    "the gateway says where it takes TLS"
like "$(on server curl -sf -m 5 --cacert "$T/ca.crt" \
    "${URL}v2/unstable/nym-nodes/skimmed")" \
    *'"hostname":"gw.example.test","ws_port":9000,"wss_port":9001'* \
    "and the directory tells others"

# Those who would not know whom they speak to.
node mix stranger "$URL"
told() { grep -q "directory does not serve us" "$T/stranger"; }
ok "a node that does not know the authority" within 10 told
like "$(cat "$T/stranger")" "*no authority*" "says so"
is "$(grep -c . "$T/stranger")" 1 "in one line" || diag "$(cat "$T/stranger")"
node mix plain "http://10.9.0.1:8443/"
told() { grep -q "directory does not serve us" "$T/plain"; }
ok "a node that speaks plain HTTP to it is not served" within 10 told
is "$(listed)" 5 "neither is listed"
fails "nor does curl get an answer" on server curl -s -m 5 http://10.9.0.1:8443/
for u in ftp://10.9.0.1/ http:// http://:80/ https://h:0/ http://h:65536/ \
    http://h:8x/ http://h:/ http://h/path 'http://[::1' 'http://[::1]x/'; do
	on server timeout 10 "$B/smolnode" mix -d "$u" -k "$T/keys-x" \
	    -l 10.9.0.1 >"$T/out" 2>&1
	is "$?:$(head -n 1 "$T/out" | cut -c 1-30)" \
	    "1:$(echo "smolnode: \"$u\" is not a directory" | cut -c 1-30)" \
	    "$u is refused"
done
fails "so is a certificate without its key" on server timeout 10 \
    "$B/smolnode" directory -o -C "$T/cert"
fails "and one of a gateway without a name" on server timeout 10 \
    "$B/smolnode" gateway -d "$URL" -k "$T/keys-x" -l 10.9.0.1 $CERT

watch client
get() {
	on client timeout 60 "$B/smolwrap" --via mix: --directory "$URL" \
	    --traffic raw "$@" -- curl -sS -m 40 http://www.example.test/ \
	    2>"$T/err"
}
is "$(get --tls-ca "$T/ca.crt")" "$(cat "$T/www/index.html")" \
    "a client, by HTTPS and a websocket over TLS" || diag "$(cat "$T/err")"
is "$(seen client | awk '$1 != "arp" && $1 != "icmp6" { print $1, $2, $3 }' |
    sort | paste -sd' ')" "tcp 10.9.0.1 8443 tcp 10.9.0.1 9001" \
    "speaks to the directory and to the gateway's TLS"
get >"$T/out"
is $? 125 "a client that does not know the authority"
is "$(grep -c . "$T/err")" 1 "says one line" || diag "$(cat "$T/err")"
like "$(cat "$T/err")" "smolwrap: the directory*certificate*--tls-ca FILE" \
    "with what to do"
tap_end
