#!/bin/sh
# Real nym-nodes and ours in one network: the client through mixes, an entry
# gateway and an exit of either kind.  NYM_NODE is the program; see README.
#	client -- server (directory) -- m1 m2 m3, g, x; -- inet (web)
# Each of m1 ... x is a host with two nodes: 45.9.N.2 is a nym-node, 45.9.N.3
# one of ours.
# shellcheck disable=SC2154 # set through eval
. "${0%/*}/../../lib/net.sh"

NYM_NODE=${NYM_NODE:-nym-node}
command -v "$NYM_NODE" >/dev/null || skip_all "NYM_NODE names no nym-node"
product || skip_all "smolwrap is not built"
plan 21
dir=http://$SSHD:8000
page=45.0.113.80

hosts && services small dns web || { fail "hosts"; exit 1; }
on server sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
on inet ip address add $page/24 dev eth0
on inet ip route add default via 203.0.113.1
on server ip route add 45.0.113.0/24 dev eth1
on client ip route add 45.9.0.0/16 via $SSHD
n=0
for h in m1 m2 m3 g x; do
	n=$((n + 1))
	host $h || { fail "host $h"; exit 1; }
	eval "pid=\$net_pid_$h ip_$h=45.9.$n"
	ip link add name s$h type veth peer name h$h &&
	    ip link set s$h netns "$net_pid_server" name $h &&
	    ip link set h$h netns "$pid" name eth0 || exit 1
	on server ip address add 45.9.$n.1/24 dev $h
	on server ip link set $h up
	on $h ip address add 45.9.$n.2/24 dev eth0
	on $h ip address add 45.9.$n.3/24 dev eth0
	on $h ip link set eth0 up
	on $h ip route add default via 45.9.$n.1
done
# The real exit hands packets to its kernel, from 10.0.0.0/16.
on x sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
on server ip route add 10.0.0.0/16 via "$ip_x.2"

# What is not named here is the main network's.
export CONFIGURED=true NYXD="$dir" NYM_API="$dir" \
    NYM_APIS="[{\"url\":\"$dir/\",\"front_hosts\":null}]" \
    UPGRADE_MODE_ATTESTATION_URL="$dir/none"

# nym HOST MODES OPTION...: a nym-node; its log is $T/nym-HOST.
nym() {
	nym_host=$1 nym_modes=$2; shift 2
	eval "ip=\$ip_$nym_host.2"
	mkdir -p "$T/home-$nym_host"
	spawn "$nym_host" sh -c 'export HOME=$1; out=$2; shift 2
		exec "$@" >"$out" 2>&1' - "$T/home-$nym_host" \
	    "$T/nym-$nym_host" env RUST_LOG="${RUST_LOG:-info}" NO_COLOR=1 \
	    "$NYM_NODE" --no-banner run --id "$nym_host" \
	    --modes "$nym_modes" --public-ips "$ip" \
	    --mixnet-bind-address "$ip:1789" --http-bind-address "$ip:8080" \
	    --verloc-bind-address "$ip:1790" --nym-api-urls "$dir" \
	    --nyxd-urls "$dir" --wireguard-enabled false \
	    --entry-bind-address "$ip:9000" --enforce-zk-nyms false \
	    --open-proxy true --lp-use-mock-ecash true "$@"
	eval "pid_nym_$nym_host=$!"
}
# ours HOST ROLE OPTION...: one of ours; its output is $T/our-HOST.
ours() {
	our_host=$1 our_role=$2; shift 2
	eval "ip=\$ip_$our_host.3"
	: >"$T/our-$our_host"
	spawn "$our_host" sh -c 'out=$1; shift; exec "$@" >"$out"' - \
	    "$T/our-$our_host" "$B/smolnode" "$our_role" -d "$dir/" \
	    -k "$T/keys-$our_host" -l "$ip:1789" "$@"
}
# describe HOST: what its nym-node says of itself, told to the directory.
describe() {
	eval "url=http://\$ip_$1.2:8080/api/v1"
	mkdir -p "$T/said-$1"
	for what in host-information roles ip-packet-router \
	    gateway/client-interfaces/mixnet-websockets; do
		on server curl -sf -m 5 -o "$T/said-$1/${what##*/}" \
		    "$url/$what" || return 1
	done
	"$B/tests/interop/nymnode/announce" \
	    "$T/home-$1/.nym/nym-nodes/$1/data/ed25519_identity" \
	    "$T/said-$1" >"$T/said-$1/announcement" &&
	on server curl -sf -m 5 --data-binary "@$T/said-$1/announcement" \
	    "$dir/v1/smolnode/nodes" >"$T/answer"
}
describe_all() {
	while :; do
		sleep 20
		for h in m1 m2 m3 g x; do describe $h; done
	done
}

# A nym-node asks the directory when it starts, again after 30 s if it found no
# way through the network, and then after ten minutes.  So all of them are up
# before the first is announced.
spawn server "$B/smolnode" directory -o -l "$SSHD:8000"
within 10 hears server 8000
for h in m1 m2 m3; do nym $h mixnode; done
nym g entry-gateway
nym x entry-gateway,exit-gateway
is_up() { eval "url=http://\$ip_$1.2:8080/api/v1/health"
	on server curl -sf -m 5 -o "$T/answer" "$url"; }
for h in m1 m2 m3 g x; do
	within 120 is_up $h || diag "$(tail -n 20 "$T/nym-$h")"
done
sleep 3
for h in m1 m2 m3 g x; do
	ok "nym-node $h says who it is" describe $h
done
describe_all &
for h in m1 m2 m3; do ours $h mix; done
ours g gateway -w 9000
ours x exit -w 9000 -v
for h in m1 m2 m3 g x; do
	within 60 grep -q ^ready "$T/our-$h" || diag "ours at $h is not ready"
done

json() { python3 -c 'import functools, json, sys
print(functools.reduce(lambda o, k: o[k], sys.argv[2:],
    json.load(open(sys.argv[1]))))' "$@"; }
word() { sed -n "s/^$1 //p" "$2"; }
their_entry=$(json "$T/said-g/host-information" data keys ed25519_identity)
their_exit=$(json "$T/said-x/ip-packet-router" address)
our_entry=$(word identity "$T/our-g")
our_exit=$(word exit "$T/our-x")

# only FILE LAST: the network with mixes at .LAST alone.
only() {
	on server curl -sf -m 5 "$dir/v1/smolnode/topology" >"$T/all.json" &&
	python3 -c 'import json, sys
net = json.load(open(sys.argv[1]))
for layer in "layer1", "layer2", "layer3":
    net["rewarded_set"][layer] = [i for i in net["rewarded_set"][layer]
        if (sys.argv[2] + ":1789") in net["node_details"][str(i)]["mix_host"]]
    assert len(net["rewarded_set"][layer]) == 1
assert len(net["node_details"]) == 10
json.dump(net, sys.stdout)' "$T/all.json" ".$2" >"$1"
}
# mix NET ENTRY EXIT COMMAND...
mix() {
	mix_net=$1 mix_entry=$2 mix_exit=$3; shift 3
	on client timeout 200 env SMOLWRAP_LOG=debug \
	    SMOLWRAP_LOG_FILE="$T/log" "$B/smolwrap" \
	    --via "mix:$mix_net" --entry "$mix_entry" --exit "$mix_exit" \
	    --dns $page --traffic raw -- "$@"
}
fetch() { mix "$@" curl -sS -m 60 "http://$page/" | grep -q "the page of"; }

ok "the directory knows a network of theirs" within 30 only "$T/theirs.json" 2
ok "and one of ours" within 30 only "$T/ours.json" 3
# A nym-node that found no way through looks again after 30 s.
said() { grep -q "$2" "$T/nym-$1"; }
for h in m1 m2 m3 g; do
	within 60 said $h "key rotation controller" || diag "nym-node $h"
done
ok "their exit made its TUN device" within 60 said x "started IPR at"

watch client
ok "their mixes, our gateway, our exit" \
    fetch "$T/theirs.json" "$our_entry" "$our_exit"
ok "our mixes, their gateway, our exit" \
    fetch "$T/ours.json" "$their_entry" "$our_exit"
ok "our mixes, our gateway, their exit" \
    fetch "$T/ours.json" "$our_entry" "$their_exit"
theirs() { mix "$T/theirs.json" "$their_entry" "$their_exit" "$@"; }
ok "everything theirs" fetch "$T/theirs.json" "$their_entry" "$their_exit"
ok "mixes of both" fetch "$T/all.json" "$their_entry" "$their_exit"

head -c 100000 "$T/www/1m" >"$T/www/100k"
ok "100 KB" theirs curl -sS -m 80 -o "$T/got" "http://$page/100k"
ok "are what they were" cmp "$T/got" "$T/www/100k"
is "$(theirs dig +short +time=20 +tries=2 @$page www.example.test A)" "$WWW" \
    "UDP"
theirs curl -sS -m 30 "http://$WWW/" >"$T/refused" 2>&1
is $? 7 "what their exit forbids is refused at once"

# What a program sees when its gateway is killed and comes back.
theirs sh -c 'curl -sS -m 60 "http://$0/" >"$1/first"; touch "$1/begun"
	until [ -e "$1/back" ]; do sleep 0.1; done
	curl -sS -m 60 --retry 30 --retry-delay 2 --retry-all-errors \
	    -o "$1/second" "http://$0/"' $page "$T" &
program=$!
within 60 test -e "$T/begun"
kill -KILL "$pid_nym_g"
wait "$pid_nym_g" 2>/dev/null
mv "$T/nym-g" "$T/nym-g-first"
nym g entry-gateway
within 60 said g "Starting websocket listener"
touch "$T/back"
wait $program
ok "their gateway is killed: what was registered holds" \
    cmp "$T/second" "$T/www/index.html"

# Exits forget who is silent for 60 s.
theirs sh -c 'curl -sS -m 60 "http://$0/where"; sleep 100
	curl -sS -m 60 "http://$0/where"' $page >"$T/where"
is "$(wc -l <"$T/where") $(sort -u "$T/where" | wc -l)" "2 1" \
    "after 100 s without a word we have the same address"

is "$(seen client | awk '$1 == "tcp" { print $2, $3 }' | sort -u)" \
    "$ip_g.2 9000
$ip_g.3 9000" "the client speaks with its gateways only"
is "$(cat "$T"/nym-* | grep -c "falling back to TCP")" 0 \
    "links between the two kinds are encrypted"
[ -z "$KEEP" ] || cp "$T"/log "$T"/nym-* "$T"/our-* "$T"/*.json "$KEEP/"
tap_end
