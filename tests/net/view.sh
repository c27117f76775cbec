#!/bin/sh
# What programs are told that ask the kernel for interfaces, addresses and
# routes: the tunnel's, by the kernel itself; and what where it cannot be.

. "${0%/*}/../lib/net.sh"

hosts && services small dns || exit 1
product || skip_all "smolwrap is not built"
isolation || skip_all "no network namespaces or TUN devices here"
PY=/usr/bin/python3
[ -x $PY ] || skip_all "python3 is not installed"
watch client

is "$(wrapped ip -o link | sed 's/: <.*//')" "1: lo
2: tun0" "two devices"
is "$(wrapped ip route)" "default dev tun0 proto static " "one route"
for family in -4 -6; do
	like "$(wrapped ip $family -o addr)" "*lo *tun0 *" "addresses of both, $family"
done
is "$(wrapped ip addr | grep -c '10\.9\.')" 0 "and none of this machine's"
like "$(wrapped ip route get $WWW)" "$WWW dev tun0 src 100.64.*" \
    "the way to a destination"
like "$(wrapped ip -6 route get $WWW6)" "$WWW6 * dev tun0 * src fd73:*" \
    "the same over IPv6"
like "$(wrapped ip route get $NOBODY)" "*dev tun0*" "to one that is not there"

# As QUIC clients do it: ask for the route, bind to its source, connect.
cat >"$T/ask.py" <<'END'
import ctypes, os, socket, struct, sys
def ask(s, to):
    dst = socket.inet_aton(to)
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0)
    body += struct.pack("=HH", 8, 1) + dst
    s.send(struct.pack("=IHHII", 16 + len(body), 26, 1, 7, 0) + body)
    reply = s.recv(4096)
    at, end = 28, struct.unpack_from("=I", reply)[0]
    while at < end:
        n, kind = struct.unpack_from("=HH", reply, at)
        if kind == 7:
            return socket.inet_ntoa(reply[at + 4:at + 8])
        at += (n + 3) & ~3
netlink = lambda flags=0: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | flags, 0)
s = netlink()
source = ask(s, sys.argv[1])
c = socket.create_connection((sys.argv[1], 13), source_address=(source, 0))
print(c.recv(9).decode().strip(), c.getsockname()[0] == source)
# In a child, which has an address of its own, by that and by the parent's; flags.
if os.fork() == 0:
    mine = ask(netlink(), sys.argv[1])
    for at in mine, source:
        c = socket.create_connection((sys.argv[1], 13), source_address=(at, 0))
        print(c.recv(9).decode().strip(), c.getsockname()[0] == mine)
    print(mine == source)
    sys.stdout.flush()
    os._exit(0)
os.wait()
t = netlink(socket.SOCK_NONBLOCK)
try: t.recv(1)
except BlockingIOError: print("nonblocking")
libc = ctypes.CDLL(None)
for flag in 0, socket.SOCK_CLOEXEC:
    print(os.get_inheritable(libc.socket(socket.AF_NETLINK, socket.SOCK_RAW | flag, 0)))
END
asked="today True
today True
today True
False
nonblocking
True
False"
is "$(wrapped $PY "$T/ask.py" $WWW)" "$asked" "what it names can be bound to"
for stack in thread session; do
	# shellcheck disable=SC2086 # VIA is a list of words
	is "$(on client "$B/smolwrap" --stack $stack $VIA -- \
	    $PY "$T/ask.py" $WWW)" "$asked" "--stack $stack"
done
# shellcheck disable=SC2086
is "$(on client unshare -U --map-user=1000 --map-group=1000 "$B/smolwrap" \
    $VIA -- $PY "$T/ask.py" $WWW)" "$asked" "an ordinary user"
like "$(wrapped sh -c 'ip route get 1.1.1.1; chroot / ip route get 1.1.1.1')" \
    "*dev tun0*dev tun0*" "each process asks for itself"
ok "who answers ends with those who asked" within 5 no_sessions

# --- where the kernel gives none ------------------------------------------------
on client mount --bind /dev/null /dev/net/tun
like "$(SMOLWRAP_LOG=warn SMOLWRAP_LOG_FILE=$T/log \
    wrapped sh -c 'ip -o addr; ip -o addr')" "*10.9.0.2*" \
    "without TUN devices it is this machine's network"
within 5 no_sessions
is "$(grep -c 'told those of this machine' "$T/log")" 1 "which is noted, once"
is "$(strays client)" "" "the client sent SSH and no more"
tap_end
