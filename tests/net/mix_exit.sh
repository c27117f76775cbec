#!/bin/sh
# The exit of a mixnet on another host: its policy, and what it says about what
# it refuses.  Nodes on `server`, the program on `client`.
. "${0%/*}/../lib/net.sh"

plan 6
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

# network OPTION...: a network on server; $entry and $exit name its ends.
network() {
	rm -f "$T/node"
	spawn server sh -c 'exec "$0" "$@" >"$T/node"' "$B/smolnode" local \
	    -a "$SSHD" -t "$T/net.json" "$@"
	pid_node=$!
	within 20 grep -q ^topology "$T/node" || return 1
	entry=$(sed -n 's/^entry //p' "$T/node")
	exit=$(sed -n 's/^exit //p' "$T/node")
}
mix() {
	on client timeout 60 "$B/smolwrap" --via "mix:$T/net.json" \
	    --entry "$entry" --exit "$exit" --traffic raw -- \
	    python3 "$ask" "$@"
}

network -e || { fail "smolnode local"; exit 1; }
is "$(mix tcp "$WWW" 7)" hello "with -e every address is reached"
is "$(mix dns "$WWW" 53)" "$WWW" "a name server is, too"
is "$(mix tcp 10.0.0.1 22)" "Connection refused" "the exit itself serves DNS and nothing else"
kill "$pid_node"

network || { fail "smolnode local"; exit 1; }
case $(mix tcp "$WWW" 7) in
"Permission denied" | "No route to host" | "Network is unreachable")
	pass "without -e what is not public is refused, at once" ;;
*)	fail "without -e what is not public is refused, at once" ;;
esac
kill "$pid_node"
echo "accept $WWW:7" >"$T/policy"
network -e -f "$T/policy"
is "$(mix tcp "$WWW" 7)" hello "a policy file opens a port"
fails "and no other" sh -c 'case $1 in *:*) ;; *) false ;; esac' - \
    "$(mix tcp "$WWW" 13)"
tap_end
