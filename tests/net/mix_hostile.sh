#!/bin/sh
# What nobody should send to a mix, and key files that are none: dropped,
# counted and said.
# shellcheck disable=SC2154 # set through eval
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/mixnet.sh"

product || skip_all "smolwrap is not built"
plan 15
hosts && services small dns web || { fail "hosts"; exit 1; }
start_mixnet || { fail "smolnode local"; exit 1; }
mix=$(sed -n 's/^mix //p' "$T/mixnet" | head -n 1)

# count NAME: of the first node, which is the mix, at the last asking.
counts() {
	before=$(grep -c ^counts "$T/mixnet")
	kill -USR1 "$pid_mixnet"
	within 10 sh -c '[ "$(grep -c ^counts "$1")" -ge $(($2 + 5)) ]' - \
	    "$T/mixnet" "$before"
	grep ^counts "$T/mixnet" | tail -n 5 | head -n 1 >"$T/counts"
}
count() { sed "s/.* $1 \([0-9]*\).*/\1/" "$T/counts"; }
fetch() {
	# shellcheck disable=SC2086
	on client timeout 60 "$B/smolwrap" $VIA -- curl -sS -m 25 \
	    "http://$WWW/" | grep -q "the page of"
}

# Each kind goes over a connection of its own.  A frame: version, size, type,
# rotation, packet.
cat >"$T/send.py" <<'E2'
import os, socket, sys
host, port = sys.argv[1].rsplit(":", 1)
packet = os.urandom(2413)
kinds = {
    "good": [b"\x08\x01\x00\x00" + packet] * 3,
    "old": [b"\x07\x01\x00" + packet],
    "ack": [b"\x08\x02\x00\x00" + os.urandom(386)],
    "size": [b"\x08\x09\x00\x00" + packet],
    "oversized": [b"\x08\x01\x00\x00" + packet + bytes(100000)],
    "version": [b"\x63\x01\x00\x00" + packet],
    "truncated": [b"\x08\x01\x00\x00" + packet[:1000]],
    "text": [b"GET / HTTP/1.1\r\n\r\n"],
}
s = socket.create_connection((host, int(port)), 10)
s.settimeout(10)
try:
    for frame in kinds[sys.argv[2]]:
        s.sendall(frame)
    s.shutdown(socket.SHUT_WR)
    s.recv(1)
except TimeoutError:
    raise
except OSError:                 # it has closed, in the middle
    pass
E2
send() { on server python3 "$T/send.py" "$mix" "$1"; }

ok "a page" fetch
counts
is "$(count bad-mac) $(count bad-frames)" "0 0" "and nothing was dropped"
ok "packets for nobody's key" send good
ok "of the older form, too" send old
ok "and the size of an ack" send ack
counts
is "$(count bad-mac)" 5 "are counted"
ok "a size that there is not" send size
ok "more than a packet" send oversized
ok "a version that there is not" send version
ok "another protocol" send text
counts
is "$(count bad-frames)" 4 "end the connection, and are counted"
send truncated
ok "and the network goes on" fetch

"$B/smolnode" identity -k "$T/keys" >/dev/null
chmod 644 "$T/keys"
like "$("$B/smolnode" identity -k "$T/keys" 2>&1)" "*nobody else's to read*" \
    "a key file that others can read is refused"
chmod 600 "$T/keys"
head -c 200 "$T/keys" >"$T/half"
chmod 600 "$T/half"
like "$("$B/smolnode" identity -k "$T/half" 2>&1)" "*damaged*" \
    "one that is cut short, too"
cp "$T/half" "$T/was"
"$B/smolnode" identity -k "$T/half" >/dev/null 2>&1
ok "and it is left as it was" cmp "$T/half" "$T/was"
tap_end
