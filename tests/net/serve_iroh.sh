#!/bin/sh
# smolserve as an iroh endpoint, beside its TCP port.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"

hosts && services small dns web || exit 1
product && [ -x "$B/smolserve" ] && [ -x "$B/smolwrap-session-full" ] ||
	skip_all "smolwrap is not built"
cp "$KEY.pub" "$T/serve_keys"
start_smolserve -l iroh:4433 || exit 1
id=$(sed -n 's/^listen iroh \([0-9a-z]*\) .*/\1/p' "$T/serve.out")
by_iroh() {
	on client "$B/smolwrap" --via "ssh+iroh://tester@$id" \
	    --iroh-address $SSHD:4433 -i "$KEY" --known-hosts "$T/iroh_known" \
	    -- "$@"
}
: >"$T/iroh_known"
by_iroh true 2>"$T/out"
like "$(cat "$T/out")" "*is not known*" "its host key is asked for"
# The line that smolwrap says to add.
sed -n "s/.*echo '\(.*\)' >>.*/\1/p" "$T/out" >"$T/iroh_known"
watch client
like "$(by_iroh curl -sS -m 20 http://www.example.test/)" "*the page of*" \
    "a page through iroh"
by_iroh curl -sS -m 40 -o "$T/10m" http://www.example.test/10m
ok "10 MiB" cmp "$T/10m" "$T/www/10m"
is "$(by_iroh dig +short +time=5 +tries=1 @$WWW www.example.test A)" $WWW "dig"
is "$(seen client | awk '$1 != "arp" && $1 != "icmp6"' |
    grep -v "^udp $SSHD 4433 ")" "" "nothing but the endpoint's datagrams left"
like "$(grep -c 'remote_addr=10.9.0.2 transport=iroh' "$T/serve.log")" "[3-9]*" \
    "the log says iroh, and from where"
like "$(get $WWW:80 /)" "*the page of*" "and TCP is served beside it"
was=$id
stop_smolserve
is $? 0 "it ends in good order"
start_smolserve -l iroh:4433 || exit 1
is "$(sed -n 's/^listen iroh \([0-9a-z]*\) .*/\1/p' "$T/serve.out")" "$was" \
    "its id outlives it"
stop_smolserve

fails_now() { ! "$@"; }
# By a relay alone: the endpoint's own socket is on loopback, where no client
# comes, and none is told an address.
RELAY=http://$SSHD:3340/
relay() {
	spawn server /usr/bin/python3 "$SW_ROOT/tests/lib/iroh_relay.py" $SSHD 3340
	pid_relay=$!
	within 10 hears server 3340
}
relay || exit 1
start_smolserve -l iroh:127.0.0.1:4433 --iroh-relay $RELAY --remote-forward any || exit 1
like "$(sed -n 's/^listen iroh \([0-9a-z]*\) .*/\1/p' "$T/serve.out")" "$was" \
    "the same endpoint at a relay"
# relayed NAME WORDS...: a session of that name on client.
relayed() {
	s=$1; shift
	on client timeout 60 "$B/smolwrap" up -s "$s" -i "$KEY" \
	    --via "ssh+iroh://tester@$was" --iroh-relay $RELAY \
	    --known-hosts "$T/iroh_known" "$@"
}
in_session() { s=$1; shift; on client timeout 60 "$B/smolwrap" -s "$s" "$@"; }
PAGE=http://www.example.test
watch client
ok "smolwrap up, by the relay" relayed one --socks 1080 \
    -L 8000:www.example.test:80 -R 9000:127.0.0.1:70
like "$(in_session one curl -sS -m 20 $PAGE/)" "*the page of*" "a program"
in_session one curl -sS -m 50 -o "$T/10m" $PAGE/10m
ok "10 MiB" cmp "$T/10m" "$T/www/10m"
is "$(in_session one dig +short +time=5 +tries=2 @$WWW www.example.test A)" \
    $WWW "datagrams"
like "$(on client curl -sS -m 20 --socks5-hostname 127.0.0.1:1080 $PAGE/)" \
    "*the page of*" "SOCKS5"
like "$(on client curl -sS -m 20 http://127.0.0.1:8000/)" "*the page of*" "-L"
spawn client "$LIB/serve" "$T/client-log"
within 5 hears client 70
like "$(on server curl -sS -m 20 gopher://127.0.0.1:9000/0across)" \
    "you asked for *across*" "-R"
ok "a second client at the same time" relayed two --socks 1081
on client curl -sS -m 50 -o "$T/two" --socks5-hostname 127.0.0.1:1081 \
    $PAGE/10m &
job=$!
in_session one curl -sS -m 50 -o "$T/one" $PAGE/10m
wait $job
ok "both at once, 10 MiB each" sh -c "cmp '$T/one' '$T/www/10m' &&
    cmp '$T/two' '$T/www/10m'"
is "$(seen client | awk '$1 != "arp" && $1 != "icmp6"' |
    grep -v "^tcp $SSHD 3340 ")" "" "all of it by the relay"

# The relay goes, and comes back.
kill -KILL $pid_relay
ok "both sides look for it again" within 20 fails_now \
    in_session one curl -sS -m 2 $PAGE/
relay
ok "and find it" within 60 in_session one curl -sS -m 5 -o "$T/out" $PAGE/
like "$(cat "$T/out")" "*the page of*" "a page again"
ok "the other client too" within 60 on client curl -sS -m 5 -o "$T/out" \
    --socks5-hostname 127.0.0.1:1081 $PAGE/
on client "$B/smolwrap" down -s one; on client "$B/smolwrap" down -s two
within 20 no_sessions
stop_smolserve
is $? 0 "it ends in good order at a relay, too"
tap_end
