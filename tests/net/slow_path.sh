#!/bin/sh
# A path so slow that a server's questions wait behind its own bytes: nobody is
# taken for dead who still takes them, nor kept who does not.

# shellcheck disable=SC2034 # for net.sh
LINK_RATE_KBIT=512
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"

hosts && services small dns web || exit 1
product && [ -x "$B/smolserve" ] || skip_all "smolwrap is not built"
cp "$KEY.pub" "$T/serve_keys"
start_smolserve --keepalive 1 || exit 1
head -c 600000 "$T/www/1m" >"$T/www/long"

# shellcheck disable=SC2086 # SERVE_VIA is a list of words
on client "$B/smolwrap" up $SERVE_VIA --socks 1080
get() { on client curl -sS -m 120 --socks5-hostname 127.0.0.1:1080 "$@"; }
ok "a download that takes longer than three questions" \
    get -o "$T/long" http://www.example.test/long
ok "comes whole" cmp "$T/long" "$T/www/long"
is "$(on client "$B/smolwrap" status | grep '^sessions')" "sessions 1" \
    "by the connection that was there"

# The same, and then a client that reads no more, though its kernel does.
get -o "$T/long" http://www.example.test/long 2>/dev/null &
long=$!
sleep 1
# shellcheck disable=SC2046 # a list
kill -STOP $(sessions)
ok "who is silent is sent away" within 60 grep -q 'no answer' "$T/serve.log"
# shellcheck disable=SC2046
kill -KILL $(sessions)
wait $long
stop_smolserve
tap_end
