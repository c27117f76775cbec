#!/bin/sh
# What OpenSSH does by configuration or by habit: questions whether one is
# there, keys renewed under load, agents, certificates, other host keys, jumps;
# on both sides. And that no log, at its most talkative, holds a destination.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"

hosts && services small dns web ssh || exit 1
product && [ -x "$B/smolserve" ] || skip_all "smolwrap is not built"
SW=$B/smolwrap U=http://www.example.test
page=$(cat "$T/www/index.html")
whole=$(sha256sum <"$T/www/10m")

# sshd again, as it is configured elsewhere.
sshd_with() {
	stop_sshd server
	start_sshd server "$@"
}
gets() {	# DESCRIPTION SMOLWRAP-WORDS...
	what=$1; shift
	is "$(on client timeout 60 "$SW" "$@" -- curl -sS -m 30 $U/ \
	    2>"$T/err")" "$page" "$what" || diag "$(cat "$T/err")"
}

# A client that asks smolserve every second, all the time.
cp "$KEY.pub" "$T/serve_keys"
start_smolserve -v || exit 1
ME=tester@$SSHD
spawn client ssh -F none -N -M -S "$T/master" -p 2222 -i "$KEY" \
    -o IdentitiesOnly=yes -o ServerAliveInterval=1 -o ServerAliveCountMax=2 \
    -o UserKnownHostsFile="$T/serve_known" $ME
master=$!
within 10 test -S "$T/master"

# --- smolwrap with sshd ---------------------------------------------------
sshd_with "ClientAliveInterval 1" "ClientAliveCountMax 2" "RekeyLimit 1M"
# shellcheck disable=SC2086 # a list of words
on client "$SW" up $VIA --socks 1080
by_socks() { on client curl -sS -m 60 --socks5-hostname 127.0.0.1:1080 "$@"; }
is "$(by_socks $U/10m | sha256sum)" "$whole" "10 MiB, the server's keys renewed"
on client timeout 60 "$SW" nc -N $WWW 9 <"$T/www/10m"
ok "and up" within 30 grep -q '^tcp 9 10485760 eof' "$T/serve-log"
sleep 4
is "$(on client "$SW" status | grep '^sessions')" "sessions 1" \
    "a server that asks every second is answered"
on client "$SW" down

sshd_with "AllowTcpForwarding no"
# shellcheck disable=SC2086
on client timeout 60 "$SW" $VIA -- curl -sS -m 20 http://$WWW/ >"$T/out" 2>&1
fails "a server that does not forward gives nothing" grep -q "page" "$T/out"

# The server prefers IPv6, and may be let to dial by name alone.
sshd_with "PermitOpen www.example.test:80"
# shellcheck disable=SC2086
is "$(on client timeout 60 "$SW" $VIA -- curl -4 -sS -m 30 $U/where)" \
    2001:db8::1 "a server that allows names alone is asked by name"

sshd_with "AuthenticationMethods publickey,publickey"
# shellcheck disable=SC2086
on client timeout 60 "$SW" $VIA true >"$T/out" 2>&1
is $? 125 "a server that wants two keys"
like "$(cat "$T/out")" "*takes the key and wants more*(publickey)*" "is told as one"

# Keys that only an agent holds, and one that only an authority vouches for;
# the usual files are away.
mv "$HOME/.ssh" "$T/ssh.away"
eval "$(ssh-agent -s -a "$T/agent")" >/dev/null
ssh-keygen -q -t ed25519 -N '' -f "$T/ca"
ssh-keygen -q -t ed25519 -N '' -f "$T/vouched"
ssh-keygen -q -s "$T/ca" -I me -n tester "$T/vouched.pub"
sshd_with "TrustedUserCAKeys $T/ca.pub"
TO="--via ssh://tester@$SSHD --known-hosts $KNOWN"
# shellcheck disable=SC2086 # a list of words
{
on client timeout 60 "$SW" $TO true >"$T/out" 2>&1
is $? 125 "no key"
like "$(cat "$T/out")" "*does not let user*ssh-add*" "and what to do"
ssh-add -q "$KEY"
gets "a key in the agent" $TO
ssh-add -q -D
mv "$T/authorized_keys" "$T/authorized_keys.away"
gets "a certificate beside its key" $TO -i "$T/vouched"
ssh-add -q "$T/vouched"
gets "a certificate in the agent" $TO
}
mv "$T/authorized_keys.away" "$T/authorized_keys"
mv "$T/ssh.away" "$HOME/.ssh"

# Another key answers when we come back: no more tries.
sshd_with "RekeyLimit default"
# shellcheck disable=SC2086
on client "$SW" up $VIA
stop_sshd server
mv "$T/host_key" "$T/host_key.away"
ssh-keygen -q -t ed25519 -N '' -f "$T/host_key" -C other
start_sshd server
failed() { on client "$SW" status | grep -q '^state failed'; }
ok "another host key after a loss ends it" within 40 failed
like "$(on client "$SW" status)" "*key*" "and status says so"
on client "$SW" down
mv "$T/host_key.away" "$T/host_key"

# --- OpenSSH with smolserve -----------------------------------------------
for i in 1 2 3 4 5 6; do
	ssh-keygen -q -t ed25519 -N '' -f "$T/wrong$i"
	[ $i != 1 ] || ssh-add -q -D
	ssh-add -q "$T/wrong$i"
done
ssh-add -q "$KEY"
like "$(printf 'GET / HTTP/1.0\r\n\r\n' | on client timeout 60 ssh -F none \
    -p 2222 -o UserKnownHostsFile="$T/serve_known" -W $WWW:80 $ME 2>&1)" \
    "*the page of*" "the seventh key of an agent"
like "$(on client timeout 60 ssh -F none -i "$KEY" \
    -o StrictHostKeyChecking=no -o UserKnownHostsFile="$T/any_known" \
    -o "ProxyCommand=ssh -F none -p 2222 -i $KEY -o UserKnownHostsFile=$T/serve_known -W %h:%p $ME" \
    tester@www.example.test echo inside 2>&1)" "*inside*" "a jump over smolserve"
over() { on client timeout 30 ssh -F none -S "$T/master" "$@" $ME; }
# What it does not serve is refused, and what is there goes on.
fails "a socket to listen on" over -O forward -R "$T/far.sock:localhost:80"
fails "a command" over true
ok "a client that asks every second is answered" kill -0 $master
like "$(printf 'GET / HTTP/1.0\r\n\r\n' | over -W $WWW:80)" "*the page of*" \
    "one more channel of a connection that several share"
kill $master

# --- the logs ---------------------------------------------------------------
# shellcheck disable=SC2086
SMOLWRAP_LOG=debug SMOLWRAP_LOG_FILE=$T/session.log on client timeout 60 "$SW" \
    $SERVE_VIA --socks 1080 -L 8000:www.example.test:80 -- sh -c "
	curl -sS -m 20 $U/; curl -sS -m 20 http://v4.example.test:81/
	curl -sS -m 20 http://neverland.test/
	curl -sS -m 20 -x socks5h://127.0.0.1:1080 $U/
	curl -sS -m 20 http://127.0.0.1:8000/
	dig +time=2 +tries=1 @$WWW www.example.test" >"$T/out" 2>"$T/err"
like "$(cat "$T/out")" "*the page of*" "everything is tried once more"
ok "a session talks" test -s "$T/session.log"
stop_smolserve
for log in session.log serve.log err; do
	grep -v '^curl:' "$T/$log" | grep -E "example\.test|$WWW|neverland" \
	    >"$T/told"
	is "$(cat "$T/told")" "" "no destination in $log"
done
ssh-agent -k >/dev/null
tap_end
