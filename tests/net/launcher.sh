#!/bin/sh
# The launcher: exit statuses, host keys, sessions kept warm, published ports.

. "${0%/*}/../lib/net.sh"

hosts && services small dns web || exit 1
product || skip_all "smolwrap is not built"
watch client
SW=$B/smolwrap
# status WANTED DESCRIPTION COMMAND...
status() {
	want=$1 what=$2; shift 2
	"$@" >"$T/out" 2>"$T/err" </dev/null
	is $? "$want" "$what" || diag "$(cat "$T/out" "$T/err")"
}
one_line() {
	is "$(wc -l <"$T/err")" "$1" "$2" || diag "$(cat "$T/err")"
}

status 0 "true" wrapped true
one_line 0 "true says nothing"
status 3 "the program's status" wrapped sh -c 'exit 3'
status 143 "a signal's status" wrapped sh -c 'kill -TERM $$'
status 127 "no such program" wrapped no-such-program
one_line 1 "no such program: one line"
status 126 "not to be executed" wrapped /etc/passwd
one_line 1 "not to be executed: one line"
status 125 "no such option" on client "$SW" --no-such-option true
status 125 "no tunnel named" on client "$SW" true
status 125 "a tunnel that is none" on client "$SW" --via nonsense:x true
status 0 "--help" on client "$SW" --help
status 125 "no key" on client "$SW" --via ssh://tester@$SSHD -i "$T/none" \
    --known-hosts "$KNOWN" true

ssh-keygen -q -t ed25519 -N '' -f "$T/other_key"
: >"$T/empty"
printf '%s %s\n' $SSHD "$(cat "$T/other_key.pub")" >"$T/changed"
on client env HOME="$T/nohome" true
status 125 "an unknown host key is refused" on client "$SW" \
    --via ssh://tester@$SSHD -i "$KEY" --known-hosts "$T/empty" curl http://$WWW/
like "$(cat "$T/err")" "*SHA256:*" "the fingerprint is shown" ||
	diag "$(cat "$T/err")"
diag "$(cat "$T/err")"
status 125 "a changed host key is refused" on client "$SW" \
    --via ssh://tester@$SSHD -i "$KEY" --known-hosts "$T/changed" curl http://$WWW/
diag "$(cat "$T/err")"
is "$(cat "$T/out")" "" "and nothing was fetched"
mv "$HOME/.ssh" "$HOME/.ssh-away"
status 125 "a wrong user key is refused" on client "$SW" \
    --via ssh://tester@$SSHD -i "$T/other_key" --known-hosts "$KNOWN" true
mv "$HOME/.ssh-away" "$HOME/.ssh"
diag "$(cat "$T/err")"

# The program is the launcher's own process: pid, terminal, environment.
like "$(on client sh -c 'echo $$; exec "$0" "$@"' "$SW" $VIA -- \
    sh -c 'echo $$' | uniq | wc -l)" 1 "the program keeps the pid"
is "$(wrapped env | grep -c '^HOME=')" 1 "and the environment"
is "$(echo through | wrapped cat)" "through" "and stdin and stdout"

# --- where its stack runs ----------------------------------------------------
cat >"$T/tasks.py" <<-'END'
	import os, socket, sys
	s = socket.create_connection((sys.argv[1], 80))
	print(len(os.listdir("/proc/self/task")), "tasks")
END
is "$(wrapped /usr/bin/python3 "$T/tasks.py" $WWW)" "1 tasks" \
    "over SSH the session runs the stack: no thread in the program"
# shellcheck disable=SC2034 # `wrapped` reads it
STACK=thread
is "$(wrapped /usr/bin/python3 "$T/tasks.py" $WWW)" "2 tasks" \
    "--stack thread: one in the program does"
# shellcheck disable=SC2034
STACK=
ok "the session ends with the program" within 10 no_sessions

# Warm sessions.
status 0 "up" on client "$SW" up -s one $VIA
status 0 "status" on client "$SW" status -s one
diag "$(cat "$T/out")"
status 0 "a command by the session's name" on client "$SW" -s one -- \
    curl -sS http://www.example.test/
like "$(cat "$T/out")" "*the page of*" "it gets the page"
is "$(sessions | wc -l)" 1 "there is one session"
status 0 "down" on client "$SW" down -s one
ok "down ends it" within 10 no_sessions
status 1 "status of none" on client "$SW" status -s one

# Listening: loopback by default, the server's port when published.
wrapped sh -c 'echo $$ >"$0/pid"; cd "$0" && exec timeout 20 /usr/bin/python3 -m http.server 8080' \
    "$T/www" >"$T/out" 2>&1 &
job=$!
within 10 on client curl -s -m 2 -o "$T/out" http://127.0.0.1:8080/
like "$(on client curl -sS -m 5 http://127.0.0.1:8080/)" "*the page of*" \
    "a wrapped server is reached on loopback"
is "$(strays client)" "" "the client sent SSH and no more"
fails "and not by the client's address" \
    on server curl -sS -m 2 http://10.9.0.2:8080/
# The refusal of that is the client's own packet.
# shellcheck disable=SC2154 # set by watch
kill "$net_watch_client"
wait "$net_watch_client" 2>/dev/null
rm -f "$T/seen-client"
watch client
kill "$(cat "$T/www/pid")"; wait $job 2>/dev/null
ok "and it ends" within 10 no_sessions

on client "$SW" $VIA --publish 8080 -- sh -c \
    'echo $$ >"$0/pid"; cd "$0" && exec timeout 30 /usr/bin/python3 -m http.server 8080' \
    "$T/www" >"$T/out" 2>"$T/err" &
job=$!
within 10 on server curl -s -m 2 -o /dev/null http://127.0.0.1:8080/
like "$(on server curl -sS -m 5 http://127.0.0.1:8080/)" "*the page of*" \
    "a published port answers on the SSH server" || diag "$(cat "$T/err")"
like "$(on server curl -sS -m 5 http://127.0.0.1:8080/1m | wc -c)" 1048576 \
    "with all of a large file"
kill "$(cat "$T/www/pid")"; wait $job 2>/dev/null
ok "and it ends too" within 10 no_sessions
status 1 "listening may be denied" on client "$SW" $VIA --listen deny -- \
    /usr/bin/python3 -c 'import socket; s = socket.create_server(("", 8081))'

is "$(strays client)" "" "the client sent SSH and no more"

# What follows answers the local network, so it comes after that.
cat >"$T/wide.py" <<'END'
import os, socket, sys
for port, family in (8082, socket.AF_INET), (8083, socket.AF_INET6):
    s = socket.create_server(("", port), family=family,
        dualstack_ipv6=family == socket.AF_INET6)
    if os.fork() == 0:
        s.settimeout(20)
        c, peer = s.accept()
        c.sendall(b"from " + peer[0].encode())
        sys.exit()
out = socket.socket()
out.bind(("", 0))
out.connect((sys.argv[1], 7))
out.sendall(b"x")
print("wrapped still", out.recv(1))
os.wait(), os.wait()
END
on client timeout 30 "$SW" $VIA --listen open -- \
    /usr/bin/python3 "$T/wide.py" $WWW >"$T/out" 2>"$T/err" &
job=$!
within 10 hears client 8083
is "$(on server nc -w3 10.9.0.2 8082 </dev/null)" "from $SSHD" \
    "--listen open: the local network may connect"
like "$(on server nc -w3 10.9.0.2 8083 </dev/null)" "from ::ffff:$SSHD" \
    "by an IPv6 socket too"
wait $job
is "$(cat "$T/out")" "wrapped still b'x'" "and one that is bound dials the tunnel"
like "$(cat "$T/err")" "*can be reached from the local network*" "with a warning"

# --- what leads around it ----------------------------------------------------
# shellcheck disable=SC2086
like "$(on client env http_proxy=http://127.0.0.1:3128 "$SW" $VIA -- true 2>&1)" \
    "smolwrap: http_proxy names a proxy on this machine*" \
    "a proxy on loopback is warned of"
# shellcheck disable=SC2086
is "$(on client env http_proxy=http://127.0.0.1:3128 "$SW" $VIA --no-loopback \
    -- true 2>&1)" "" "unless it cannot be reached"
tap_end
