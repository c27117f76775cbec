#!/bin/sh
# The way to a mixnet's entry gateway and to its directory: proxies, another
# tunnel.  Whatever was asked for, the client talks to nobody else.
# shellcheck disable=SC2086 # lists of words
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/mixnet.sh"

product || skip_all "smolwrap is not built"
for need in microsocks tinyproxy; do
	command -v $need >/dev/null || skip_all "$need is not installed"
done
hosts && services small dns web && start_mixnet || exit 1
SW=$B/smolwrap
U=http://www.example.test
page=$(cat "$T/www/index.html")
DIR=$(sed -n 's/^directory //p' "$T/mixnet")
ID=$(sed -n 's/^entry //p' "$T/mixnet")
by_dir="--via mix: --directory $DIR --traffic raw --entry $ID"
SSH="--via ssh://tester@10.9.0.1 -i $KEY --known-hosts $KNOWN"

get() { on client timeout 60 "$SW" "$@" -- curl -sS -m 40 $U/ 2>"$T/err"; }
# Sessions say goodbye; then the count begins anew.
count() {
	within 20 no_sessions
	[ -z "$net_watch_client" ] || kill "$net_watch_client"
	rm -f "$T/seen-client"
	watch client
}
# gets PORT DESCRIPTION OPTION...: the page, and the client's only way out is
# that port of server.
gets() {
	port=$1 what=$2; shift 2
	count
	is "$(get "$@")" "$page" "$what" || diag "$(cat "$T/err")"
	is "$(seen client | awk -v port="$port" '
		$1 != "arp" && $1 != "icmp6" {
			print $1, $2, $3 == port ? "there" : $3
		}' | sort -u)" "tcp 10.9.0.1 there" "  and speaks to nobody else"
}
# refuses PORT PATTERN DESCRIPTION OPTION...: 125, one line, and nothing past it
refuses() {
	port=$1 pattern=$2 what=$3; shift 3
	count
	get "$@" >"$T/out"
	is $? 125 "$what"
	is "$(wc -l <"$T/err")" 1 "  in one line" || diag "$(cat "$T/err")"
	like "$(cat "$T/err")" "$pattern" "  that says why"
	is "$(seen client | awk -v port="$port" '
		$1 != "arp" && $1 != "icmp6" && $3 != port')" "" \
	    "  and nothing goes another way"
}
port_of() { echo "$1" | sed 's,.*:\([0-9]*\)/*$,\1,'; }

spawn server microsocks -i 10.9.0.1 -p 1080
pid_socks=$!
spawn server microsocks -i 10.9.0.1 -p 1081 -u me -P s3cr%t
printf '%s\n' "Port 3128" "Listen 10.9.0.1" "BasicAuth me s3cret" \
    "ConnectPort $(port_of "$ENTRY")" "ConnectPort $(port_of "$DIR")" \
    >"$T/tinyproxy.conf"
spawn server tinyproxy -d -c "$T/tinyproxy.conf"
for port in 1080 1081 3128; do within 5 hears server $port; done
SOCKS="--proxy socks5://10.9.0.1:1080"
HTTP="--proxy http://me:s3cret@10.9.0.1:3128"

# Who would go past what was asked for, would see this.
export http_proxy=http://192.0.2.7:1 no_proxy='*'
gets 1080 "a mixnet through SOCKS5" $VIA $SOCKS
gets 1081 "through SOCKS5 with a password" $VIA \
    --proxy socks5://me:s3cr%25t@10.9.0.1:1081
gets 3128 "through an HTTP proxy with a password" $VIA $HTTP
gets 22 "through an SSH server" $SSH $VIA
gets 1080 "the directory and the gateway through SOCKS5" $by_dir $SOCKS
gets 3128 "both through HTTP" $by_dir $HTTP
gets 22 "both through an SSH server" $SSH $by_dir
gets 1080 "SOCKS5, then SSH, then the mixnet" $SSH $SOCKS $by_dir
gets 22 "SSH, then the mixnet, then SSH" $SSH $VIA \
    --via ssh://tester@10.9.0.1

refuses 1089 "smolwrap: *entry gateway: the proxy*refused" \
    "a proxy that is not there" $VIA --proxy socks5://10.9.0.1:1089
refuses 1089 "smolwrap: *directory*the proxy*refused*" \
    "the same, for the directory" $by_dir --proxy socks5://10.9.0.1:1089
refuses 1081 "smolwrap: *entry gateway: *user name and a password*" \
    "a proxy that wants a password" $VIA --proxy socks5://10.9.0.1:1081
refuses 22 "smolwrap: *directory*no.example.test*no such name*" \
    "a directory that the SSH server does not know" $SSH --via mix: \
    --directory http://no.example.test/
refuses 22 "smolwrap: mix:local is on this machine*" \
    "mix:local is nowhere else" $SSH --via mix:local
refuses 22 "smolwrap: a mixnet inside a mixnet*" "nor is a mixnet in another" \
    --via "mix:$T/net.json" $by_dir
refuses 0 "smolwrap: *socks5://HOST:PORT*" "a proxy of another kind" \
    $VIA --proxy ftp://10.9.0.1

# The proxy goes and comes back: what is under way goes on.
state_is() { on client "$SW" status -s mix 2>/dev/null | grep -q "^state $1$"; }
count
on client timeout 60 "$SW" up -s mix $VIA $SOCKS >"$T/out" 2>&1 ||
	diag "$(cat "$T/out")"
rm -f "$T/got"
on client timeout 90 "$SW" -s mix -- \
    curl -sS -m 80 -o "$T/got" $U/slow >"$T/err" 2>&1 &
job=$!
within 20 test -s "$T/got"
kill -KILL "$pid_socks"
ok "the proxy goes: the mixnet does, too" within 20 state_is down
spawn server microsocks -i 10.9.0.1 -p 1080
ok "and comes back with it" within 40 state_is up
wait $job
is $? 0 "a download outlives that" || diag "$(cat "$T/err")"
ok "and is whole" cmp -s "$T/got" "$T/www/1m"
is "$(get -s mix)" "$page" "there are new connections, too"
is "$(seen client | awk '$1 != "arp" && $1 != "icmp6" && $3 != 1080')" "" \
    "nobody but the proxy was spoken to"
on client "$SW" down -s mix

# The tunnel below goes and comes back.
count
on client timeout 60 "$SW" up -s mix $SSH $VIA >"$T/out" 2>&1 ||
	diag "$(cat "$T/out")"
ok "SSH below, a session that stays" state_is up
on client "$SW" status -s mix >"$T/out"
like "$(cat "$T/out")" "*hop 1 ssh up*" "status names the hop below"
stop_sshd server
ok "the SSH server goes: the mixnet does, too" within 40 state_is down
is "$(on client timeout 20 "$SW" -s mix curl -sS -m 10 "http://$WWW/" 2>&1 |
    sed 's/.*:/:/')" ": Couldn't connect to server" "connections fail"
start_sshd server
ok "and comes back: so does the mixnet" within 60 state_is up
is "$(on client timeout 40 "$SW" -s mix curl -sS -m 30 $U/ 2>&1)" "$page" \
    "programs go on"
is "$(seen client | awk '$1 != "arp" && $1 != "icmp6" && $3 != 22')" "" \
    "through all that, nothing but SSH left the client"
on client "$SW" down -s mix
tap_end
