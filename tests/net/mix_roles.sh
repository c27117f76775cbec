#!/bin/sh
# A network of smolnode processes on hosts of their own, joined by a directory:
# admission, encrypted links, a mix that is killed, keys that are rotated.
#	client -- server (directory, gateway) -- m1 m2 m3; -- inet (exit, web)
# shellcheck disable=SC2154 # set through eval
. "${0%/*}/../lib/net.sh"

product || skip_all "smolwrap is not built"
plan 13
hosts && services small web || { fail "hosts"; exit 1; }
dir=http://$SSHD:8000/
on server sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
on inet ip route add 10.9.0.0/16 via 203.0.113.1
for i in 1 2 3; do
	host m$i || { fail "host m$i"; exit 1; }
	eval "pid=\$net_pid_m$i"
	ip link add name sm$i type veth peer name ms$i &&
	    ip link set sm$i netns "$net_pid_server" name m$i &&
	    ip link set ms$i netns "$pid" name eth0 || exit 1
	on server ip address add 10.9.$i.1/24 dev m$i
	on server ip link set m$i up
	on m$i ip address add 10.9.$i.2/24 dev eth0
	on m$i ip link set eth0 up
	on m$i ip route add default via 10.9.$i.1
done

# node HOST ROLE NAME OPTION...: its output is $T/NAME.
node() {
	node_host=$1 node_role=$2 node_name=$3; shift 3
	: >"$T/$node_name"
	spawn "$node_host" sh -c 'out=$1; shift; exec "$@" >"$out"' - \
	    "$T/$node_name" "$B/smolnode" "$node_role" -d "$dir" \
	    -k "$T/keys-$node_name" "$@"
	eval "pid_$node_name=$!"
}
identity() { "$B/smolnode" identity -k "$T/keys-$1" | sed 's/.* //'; }
ready() { grep -q ^ready "$T/$1"; }
answers() { on server curl -s -m 2 -o "$T/net.json" "${dir}v1/smolnode/topology"; }
knows() { answers && [ "$(grep -o mix_host "$T/net.json" | wc -l)" -eq "$1" ]; }
rotation() { sed 's/.*"key_rotation_id": *\([0-9]*\).*/\1/' "$T/net.json"; }
mix() {
	on client timeout 60 "$B/smolwrap" --via "mix:$T/net.json" \
	    --entry "$(identity gateway)" \
	    --exit "$(sed -n 's/^exit //p' "$T/exit")" --traffic raw -- "$@"
}
fetch() { mix curl -sS -m 25 "http://$WWW/" | grep -q "the page of"; }
page() { knows 5 && fetch; }	# with the keys of now

for n in m1 m2 m3 gateway exit; do identity $n; done >"$T/admitted"
is "$(stat -c %a "$T"/keys-* | sort -u)" 600 "keys are their owner's to read"
spawn server "$B/smolnode" directory -i "$T/admitted" -l "$SSHD:8000" -E 8 -r 2
pid_directory=$!
within 10 answers
for i in 1 2 3; do node m$i mix m$i -l 10.9.$i.2:1789; done
node server gateway gateway -l "$SSHD:1789" -w 9000
node inet exit exit -l "$WWW:1789" -e
for n in m1 m2 m3 gateway exit; do within 20 ready $n; done
ok "five nodes know each other by the directory" knows 5
node m1 mix stranger -l 10.9.1.2:1790
sleep 3
ok "who is not on its list is not in it" knows 5
fails "and is never ready" ready stranger
kill "$pid_stranger"

watch client
ok "a page through all of them" page
is "$(seen client | awk '$1 == "tcp" { print $2, $3 }' | sort -u)" \
    "$SSHD 9000" "the client speaks with its gateway only"
# The first bytes of what a mix is sent: a Noise frame begins with 1 1 1, Nym's
# plain frames with 7 or 8.
cat >"$T/first.py" <<'E2'
import socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x800))
s.settimeout(1)
open(sys.argv[1], "w").close()
seen = set()
end = time.monotonic() + 20
while time.monotonic() < end and len(seen) < 1:
    try:
        p = s.recv(65535)[14:]
    except OSError:
        continue
    tcp = p[(p[0] & 15) * 4:int.from_bytes(p[2:4], "big")]
    data = tcp[(tcp[12] >> 4) * 4:] if p[9] == 6 else b""
    if data and tcp[2:4] == (1789).to_bytes(2, "big"):
        seen.add(data[:3].hex())
print(*sorted(seen))
E2
on m2 python3 "$T/first.py" "$T/listens" >"$T/first" 2>&1 &
sniffer=$!
within 10 test -e "$T/listens"
page
wait $sniffer
is "$(cat "$T/first")" 010101 "links between nodes are encrypted"

kill -KILL "$pid_m2"
wait "$pid_m2" 2>/dev/null
node m2 mix m2 -l 10.9.2.2:1789
within 20 ready m2
ok "a mix that was killed is back with its keys" page

knows 5; old=$(rotation)
cp "$T/net.json" "$T/old.json"
changed() { knows 5 && [ "$(rotation)" != "$old" ]; }
ok "keys are rotated in time" within 30 changed
ok "a page with the new keys" fetch
cp "$T/old.json" "$T/net.json"
ok "in the first epoch also with the old ones" fetch
ok "and again with the new ones" page

kill "$pid_directory"
wait "$pid_directory" 2>/dev/null
ok "without the directory the nodes go on" fetch
tap_end
