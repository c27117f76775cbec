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
tap_end
