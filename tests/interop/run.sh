#!/bin/sh
# shellcheck disable=SC2034 # the counters are tap.sh's
# The published Rust clients against `smolnode local`: the client on one host,
# the network on another, the servers on a third.  `make interop` builds them
# and runs this; make test does not need it.
#	client 10.9.0.2 -- 10.9.0.1 smolnode -- 203.0.113.80 nginx, dnsmasq
FLOWS=${FLOWS:-$PWD/build/interop/target/release/flows}
. "${0%/*}/../lib/net.sh"

tap_plan=10

[ -x "$FLOWS" ] || skip_all "$FLOWS is not built"
hosts && services dns web || { echo "Bail out! no servers"; exit 1; }
spawn inet "$FLOWS" --echo "$WWW:9443" "$T/www.crt" "$T/www.key"
within 10 hears inet 9443 || { echo "Bail out! no websocket server"; exit 1; }
spawn server sh -c 'exec "$0" local -e -a 10.9.0.1 -d 8000 >"$1"' \
    "$B/smolnode" "$T/node"
within 20 grep -q "^exit " "$T/node" || {
	echo "Bail out! no network"; exit 1
}
# What the crates read; whatever is not named here is the main network's.
export CONFIGURED=true NYM_API="http://$SSHD:8000/"
export NYM_APIS="[{\"url\":\"http://$SSHD:8000/\",\"front_hosts\":null}]"
export RUST_LOG="${RUST_LOG:-off}"
watch client
echo 1..10
on client timeout 570 "$FLOWS" "$(sed -n 's/^exit //p' "$T/node")" \
    "$T/ca.crt" "$WWW" 2>"$T/flows.log" | tee "$T/flows" | grep -v '^1\.\.'
tap_n=8 tap_bad=$(grep -c '^not ok' "$T/flows")
ok "what was downloaded is what the server has" grep -q \
    "sha256 $(sha256sum <"$T/www/1m" | cut -d ' ' -f 1) " "$T/flows"
# ARP and neighbour discovery are the hosts' own.
is "$(seen client | awk '$2 != "10.9.0.1" && $1 != "arp" &&
	!($1 == "icmp6" && $3 >= 133 && $3 <= 143)')" "" \
    "the client spoke with its gateway and the directory, and nobody else"
[ "$tap_bad" -eq 0 ] || tail -n 40 "$T/flows.log" | sed 's/^/# /'
[ -z "$KEEP" ] || cp "$T/flows.log" "$T/node" "$KEEP/"
tap_end
