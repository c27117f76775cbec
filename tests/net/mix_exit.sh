#!/bin/sh
# The exit of a mixnet on another host: its policy, and what it says about what
# it refuses.  Nodes on `server`, the program on `client`.
. "${0%/*}/../lib/net.sh"

plan 17
product || skip_all "smolwrap is not built"
hosts && services small dns || { fail "hosts"; exit 1; }
ask=$T/ask.py
cat >"$ask" <<'E2'
import socket, struct, sys, time
what, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
if what == "dns":
    q = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0)
    q += b"\3www\7example\4test\0" + struct.pack(">HH", 1, 1)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(20)
    s.sendto(q, (host, port))
    a = s.recv(600)
    print(socket.inet_ntoa(a[-4:]) if a[:2] == b"\0\7" else a)
elif what == "ports":
    # The server tells the port it sees, at each of its two addresses.
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(20)
    seen = set()
    for a in host, sys.argv[4]:
        s.sendto(b"port", (a, port))
        seen.add(s.recvfrom(100)[0])
    print(len(seen))
elif what == "strangers":
    # Two answer: the server's other address, then its other port.
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(20)
    s.sendto(b"all", (host, port))
    data, peer = s.recvfrom(100)
    print(data.decode(), peer[0] == host, peer[1] == port)
elif what == "names":
    print(len(socket.getaddrinfo(host, port, socket.AF_INET,
                                 socket.SOCK_STREAM)))
elif what == "refused":
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(20)
    s.connect((host, port))
    try:
        s.send(b"anybody?")
        s.recv(100)
    except OSError as e:
        print(e.strerror or e)
else:
    begin = time.monotonic()
    try:
        s = socket.create_connection((host, port), timeout=20)
        s.sendall(b"hello\n")
        print(s.recv(100).decode().strip())
    except OSError as e:
        print(e.strerror or e)
    if time.monotonic() - begin > 10:
        print("slow")
E2

# greedy.py HOST FOLDER: as many connections and ports as it gets, until told to
# end.  patient.py HOST ADDRESS FOLDER: a port that is used before and after.
cat >"$T/greedy.py" <<'E2'
import asyncio, os, socket, sys, time
async def one(host):
    r, w = await asyncio.wait_for(asyncio.open_connection(host, 7), 20)
    w.write(b"mine\n")
    await asyncio.wait_for(r.readline(), 20)
    return w
async def main(host, folder):
    got = await asyncio.gather(*[one(host) for _ in range(300)],
                               return_exceptions=True)
    ports = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
             for _ in range(400)]
    for s in ports:
        s.sendto(b"mine", (host, 9))
    held = sum(not isinstance(g, Exception) for g in got)
    with open(folder + "/held.new", "w") as f:
        f.write("%d" % held)
    os.rename(folder + "/held.new", folder + "/held")
    while not os.path.exists(folder + "/enough"):
        await asyncio.sleep(0.1)
asyncio.run(main(*sys.argv[1:]))
E2
cat >"$T/patient.py" <<'E2'
import os, socket, sys, time
host, folder = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
def port():
    s.sendto(b"port", (host, 7777))
    return s.recvfrom(100)[0]
was = port()
open(folder + "/waits", "w").close()
while not os.path.exists(folder + "/held"):
    time.sleep(0.1)
print(port() == was)
E2

# Two addresses and a second port, all of them speaking.
cat >"$T/udp.py" <<'E2'
import select, socket, sys
def port(a, p):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((a, p))
    return s
one, two = port(sys.argv[1], 7777), port(sys.argv[2], 7777)
three = port(sys.argv[1], 7778)
open(sys.argv[3], "w").close()
while True:
    for s in select.select([one, two], [], [])[0]:
        data, peer = s.recvfrom(100)
        if data == b"port":
            s.sendto(b"%d" % peer[1], peer)
        else:
            two.sendto(b"a stranger", peer)
            three.sendto(b"another port", peer)
E2

# network OPTION...: a network on server; $entry and $exit name its ends.  It has
# few descriptors, so that there is something to compete for.
network() {
	rm -f "$T/node"
	spawn server sh -c 'ulimit -n 700; exec "$0" "$@" >"$T/node"' \
	    "$B/smolnode" local \
	    -a "$SSHD" -t "$T/net.json" "$@"
	pid_node=$!
	within 20 grep -q ^topology "$T/node" || return 1
	entry=$(sed -n 's/^entry //p' "$T/node")
	exit=$(sed -n 's/^exit //p' "$T/node")
}
run() {
	on client timeout 90 "$B/smolwrap" --via "mix:$T/net.json" \
	    --entry "$entry" --exit "$exit" --traffic raw -- python3 "$@"
}
mix() { run "$ask" "$@"; }

network -e || { fail "smolnode local"; exit 1; }
is "$(mix tcp "$WWW" 7)" hello "with -e every address is reached"
is "$(mix dns "$WWW" 53)" "$WWW" "a name server is, too"
is "$(mix tcp 10.0.0.1 22)" "Connection refused" "the exit itself serves DNS and nothing else"
spawn inet python3 "$T/udp.py" "$WWW" 203.0.113.81 "$T/udp-up"
within 10 test -e "$T/udp-up" || fail "the UDP server"
is "$(mix ports "$WWW" 7777 203.0.113.81)" 1 \
    "a port is the same one to all its peers"
is "$(mix strangers "$WWW" 7777)" "another port True False" \
    "who was written to may answer from another port, nobody else"
is "$(mix refused "$WWW" 7779)" "Connection refused" \
    "a closed port is told"

# An answer that a datagram does not hold is asked for again over TCP.
watch server eth1
is "$(mix names www.example.test 80)" 1 "a name"
is "$(seen server | awk '$1 == "tcp" && $3 == 53')" "" "is asked for by UDP"
is "$(mix names many.example.test 80)" 16 "a name of a hundred addresses, the first of them,"
ok "is asked for by TCP, too" sh -c 'echo "$1" | grep -q "^tcp $2 53 "' - \
    "$(seen server)" "$WWW"

# A client that takes all it can get, beside others that are there or come.
run "$T/patient.py" "$WWW" "$T" >"$T/patient" 2>&1 &
patient=$!
within 30 test -e "$T/waits"
run "$T/greedy.py" "$WWW" "$T" >"$T/greedy" 2>&1 &
greedy=$!
within 60 test -e "$T/held" || diag "$(cat "$T/greedy")"
is "$(cat "$T/held")" 175 "one client gets half of the exit's streams"
is "$(mix tcp "$WWW" 7)" hello "another one what it needs"
wait $patient
is "$(cat "$T/patient")" True "and a port that was there before is left alone"
: >"$T/enough"
wait $greedy
kill "$pid_node"

network || { fail "smolnode local"; exit 1; }
case $(mix tcp "$WWW" 7) in
"Permission denied" | "No route to host" | "Network is unreachable")
	pass "without -e what is not public is refused" ;;
*)	fail "without -e what is not public is refused" ;;
esac
kill -USR1 "$pid_node"
ok "and counted" within 10 grep -q "^routed .* refused [1-9]" "$T/node"
kill "$pid_node"
echo "accept $WWW:7" >"$T/policy"
network -e -f "$T/policy"
is "$(mix tcp "$WWW" 7)" hello "a policy file opens a port"
fails "and no other" sh -c 'case $1 in *:*) ;; *) false ;; esac' - \
    "$(mix tcp "$WWW" 13)"
tap_end
