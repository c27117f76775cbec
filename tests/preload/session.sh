#!/bin/sh
# The session: up, down and status; many processes; how it ends, and what its
# death does to programs. Prints what a warm start costs.

# shellcheck disable=SC2086,SC2016,SC2154,SC1091 # VIA is a list of words; the
# quoted dollars are for inner shells
. "${0%/*}/../lib/net.sh"

SW=$B/smolwrap

hosts && services small dns || exit 1
# The kernel keeps 15 letters of a name; here nobody reaps the dead.
sessions() { ps -C smolwrap-sessio -o stat= | grep -c -v Z; }
no_session() { [ "$(sessions)" = 0 ]; }
key() { on client "$SW" status | sed -n "s/^$1 //p"; }
# A program that holds a connection to the echo server: says "up", then waits;
# afterwards it asks again for a name that it has just looked up.
cat >"$T/hold.py" <<'END'
import socket, sys
s = socket.create_connection((sys.argv[1], 7), 20)
s.settimeout(20)
s.sendall(b"x")
assert s.recv(1) == b"x"
def look_up():
    try:
        return socket.getaddrinfo("www.example.test", 7) and "found"
    except socket.gaierror:
        return "no name"
print(look_up(), "and up", flush=True)
try:
    print("end" if s.recv(1) == b"" else "data")
except OSError as e:
    print(type(e).__name__)
try:
    socket.create_connection((sys.argv[1], 7), 20)
    print("connected")
except OSError as e:
    print("refused")
print(look_up())
END

# --- unnamed -------------------------------------------------------------
wrapped true
ok "an unnamed session ends with its program" within 5 no_session
is "$(find "$T/run/smolwrap" -type s | wc -l)" 0 "and leaves no socket"
wrapped sh -c 'sleep 1 & exit 3'
is $? 3 "a program that leaves a child behind"
is "$(sessions)" 1 "the session outlives it, for the child"
ok "and ends with the child" within 5 no_session
is "$(wrapped python3 -c "
import os
os.closerange(3, 65536)
import socket
s = socket.create_connection(('$WWW', 7), 10)
s.sendall(b'hi'); print(s.recv(2).decode())")" hi \
    "a program that closed every descriptor reaches it again"

on client env SMOLWRAP_LOG=debug SMOLWRAP_LOG_FILE="$T/log" "$SW" $VIA python3 -c "
import socket
socket.create_connection(('$WWW', 7), 10).sendall(b'the payload')
try: socket.getaddrinfo('some.name.test', 80)
except OSError: pass" 2>"$T/err"
ok "the log is written" grep -q "tunnel: up" "$T/log"
is "$(cat "$T/log" "$T/err" | grep -c -F -e "$WWW" -e "$SSHD" -e some.name \
    -e payload -e "$KEY")" 0 "and holds no destination, name, key or payload"

# --- named ---------------------------------------------------------------
is "$(on client "$SW" status; echo $?)" "state none
1" "status without a session"
on client "$SW" down 2>/dev/null
is $? 1 "down without a session"
# shellcheck disable=SC2086 # VIA is a list of words
{
ok "up" on client "$SW" up $VIA
fails "up, twice" on client "$SW" up $VIA
ok "up -s other" on client "$SW" up -s other $VIA
}
is "$(key state)" up "status: state"
is "$(key name)" default "status: name"
is "$(on client "$SW" -s nosuch true 2>&1)" 'smolwrap: session "nosuch" is not up; start it with "smolwrap up -s nosuch --via ..."' "a session that is not up"
is "$(on client "$SW" status | grep -c -F -e "$SSHD" -e "$WWW")" 0 \
    "status shows no destination"
is "$(on client "$SW" echo warm)" warm "the default session is used"
is "$(on client "$SW" -s other echo warm)" warm "a session by its name"
on client "$SW" true; on client "$SW" sh -c 'kill -9 $$' 2>/dev/null
is "$(key state)" up "it stays when programs end or die"
is "$(on client "$SW" sh -c "$SW echo inner")" inner "nested use"
is "$(on client "$SW" sh -c "$SW --via ssh://x true" 2>&1)" \
    "smolwrap: cannot make another tunnel from inside a wrapped program" \
    "no tunnel inside a tunnel"
is "$(on client "$SW" sh -c "$SW up -s more --via ssh://x" 2>&1)" \
    "smolwrap: cannot make another tunnel from inside a wrapped program" \
    "not even one to keep"
like "$(on client "$SW" --publish 8080 true 2>&1)" \
    "smolwrap: cannot add --publish to a session that is up*" \
    "a session publishes what it was told when it was made"
for option in "-i $KEY" "--known-hosts $KNOWN" "--dns 192.0.2.1" --no-drain \
    --wait; do
	# shellcheck disable=SC2086 # an option and its value
	like "$(on client "$SW" $option true 2>&1)" \
	    "smolwrap: cannot give --* to a session that is up already*" \
	    "${option%% *} is not silently ignored by a session that is up"
done

# --- many processes ------------------------------------------------------
cat >"$T/Makefile" <<END
all: $(seq -s ' ' 1 40) ;
Makefile: ;
%:
	@python3 -c "import os, socket; s = socket.create_connection(('$WWW', 7), 20); s.sendall(b'\$@'); os.write(1, s.recv(9) + b'\n')"
END
is "$(on client "$SW" make -s -j 8 -C "$T" | sort -n | tail -n 1)" 40 \
    "make -j: every process has the session"
on client "$SW" make -s -j 8 -C "$T" >"$T/served" 2>"$T/unserved"
is "$(wc -l <"$T/served")" 40 "and each is served" ||
    diag "$(cat "$T/unserved")"
is "$(on client "$SW" sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do
	(sh -c "echo \$(echo x)") | cat; done | wc -l')" 10 "pipes of shells"
ok "nothing is left attached" within 5 sh -c \
    "[ \"\$(nsenter -t $net_pid_client -n -m $SW status | grep -c '^processes 0')\" = 1 ]"
is "$(key flows)" 0 "no flow is left"

# --- a folder that others could use ---------------------------------------
chmod 755 "$T/run/smolwrap"
is "$(on client "$SW" true 2>&1; echo $?)" \
    "smolwrap: cannot trust \"$T/run/smolwrap\": it must be this user's alone, and its folder's mode 0700
125" "a folder open to others is not trusted"
chmod 700 "$T/run/smolwrap"

# --- nonsense over the control channel ------------------------------------
if [ -x "$B/tests/probes/control" ]; then
	ok "malformed messages" on client "$B/tests/probes/control" \
	    "$T/run/smolwrap/default"
	is "$(key state)" up "the session is unmoved"
fi

# --- warm start ------------------------------------------------------------
cat >"$T/warm.sh" <<'END'
n=200 sw=$1
ns() { date +%s%N; }
t=$(ns); for i in $(seq $n); do env true; done
u=$(ns); for i in $(seq $n); do "$sw" true; done
v=$(ns)
echo "env true $(((u - t) / n / 1000)) us, smolwrap true $(((v - u) / n / 1000)) us"
END
on client "$SW" true && diag "warm start, mean: $(on client sh "$T/warm.sh" "$SW")"

# --- death -----------------------------------------------------------------
on client "$SW" -s other python3 "$T/hold.py" $WWW >"$T/held" 2>&1 &
within 10 grep -q up "$T/held"
ok "down" on client "$SW" down -s other
within 10 sh -c "[ \$(wc -l <$T/held) -ge 4 ]"
is "$(cat "$T/held")" "found and up
ConnectionResetError
refused
no name" "down: a program hears of it, and gets no further"
rm "$T/held"			# or the last one's "up" would be taken for ours
on client "$SW" python3 "$T/hold.py" $WWW >"$T/held" 2>&1 &
within 10 grep -q up "$T/held"
pkill -KILL -x smolwrap-sessio
within 10 sh -c "[ \$(wc -l <$T/held) -ge 4 ]"
is "$(cat "$T/held")" "found and up
ConnectionResetError
refused
no name" "a session that is killed: the same"
# shellcheck disable=SC2086
ok "up again, over a dead session's socket" on client "$SW" up $VIA
pkill -TERM -x smolwrap-sessio
ok "SIGTERM ends it" within 5 no_session

tap_end
