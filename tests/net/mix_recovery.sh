#!/bin/sh
# A network of separate processes whose nodes are killed, one after the other,
# while something is under way: six mixes, two gateways, two exits.  The client
# knows it by its directory alone.
#	client -- server (directory, mixes, gateways) -- inet (exits, web)
# shellcheck disable=SC2154 # set through eval
TEST_SECONDS=${TEST_SECONDS:-600}
. "${0%/*}/../lib/net.sh"

product || skip_all "smolwrap is not built"
hosts && services small dns web || { fail "hosts"; exit 1; }
on inet ip route add 10.9.0.0/16 via 203.0.113.1
dir=http://$SSHD:8000/
MIXES="m1 m2 m3 m4 m5 m6"
SW=$B/smolwrap

# node HOST ROLE NAME OPTION...: its output is $T/NAME; again NAME: as before.
node() {
	eval "node_$3=\"$*\""
	node_host=$1 node_role=$2 node_name=$3; shift 3
	: >"$T/$node_name"
	# shellcheck disable=SC2016
	spawn "$node_host" sh -c 'out=$1; shift; exec "$@" >"$out"' - \
	    "$T/$node_name" "$B/smolnode" "$node_role" -d "$dir" \
	    -k "$T/keys-$node_name" "$@"
	eval "pid_$node_name=$!"
}
again() { eval "node \$node_$1"; }
stop() {
	eval "kill -KILL \$pid_$1; wait \$pid_$1" 2>/dev/null
	:
}
identity() { "$B/smolnode" identity -k "$T/keys-$1" | sed 's/.* //'; }
ready() { grep -q ^ready "$T/$1"; }
knows() {
	on server curl -s -m 2 -o "$T/net.json" "${dir}v1/smolnode/topology" &&
	    [ "$(grep -o mix_host "$T/net.json" | wc -l)" -eq "$1" ]
}

spawn server "$B/smolnode" directory -o -l "$SSHD:8000"
within 10 hears server 8000
for m in $MIXES; do node server mix $m -l "$SSHD:170${m#m}"; done
node server gateway g1 -l "$SSHD:1711" -w 9001
node inet exit x1 -l "$WWW:1721" -w 9003 -e
node inet exit x2 -l "$WWW:1722" -w 9004 -e
for n in $MIXES g1 x1 x2; do within 30 ready $n || diag "$n is not ready"; done
ok "nine nodes know each other" within 10 knows 9 || exit 1
watch client

# layer N: the names of its mixes.
cat >"$T/layer.py" <<'E2'
import json, sys
t = json.load(open(sys.argv[1]))
for i in t["rewarded_set"]["layer" + sys.argv[2]]:
    print("m" + t["node_details"][str(i)]["mix_host"][-1])
E2
layer() { python3 "$T/layer.py" "$T/net.json" "$1"; }
is "$(layer 2 | wc -l)" 2 "two mixes in a layer"

status() { on client "$SW" status -s mix 2>/dev/null; }
state_is() { status | grep -q "^state $1$"; }
up() {
	on client "$SW" up -s mix --via mix: --directory "$dir" --traffic raw \
	    "$@" >"$T/out" 2>&1 || diag "$(cat "$T/out")"
}
down() { on client "$SW" down -s mix; within 10 no_sessions; }
wrap() { on client timeout 90 "$SW" -s mix -- "$@"; }
page() { wrap curl -sS -m 20 "http://$WWW/" | grep -q "the page of"; }
# begin [PATH]: a download of 10 s is under way; ends: what became of it.  (Not
# within ok, whose shell is another, which cannot wait.)
begin() {
	rm -f "$T/got"
	wrap curl -sS -m 80 -o "$T/got" "http://$WWW/${1:-slow}" >"$T/err" 2>&1 &
	job=$!
	within 20 test -s "$T/got"
}
ends() {
	wait $job
	end=$?
	if [ $end -eq 0 ]; then
		end=whole
		cmp "$T/got" "$T/www/1m" >>"$T/err" 2>&1 || end="not what was sent"
	fi
	is "$end" "$@" || diag "$(cat "$T/err")"
}
seconds() { echo $(($(date +%s) - $1)); }

up --exit "$(sed -n 's/^exit //p' "$T/x1")"
ok "the tunnel is up" state_is up || exit 1

# shellcheck disable=SC2046
set -- $(layer 2)
begin
stop "$1"
ends whole "a mix of two is killed: a download goes around it"
ok "it is avoided" sh -c 'echo "$1" | grep -q "^mixes-avoided 1$"' - "$(status)"
again "$1"
within 20 ready "$1"

# shellcheck disable=SC2046
set -- $(layer 3)
begin brisk
stop "$1"; stop "$2"
sleep 2
again "$1"; again "$2"
ends whole "a whole layer is killed and started again: a download goes on"

entry() { status | sed -n 's/^entry .*:900//p'; }
e=$(entry)
clients() { sed -n '2,$s/ [0-9 ]*$//p' "$T/keys-g$e.clients"; }
known=$(clients)
begin brisk
stop "g$e"
again "g$e"
within 20 ready "g$e"
ends whole "the entry is killed and started again: a download goes on"
is "$(entry)" "$e" "by the same entry"
is "$(clients)" "$known" "which still knew the client"
is "$(stat -c %a "$T/keys-g$e.clients")" 600 "from a file for its eyes only"

# That one came after the session had asked the directory.
begin
node server gateway g2 -l "$SSHD:1712" -w 9002
stop "g$e"
other() { state_is up && [ "$(entry)" = $((3 - e)) ]; }
ok "the entry is gone for good: another is taken" within 60 other
since=$(date +%s)
ends 56 "what went by it is reset"
ok "within 30 s of that" test "$(seconds "$since")" -lt 30
ok "and everything goes on" page
again "g$e"
within 20 ready "g$e"

begin
stop x1
again x1
within 20 ready x1
since=$(date +%s)
ends 56 "the exit is killed and started again: a download is reset"
ok "within a minute ($(seconds "$since") s)" test "$(seconds "$since")" -lt 60
ok "and everything goes on" within 20 page
down

# Asked for by name, an entry is not left for another.
up --entry "$(identity g1)" --exit "$(identity x1)"
ok "an entry asked for by name" state_is up
stop g1
ok "is told to be gone" within 20 state_is down
sleep 5
like "$(status)" "*error connection refused*entry $SSHD:9001*" "and waited for"
again g1
within 20 ready g1
ok "until it is back" within 40 state_is up
ok "and all goes on" page
down

# Not asked for: another exit.
stop x1
up
ok "of two exits the one that lives is found" state_is up
ok "and goes on" page
down

is "$(seen client | awk '!($1 == "tcp" && $2 == "10.9.0.1" &&
	($3 == 9001 || $3 == 9002 || $3 == 8000)) && $1 != "arp" &&
	!($1 == "icmp6" && $3 >= 133 && $3 <= 143)')" "" \
    "through all that, the client talked to the directory and entry gateways only"
ok "no session is left" within 15 no_sessions
tap_end
