#!/bin/sh
# Datagrams over smolserve: through the SOCKS port, and from wrapped programs.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"

hosts && services small dns web || exit 1
product && [ -x "$B/smolserve" ] || skip_all "smolwrap is not built"
cp "$KEY.pub" "$T/serve_keys"
start_smolserve || exit 1
watch client

# shellcheck disable=SC2086 # SERVE_VIA is a list of words
spawn client "$B/smolwrap" $SERVE_VIA --socks 127.0.0.1:1081 sleep 60
job=$!
within 10 hears client 1081
cat >"$T/socks.py" <<'END'
# socks.py HOST PORT BYTES: an echo through SOCKS5's UDP ASSOCIATE.
import socket, struct, sys
host, port, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
s = socket.create_connection(("127.0.0.1", 1081))
s.sendall(b"\5\1\0")
s.recv(2)
s.sendall(b"\5\3\0\1" + bytes(6))
relay = struct.unpack(">H", s.recv(64)[-2:])[0]
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(5)
head = b"\0\0\0\3" + bytes([len(host)]) + host.encode() + struct.pack(">H", port)
data = bytes(i * 7 % 256 for i in range(size))
u.sendto(head + data, ("127.0.0.1", relay))
try:
    got = u.recv(70000)
except socket.timeout:
    sys.exit("nothing came back")
if not got.endswith(data):
    sys.exit("something else came back")
END
echoes() { on client /usr/bin/python3 "$T/socks.py" "$@"; }
ok "an echo by address" echoes $WWW 7 100
ok "an echo by name" echoes www.example.test 7 1000
ok "an echo by IPv6 address" echoes $WWW6 7 1000
ok "9,000 bytes in one datagram" echoes www.example.test 7 9000
ok "a datagram of nothing" echoes $WWW 7 0
fails "a private address is not reached" echoes 10.9.0.1 7 10
kill $job

is "$(via_smolserve dig +short +time=5 +tries=1 @$WWW www.example.test A)" $WWW \
    "dig at a server of its own choice"
cat >"$T/udp.py" <<'END'
# udp.py HOST PORT: what a connected socket hears, or its error.
import socket, sys
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(5)
try:
    u.connect((sys.argv[1], int(sys.argv[2])))
    u.send(b"hello")
    print(u.recv(100).decode())
except OSError as e:
    print(type(e).__name__)
END
wrapped_udp() { via_smolserve /usr/bin/python3 "$T/udp.py" "$@"; }
is "$(wrapped_udp $WWW 7)" hello "a wrapped program's echo by address"
is "$(wrapped_udp www.example.test 7)" hello "and by name"
# TFTP answers by a port that nobody has written to.
for host in www.example.test $WWW "[$WWW6]"; do
	like "$(via_smolserve curl -sS -m 20 "tftp://$host/index.html" 2>&1)" \
	    "*the page of*" "TFTP from $host"
done
# Another host is not heard.  Whoever has been written to tells both where.
cat >"$T/told.py" <<'END'
import socket, sys
a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
a.bind((sys.argv[1], 5550))
b.bind((sys.argv[2], 0))
here = a.recvfrom(10)[1]
b.sendto(b"a stranger", here)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"the same host", here)
a.sendto(b"the peer", here)
END
spawn inet /usr/bin/python3 "$T/told.py" $WWW 203.0.113.81
within 5 on inet grep -q ":15AE " /proc/net/udp
is "$(via_smolserve /usr/bin/python3 -c '
import socket, sys
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(5)
u.sendto(b"?", (sys.argv[1], 5550))
print(sorted(u.recv(100).decode() for _ in range(2)))
u.settimeout(1)
try: print(u.recv(100))
except socket.timeout: print("no more")' $WWW)" "['the peer', 'the same host']
no more" "a host that was written to is heard by all its ports, others are not"
is "$(wrapped_udp $WWW 4444)" ConnectionRefusedError "a port that nobody has"
is "$(via_smolserve /usr/bin/python3 -c '
import socket, sys
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(5)
u.sendto(b"200", (sys.argv[1], 5000))
n = 0
try:
    while n < 200:
        u.recv(2000)
        n += 1
except OSError:
    pass
print("enough" if n > 150 else n)' $WWW)" enough "a burst of 200 datagrams"
# A burst for a program that looks a second later: what waits for a socket of the
# kernel's own, bare on the server's host, waits for it here too.
cat >"$T/burst.py" <<'END'
# burst.py HOST: of 500 datagrams of 1,200 bytes, how many are kept.
import socket, sys, time
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(2)
u.sendto(b"500", (sys.argv[1], 5500))
time.sleep(1)
n = 0
try:
    while n < 500:
        u.recv(2000)
        n += 1
except OSError:
    pass
print(n)
END
cat >"$T/bursts.py" <<'END'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 5500))
while True:
    n, who = s.recvfrom(100)
    for i in range(int(n)):
        s.sendto(b"x" * 1200, who)
END
spawn inet /usr/bin/python3 "$T/bursts.py" $WWW
within 10 on inet grep -q ':157C ' /proc/net/udp
bare=$(on server /usr/bin/python3 "$T/burst.py" $WWW)
got=$(via_smolserve /usr/bin/python3 "$T/burst.py" $WWW)
diag "of 500 datagrams in a burst: bare $bare, wrapped $got"
ok "a burst of 500 is kept as well as by the kernel" [ "$got" -ge "$bare" ]
if ! isolation; then
	skip "no network namespaces or TUN devices here" "10 MB by HTTP/3"
elif services quic; then
	# By the kernel of its namespace, as a program without our library.
	SERVE_VIA="$SERVE_VIA --isolate always" via_smolserve \
	    env -u LD_PRELOAD gtlsclient -q --exit-on-all-streams-close \
	    --download="$T" www.example.test 4443 \
	    https://www.example.test:4443/10m >"$T/out" 2>&1
	ok "10 MB by HTTP/3" cmp "$T/10m" "$T/www/10m" || diag "$(cat "$T/out")"
else
	skip "gtlsserver is not installed" "10 MB by HTTP/3"
fi
is "$(strays client | grep -v '^tcp 10.9.0.1 2222 ')" "" \
    "nothing left beside the tunnel"
fails "destinations are in no log" grep -E "example.test|$WWW|$WWW6" \
    "$T/serve.log"

stop_smolserve
start_smolserve --no-udp || exit 1
# shellcheck disable=SC2086
spawn client "$B/smolwrap" $SERVE_VIA --socks 127.0.0.1:1081 sleep 60
within 10 hears client 1081
fails "--no-udp" echoes $WWW 7 100
tap_end
