#!/bin/sh
# SSH over iroh: our endpoint on both sides, with a real sshd behind one and
# OpenSSH or smolwrap before the other; directly, by a relay, and by proxies.

. "${0%/*}/../lib/net.sh"

hosts && services small dns web ssh || exit 1
product || skip_all "smolwrap is not built"
PIPE=$LIB/iroh_pipe
[ -x "$PIPE" ] || skip_all "$PIPE is not built"

RELAY=http://$SSHD:3340/ FAR_RELAY=http://$WWW:3340/

# endpoint NAME HOST OPTION...: a listener in front of that host's sshd.
endpoint() {
	ep_name=$1 ep_host=$2; shift 2
	rm -f "$T/$ep_name"		# what an earlier one said
	# shellcheck disable=SC2016 # for the inner shell
	spawn "$ep_host" sh -c 'out=$1; shift; exec "$@" >"$out" 2>&1' sh \
	    "$T/$ep_name" "$PIPE" listen -v -k "$T/$ep_name.key" "$@"
	eval "pid_$ep_name=$!"
	within 10 grep -q '^port ' "$T/$ep_name" || return 1
	eval "id_$ep_name=$(sed -n 's/^id //p' "$T/$ep_name")"
	eval "ticket_$ep_name=$(sed -n 's/^ticket //p' "$T/$ep_name")"
	sed -n "s/^name //p" "$T/$ep_name" | while read -r ep_z32; do
		echo "$ep_z32 $(cat "$T/host_key.pub")" >>"$KNOWN"
	done
}
# iroh ENDPOINT OPTION... -- COMMAND...: smolwrap through it, on client.
iroh() {
	ep=$1; shift
	on client "$B/smolwrap" --via "ssh+iroh://tester@$ep" -i "$KEY" \
	    --known-hosts "$KNOWN" "$@"
}
# left_client: PROTOCOL DESTINATION PORT of all that left it, but for what the
# kernel says to a datagram that comes after the end (ICMP 3).
left_client() {
	seen client | awk '$1 != "arp" && $1 != "icmp6" &&
		!($1 == "icmp" && $3 == 3) { print $1, $2, $3 }' |
	    sort -u | tr '\n' ';'
}

spawn server /usr/bin/python3 "$SW_ROOT/tests/lib/iroh_relay.py" "$SSHD" 3340
pid_relay_py=$!
spawn inet /usr/bin/python3 "$SW_ROOT/tests/lib/iroh_relay.py" "$WWW" 3340
within 10 hears server 3340 && within 10 hears inet 3340 || exit 1
endpoint near server -P 4433 -a "$SSHD:4433" -t 127.0.0.1:22 || exit 1
endpoint relayed server -r "$RELAY" -b 127.0.0.1 -t 127.0.0.1:22 || exit 1
endpoint far inet -P 4433 -r "$FAR_RELAY" -t "$WWW:22" || exit 1
within 10 grep -q "relay is up" "$T/relayed" || exit 1
page="the page of www.example.test"

# shellcheck disable=SC2154 # set by endpoint
{
is "$(on client ssh -o ProxyCommand="$PIPE dial -a $SSHD:4433 $id_near" \
    -o HostKeyAlias="$SSHD" tester@iroh echo over iroh 2>&1)" "over iroh" \
    "OpenSSH talks to sshd over iroh"
is "$(stat -c %a "$T/near.key")" 600 "the endpoint's key is private"

watch client
like "$(iroh "$id_near" --iroh-address "$SSHD:4433" -- \
    curl -sS http://www.example.test/ 2>&1)" "*$page*" \
    "a page over SSH over iroh"
is "$(left_client)" "udp $SSHD 4433;" "and nothing but its datagrams left"
is "$(iroh "$ticket_near" -- curl -sS http://www.example.test/10m |
    sha256sum)" "$(sha256sum <"$T/www/10m")" "10 MB by a ticket"
like "$(iroh "$(echo "$ticket_near" | tr 'b-y' 'c-z')" -- true 2>&1)" \
    "*names no iroh peer*" "a broken ticket is refused"
iroh "$id_relayed" --iroh-address "$SSHD:4433" -- true >"$T/out" 2>&1
is "$?" 125 "another identity at that address is refused"
like "$(cat "$T/out")" "*another identity*" "and the line says so"

rm -f "$T/seen-client"; watch client
like "$(iroh "$id_relayed" --iroh-relay "$RELAY" -- \
    curl -sS http://www.example.test/ 2>&1)" "*$page*" "a page by the relay"
is "$(left_client)" "tcp $SSHD 3340;" "and nothing but the relay was spoken to"
is "$(iroh "$id_relayed" --iroh-relay "$RELAY" -- \
    curl -sS http://www.example.test/1m | sha256sum)" \
    "$(sha256sum <"$T/www/1m")" "1 MB by the relay"
# The relay forgets everybody in the middle of 2 s of a slow page.
(sleep 1; kill -USR1 "$pid_relay_py") &
is "$(iroh "$id_relayed" --iroh-relay "$RELAY" -- \
    curl -sS --max-time 40 -r 0-299999 http://www.example.test/slow |
    wc -c)" 300000 "a transfer outlives the relay's restart"

# The server dies without a word and comes back: noticed, and connected again.
iroh "$id_near" --iroh-address "$SSHD:4433" -- sh -c '
	curl -sS http://www.example.test/ >/dev/null && echo up >"$0"
	while [ ! -e "$1" ]; do sleep 0.2; done
	i=0; until curl -sS --max-time 5 http://www.example.test/; do
		i=$((i + 1)); [ $i -lt 20 ] || exit 1; sleep 0.5
	done' "$T/up" "$T/go" >"$T/out" 2>&1 &
wrapped_pid=$!
within 20 test -e "$T/up"
kill -KILL "$pid_near"
endpoint near server -P 4433 -a "$SSHD:4433" -t 127.0.0.1:22
touch "$T/go"
wait $wrapped_pid
like "$(cat "$T/out")" "*$page*" "the tunnel comes back after the server's death"

# A relayed connection moves to an address that begins to answer.
relayed_port=$(sed -n 's/^port //p' "$T/relayed")
iroh "$id_relayed" --iroh-relay "$RELAY" --iroh-address "$SSHD:4502" -- sh -c '
	curl -sS http://www.example.test/ >/dev/null && echo up >"$0"
	while [ ! -e "$1" ]; do sleep 0.2; done
	curl -sS --max-time 15 http://www.example.test/' "$T/up2" "$T/go2" \
	>"$T/out" 2>&1 &
wrapped_pid=$!
within 20 test -e "$T/up2"
spawn server /usr/bin/python3 "$SW_ROOT/tests/lib/udp_forward.py" \
    "$SSHD" 4502 "$relayed_port" "$T/forwarded"
within 30 test -e "$T/forwarded"
kill -STOP "$pid_relay_py"
touch "$T/go2"
wait $wrapped_pid
like "$(cat "$T/out")" "*$page*" "a relayed connection moves to a direct address"
kill -CONT "$pid_relay_py"

# no_relayed: no session is left on client, nor a connection to the relay.
no_relayed() {
	no_sessions && ! on client grep -q ':0D0C 0[1-589B]' /proc/net/tcp
}
# Proxies.  far has an address that client cannot reach.
if command -v danted >/dev/null; then
	cat >"$T/danted.conf" <<-END
		logoutput: $T/danted.log
		internal: $SSHD port = 1080
		external: eth1
		clientmethod: none
		socksmethod: none
		user.privileged: root
		user.unprivileged: root
		client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
		socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
	END
	spawn server danted -f "$T/danted.conf"
	within 10 hears server 1080
	# What ends late is not the proxy's.
	within 30 no_relayed
	rm -f "$T/seen-client"; watch client
	like "$(iroh "$id_far" --iroh-address "$WWW:4433" \
	    --proxy "socks5://$SSHD:1080" -- \
	    curl -sS http://www.example.test/ 2>&1)" "*$page*" \
	    "datagrams through a SOCKS5 proxy"
	left=$(left_client)
	like "$left" "tcp $SSHD 1080;udp $SSHD *;" "to the proxy and no further"
else
	skip "no danted" "datagrams through a SOCKS5 proxy"
	skip "no danted" "to the proxy and no further"
fi
if command -v microsocks >/dev/null; then
	spawn server microsocks -i "$SSHD" -p 1081
	within 10 hears server 1081
	rm -f "$T/seen-client"; watch client
	fails "a SOCKS5 proxy without datagrams is no reason to go around it" \
	    iroh "$id_far" --iroh-address "$WWW:4433" \
	    --proxy "socks5://$SSHD:1081" -- true
	is "$(left_client)" "tcp $SSHD 1081;" "only the proxy was spoken to"
	like "$(iroh "$id_far" --iroh-address "$WWW:4433" \
	    --iroh-relay "$FAR_RELAY" --proxy "socks5://$SSHD:1081" -- \
	    curl -sS http://www.example.test/ 2>&1)" "*$page*" \
	    "but a relay is reached through it"
else
	skip "no microsocks" "a SOCKS5 proxy without datagrams"
	skip "no microsocks" "only the proxy was spoken to"
	skip "no microsocks" "but a relay is reached through it"
fi
if command -v tinyproxy >/dev/null; then
	printf '%s\n' "Port 8888" "Listen $SSHD" "Timeout 60" \
	    "LogFile \"$T/tinyproxy.log\"" >"$T/tinyproxy.conf"
	spawn server tinyproxy -d -c "$T/tinyproxy.conf"
	within 10 hears server 8888
	like "$(iroh "$id_far" --iroh-relay "$FAR_RELAY" \
	    --proxy "http://$SSHD:8888" -- \
	    curl -sS http://www.example.test/ 2>&1)" "*$page*" \
	    "a relay through an HTTP proxy"
else
	skip "no tinyproxy" "a relay through an HTTP proxy"
fi
# What an endpoint has published in the DNS, asked for by the server's machine.
name_near=$(sed -n 's/^name //p' "$T/near")
spawn server dnsmasq -d -u root -g root -C /dev/null --pid-file= -R -h \
    -a 127.0.0.1 -i lo --local=/#/ \
    --txt-record="_iroh.$name_near.dns.iroh.link,addr=$SSHD:4433"
within 10 hears server 53
echo "nameserver 127.0.0.1" >"$T/etc-server/resolv.conf"
like "$(on server sh -c "sleep 2 | '$PIPE' dial '$id_near'" 2>&1)" "SSH-2.0*" \
    "an endpoint is found by the DNS"
like "$(on server "$PIPE" dial "$id_far" 2>&1)" "*has not published*" \
    "and one that has published nothing is not"
}
ok "no session stays behind" within 20 no_sessions
tap_end
