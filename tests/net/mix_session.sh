#!/bin/sh
# Programs over the mix tunnel: TCP, UDP, names and IPv6, many at once, and
# nothing but packets to the entry gateway leaves the client.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/mixnet.sh"

hosts && services small dns web || exit 1
product || skip_all "smolwrap is not built"
start_mixnet || exit 1
watch client

said() { wrapped "$@" 2>&1 </dev/null; }

# Pages, by name and address, both families.
like "$(said curl -sS -m 20 http://www.example.test/)" "*the page of*" \
    "a page by name"
like "$(said curl -sS -m 20 --cacert "$T/ca.crt" https://www.example.test/)" \
    "*the page of*" "a page over TLS"
like "$(said curl -sS -m 20 "http://$WWW/")" "*the page of*" \
    "a page by address"
like "$(said curl -sS -m 20 "http://[$WWW6]/")" "*the page of*" \
    "a page by IPv6 address"
is "$(said curl -6 -sS -m 20 -o /dev/null -w '%{remote_ip}' \
    http://www.example.test/)" "$WWW6" \
    "a name's IPv6 address is the real one"
is "$(said curl -4 -sS -m 20 -o /dev/null -w '%{remote_ip}' \
    http://www.example.test/)" "$WWW" "its IPv4 address too"
wrapped curl -sS -m 60 -o "$T/got" http://www.example.test/1m
ok "1 MiB arrives whole" cmp -s "$T/got" "$T/www/1m"

# Names.
is "$(said dig +short www.example.test)" "$WWW" "dig, UDP"
is "$(said dig +short +tcp www.example.test AAAA)" "$WWW6" "dig, TCP"
is "$(said dig +short "@$WWW" example.test TXT)" \
    '"hello from the far side"' "dig, a resolver of its own choice"
is "$(said getent ahostsv4 alias.example.test | awk 'NR == 1 { print $1 }')" \
    "$WWW" "getaddrinfo follows an alias"
is "$(said dig +short -x 203.0.113.80)" "www.example.test." "a reverse name"
wrapped getent hosts neverland.test >"$T/out" 2>&1
is $? 2 "an unknown name is unknown"

# Errors are the far side's.
wrapped curl -sS -m 20 "http://$WWW:5999/" >"$T/out" 2>&1
is $? 7 "a refused port is refused" || diag "$(cat "$T/out")"

# UDP: the echo port gives back what it gets.
cat >"$T/udp.py" <<'END'
import os, socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET,
    socket.SOCK_DGRAM)
if len(sys.argv) > 3:
    s.bind(("", int(sys.argv[3])))
s.settimeout(15)
data = b"x" * int(sys.argv[2])
s.sendto(data, (sys.argv[1], 7))
back, peer = s.recvfrom(65536)
os.write(1, ("%d %s %s\n" % (len(back), back == data, peer[0])).encode())
END
is "$(said python3 "$T/udp.py" "$WWW" 100)" "100 True $WWW" "UDP"
is "$(said python3 "$T/udp.py" "$WWW6" 1000)" "1000 True $WWW6" "UDP, IPv6"
is "$(said python3 "$T/udp.py" "$WWW" 5000)" "5000 True $WWW" \
    "a large datagram, in pieces both ways"
is "$(said python3 "$T/udp.py" "$WWW6" 5000)" "5000 True $WWW6" \
    "and over IPv6"
is "$(said python3 "$T/udp.py" "$WWW" 100 5353)" "100 True $WWW" \
    "from a port of its own choice"
is "$(said sh -c 'for i in 1 2 3 4 5 6 7 8; do
	python3 "$0" "$1" 4000 & done; wait' "$T/udp.py" "$WWW" | sort -u)" \
    "4000 True $WWW" "pieces of eight programs at once are not mixed up"

# A program with a port that another has: refused, not ignored.
cat >"$T/twice.py" <<'END'
import os, socket, sys
def one():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 5400))
    s.connect((sys.argv[1], 7))
    s.settimeout(15)
    return s
a = one()
a.send(b"first"); a.recv(100)
r, w = os.pipe()
if os.fork() == 0:
    b = one()
    try:
        b.send(b"second"); b.recv(100)
        os.write(w, b"heard")
    except OSError as e:
        os.write(w, type(e).__name__.encode())
    os._exit(0)
print(os.read(r, 100).decode())
END
like "$(said python3 "$T/twice.py" "$WWW")" "*Error" \
    "a port that another program has is refused"

# Many processes.
wrapped sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	curl -sS -m 60 http://www.example.test/ & done; wait' >"$T/out" 2>&1
is "$(grep -c "the page of" "$T/out")" 12 "twelve programs at once"
wrapped sh -c 'i=0; while [ $i -lt 25 ]; do
	curl -sS -m 20 http://www.example.test/ || exit 1
	i=$((i + 1)); done' >"$T/out" 2>&1
is "$(grep -c "the page of" "$T/out")" 25 "25 programs one after another"

# What a program has written when it ends still arrives.
: >"$T/serve-log"
wrapped python3 -c 'import os, socket, sys
s = socket.create_connection((sys.argv[1], 5003))
s.sendall(b"x" * 200000)
os._exit(0)' "$WWW"
within 20 grep -q 200000 "$T/serve-log"
like "$(cat "$T/serve-log")" "*200000*" "200,000 of 200,000 bytes at exit" ||
	diag "$(cat "$T/serve-log")"
like "$(said sh -c 'exec 3<>/dev/null; exec python3 -c "
import os, socket, sys
s = socket.create_connection((sys.argv[1], 80))
os.dup2(s.fileno(), 9)
os.execvp(\"sh\", [\"sh\", \"-c\", \"printf \\\"GET / HTTP/1.0\\\\r\\\\n\\\\r\\\\n\\\" >&9; cat <&9\"])" \
    "$0"' "$WWW")" "*the page of*" "a connection lives on through exec"

# --stack session: the session runs the flows.
like "$(on client "$B/smolwrap" $VIA --stack session -- \
    curl -sS -m 20 http://www.example.test/ 2>&1)" "*the page of*" \
    "with the stack in the session"

# What the mixnet cannot do is refused.
on client "$B/smolwrap" $VIA --publish 8080 -- true >"$T/out" 2>&1
is $? 125 "--publish is refused"
like "$(cat "$T/out")" "*cannot publish*mixnet*" "and says why"
on client "$B/smolwrap" --via "mix:$T/none.json" -- true >"$T/out" 2>&1
is $? 125 "a network file that is not there"
like "$(cat "$T/out")" "*none.json*" "is named"
echo '{}' >"$T/bad.json"
on client "$B/smolwrap" --via "mix:$T/bad.json" -- true >"$T/out" 2>&1
is $? 125 "a network file that is none"
diag "$(cat "$T/out")"

# Status.
on client "$B/smolwrap" up -s mix $VIA >"$T/out" 2>&1 || diag "$(cat "$T/out")"
on client "$B/smolwrap" status -s mix >"$T/status"
like "$(cat "$T/status")" "state up*tunnel mix*entry $ENTRY*mix-1 10.9.0.1:*" \
    "status shows the state and the route" || diag "$(cat "$T/status")"
is "$(grep -c -e "$WWW" -e example "$T/status")" 0 "and no destination"
on client "$B/smolwrap" down -s mix

is "$(mix_strays)" "" \
    "all that left the client went to its entry gateway"
# The network by its directory service, and the same client twice.
DIRECTORY=$(sed -n 's/^directory //p' "$T/mixnet")
by_directory() {
	on client "$B/smolwrap" --via mix: --directory "$DIRECTORY" \
	    --traffic raw --mix-identity "$T/identity" -- "$@" 2>&1 </dev/null
}
like "$(by_directory curl -sS -m 20 http://www.example.test/)" \
    "*the page of*" "mix: asks the directory service"
is "$(stat -c %a "$T/identity")" 600 "--mix-identity keeps it to its owner"
cp "$T/identity" "$T/identity.was"
like "$(by_directory curl -sS -m 20 http://www.example.test/)" \
    "*the page of*" "and uses it again"
is "$(head -n 2 "$T/identity")" "$(head -n 2 "$T/identity.was")" \
    "it is the same client"
like "$(on client "$B/smolwrap" --via mix: --directory http://10.9.0.1:9/ \
    -- true 2>&1)" "smolwrap: *" "a directory that is not there is told"
like "$(on client "$B/smolwrap" --proxy socks5://10.9.0.1:1080 $VIA -- \
    true 2>&1)" "*the proxy*Connection refused*" "a proxy that is not there is told"

# SSH inside the mixnet: the server sees the exit, the client only its gateway.
# shellcheck disable=SC2086
like "$(on client "$B/smolwrap" $VIA --via "ssh://tester@$SSHD" -i "$KEY" \
    --known-hosts "$KNOWN" -- curl -sS -m 30 http://www.example.test/ 2>&1)" \
    "*the page of*" "SSH through the mixnet"
is "$(seen client | awk '$3 == 22')" "" "no packet went to the SSH server itself"
# The proxy for programs that cannot be wrapped.
# shellcheck disable=SC2086
on client "$B/smolwrap" up -s mix $VIA --socks 1080 >"$T/out" 2>&1 ||
	diag "$(cat "$T/out")"
like "$(on client curl -sS -m 20 --socks5-hostname 127.0.0.1:1080 \
    http://www.example.test/ 2>&1)" "*the page of*" "--socks over the mixnet"
on client "$B/smolwrap" down -s mix
ok "no session is left" within 15 no_sessions
tap_end
