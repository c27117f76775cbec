#!/bin/sh
# Who may log in to smolserve, what for, and what it takes to be let in at all:
# authorized_keys, certificates, policy, limits, reload, an upstream proxy.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"

hosts && services small dns web || exit 1
[ -x "$B/smolserve" ] || skip_all "smolserve is not built"
ME=tester@$SSHD
pub=$(cat "$KEY.pub")

# try [HOST:PORT] [WORDS...]: the page, or why not.
try() {
	to=${1:-$WWW:80}
	[ $# -eq 0 ] || shift
	printf 'GET / HTTP/1.0\r\n\r\n' | openssh "$@" -W "$to" $ME 2>&1 |
	    tr -d '\r' | grep -oE 'the page of|prohibited|Permission denied' |
	    head -n 1
}
keys_are() {
	printf '%s\n' "$@" >"$T/serve_keys"
	kill -HUP "$pid_smolserve"
	reloads=$((reloads + 1))
	within 5 sh -c "[ \$(grep -cE 'read again|nothing was' '$T/serve.log') \
	    -ge $reloads ]"
}
reloads=0
echo "$pub" >"$T/serve_keys"
start_smolserve || exit 1
is "$(try)" "the page of" "a plain line"
for options in 'restrict' 'no-port-forwarding' 'permitopen="www.example.test:80"' \
    "permitopen=\"$WWW:81\"" 'port-forwarding,restrict'; do
	keys_are "$options $pub"
	is "$(try)" prohibited "$options"
done
for options in 'restrict,port-forwarding' "permitopen=\"$WWW:80\"" \
    "permitopen=\"$WWW:*\",no-pty" 'expiry-time="20990101"' \
    'from="10.9.0.0/24"' 'from="!10.9.0.3,10.9.*"' \
    'command="echo \"x\"",environment="A=b"'; do
	keys_are "$options $pub"
	is "$(try)" "the page of" "$options"
done
for options in 'expiry-time="20200101"' 'from="10.8.0.0/16"' \
    'from="!10.9.0.2,10.9.0.0/24"' 'cert-authority'; do
	keys_are "$options $pub"
	is "$(try)" "Permission denied" "$options"
done

# A broken file changes nothing.
keys_are "$pub"
keys_are "no-such-option $pub"
is "$(try)" "the page of" "a broken file is not taken"
like "$(cat "$T/serve.log")" "*serve_keys:1: unknown option*nothing was changed*" \
    "and its line is named"
keys_are "$pub"

# Keys of every kind.
for kind in "ecdsa 256" "ecdsa 384" "ecdsa 521" "rsa 3072" ed25519; do
	# shellcheck disable=SC2086 # two words
	set -- $kind
	rm -f "$T/k" "$T/k.pub"
	ssh-keygen -q -t "$1" ${2:+-b "$2"} -N '' -f "$T/k"
	keys_are "$(cat "$T/k.pub")"
	is "$(printf 'GET / HTTP/1.0\r\n\r\n' | openssh_as "$T/k" -W $WWW:80 \
	    $ME 2>&1 | grep -o 'the page of')" "the page of" "a key: $kind"
done

# Certificates.
ssh-keygen -q -t ecdsa -N '' -f "$T/ca"
ssh-keygen -q -t rsa -b 3072 -N '' -f "$T/ca_rsa"
cert() {
	by=$1; shift
	rm -f "$KEY-cert.pub"
	ssh-keygen -q -s "$by" -I "who" "$@" "$KEY.pub" 2>"$T/out" ||
		diag "$(cat "$T/out")"
}
keys_are "cert-authority $(cat "$T/ca.pub")" \
    "cert-authority,principals=\"ops,dev\" $(cat "$T/ca_rsa.pub")"
is "$(try)" "Permission denied" "no certificate"
cert "$T/ca" -n tester
is "$(try)" "the page of" "a certificate for the user"
cert "$T/ca" -n somebody
is "$(try)" "Permission denied" "for another"
cert "$T/ca"
is "$(try)" "Permission denied" "for nobody by name"
cert "$T/ca_rsa" -n x,dev
is "$(try)" "the page of" "for a principal of the line, by RSA"
cert "$T/ca_rsa" -n tester
is "$(try)" "Permission denied" "for none of them"
cert "$T/ca" -n tester -V 20200101:20200201
is "$(try)" "Permission denied" "expired"
cert "$T/ca" -n tester -V 20900101:20910101
is "$(try)" "Permission denied" "not yet valid"
cert "$T/ca" -n tester -O source-address=10.8.0.0/16
is "$(try)" "Permission denied" "for another address"
cert "$T/ca" -n tester -O source-address=10.9.0.0/24,192.0.2.1/32
is "$(try)" "the page of" "for this address"
cert "$T/ca" -n tester -O force-command=/bin/true
is "$(try)" "Permission denied" "for a command"
cert "$T/ca" -n tester -O critical:new@example.test=x
is "$(try)" "Permission denied" "an unknown critical option"
cert "$T/ca" -n tester -O extension:new@example.test=x
is "$(try)" "the page of" "an unknown extension"
cert "$T/ca" -n tester -O clear
is "$(try)" prohibited "without permit-port-forwarding"
cert "$T/ca" -h -n tester
is "$(try)" "Permission denied" "a host's certificate"
cert "$T/host_key" -n tester
is "$(try)" "Permission denied" "of an unknown authority"
# What a line says of an authority holds for those that it signed for.
cert "$T/ca" -n tester
for options in 'from="10.8.0.0/16"' 'expiry-time="20200101"' 'principals="ops"'; do
	keys_are "cert-authority,$options $(cat "$T/ca.pub")"
	is "$(try)" "Permission denied" "an authority with $options"
done
keys_are "cert-authority,permitopen=\"$WWW:81\" $(cat "$T/ca.pub")"
is "$(try)" prohibited "and with permitopen"
keys_are "cert-authority,from=\"10.9.0.0/24\",expiry-time=\"20990101Z\" \
    $(cat "$T/ca.pub")"
is "$(try)" "the page of" "or lets them in"
rm -f "$KEY-cert.pub"
ssh-keygen -q -s "$T/ca" -I who -n tester -z 7 "$KEY.pub" 2>/dev/null
try >"$T/out"
like "$(cat "$T/serve.log")" "*result=accept key_fingerprint=$(ssh-keygen \
    -l -f "$KEY" | cut -d' ' -f2) serial=7*" \
    "the log names the key inside, and the serial number"
rm -f "$KEY-cert.pub"

keys_are "$pub"
stop_smolserve

# Keys that are revoked: as they are, in certificates, as authorities.
: >"$T/revoked"
start_smolserve --revoked-keys "$T/revoked" || exit 1
revoked_are() { cat "$@" >"$T/revoked"; keys_are "$pub" "cert-authority $(cat "$T/ca.pub")"; }
revoked_are /dev/null
is "$(try)" "the page of" "nothing is revoked"
revoked_are "$KEY.pub"
is "$(try)" "Permission denied" "a revoked key"
cert "$T/ca" -n tester
is "$(try)" "Permission denied" "a certificate for it"
like "$(cat "$T/serve.log")" '*reason="key revoked"*' "and the log says so"
keys_are "cert-authority $(cat "$T/ca.pub")"
cat "$T/ca.pub" >"$T/revoked"
keys_are "cert-authority $(cat "$T/ca.pub")"
is "$(try)" "Permission denied" "a certificate of a revoked authority"
like "$(cat "$T/serve.log")" '*reason="authority revoked"*' "which the log says"
ssh-keygen -q -k -f "$T/krl" "$KEY.pub" >"$T/out"
cat "$T/krl" >"$T/revoked"
keys_are "$pub"
like "$(cat "$T/serve.log")" "*a binary list of revocations*nothing was changed*" \
    "a list in ssh-keygen's format is refused, not passed over"
rm -f "$KEY-cert.pub"
stop_smolserve

# Ports that clients listen on.  listens BIND:PORT: or why not.
start_smolserve --remote-forward any || exit 1
stay() {			# its pid is $!, its words in client-ssh.log
	: >"$T/client-ssh.log"
	spawn client ssh -F none -p 2222 -i "$KEY" -o IdentitiesOnly=yes \
	    -o UserKnownHostsFile="$T/serve_known" -o ExitOnForwardFailure=yes \
	    -v -N "$@" $ME
}
deaf() { ! hears "$@"; }
listens() {
	stay -R "$1:127.0.0.1:70"
	job=$!
	within 10 grep -qE 'remote forward success|forwarding failed' \
	    "$T/client-ssh.log"
	kill $job 2>/dev/null
	wait $job 2>/dev/null
	within 5 deaf server 8003
	grep -oE 'remote forward success|forwarding failed' \
	    "$T/client-ssh.log" | head -n 1 | sed 's/.* //'
}
keys_are "$pub"
is "$(listens 8003)" success "a port"
is "$(listens 0)" success "any port"
keys_are "permitlisten=\"8003\" $pub"
is "$(listens 8003)" success "permitlisten with a port: that one"
is "$(listens 8004)" failed "no other"
is "$(listens 0)" failed "and not any"
keys_are "permitlisten=\"localhost:8003\" $pub"
is "$(listens localhost:8003)" success "permitlisten with a name and a port"
is "$(listens 10.9.0.1:8003)" failed "not on another address"
is "$(listens '*:8003')" failed "nor on all of them"
keys_are "permitlisten=\"*:8003\" $pub"
is "$(listens 10.9.0.1:8003)" success "permitlisten with any name"
keys_are "permitlisten=\"localhost:*\" $pub"
is "$(listens localhost:0)" success "permitlisten with any port"
keys_are "restrict $pub"
is "$(listens 8003)" failed "restrict"
keys_are "$pub"
# Sockets with a path are refused in either direction.
is "$(listens /tmp/a-path)" failed "no socket with a path to listen on"
stay -L 8009:/run/some.sock
job=$!
within 10 hears client 8009
on client perl -MIO::Socket::INET -e '
	$s = IO::Socket::INET->new("127.0.0.1:8009"); 1 while sysread $s, $_, 99'
within 5 grep -q 'open failed' "$T/client-ssh.log"
like "$(tr -d '\r' <"$T/client-ssh.log")" "*open failed: unknown channel type: this server only forwards*" \
    "nor one to open, and why"
kill $job
stop_smolserve

# Policy.
start_smolserve --allow "$WWW:80" --deny '*' || exit 1
is "$(try $WWW:80)" "the page of" "an allowed address and port"
is "$(try www.example.test:80)" "the page of" "a name that leads there"
is "$(try $WWW:7)" prohibited "another port"
is "$(try 203.0.113.81:80)" prohibited "another address"
stop_smolserve
start_smolserve --deny 'www.*' --allow 10.9.0.0/24:22 || exit 1
is "$(try www.example.test:80)" prohibited "a denied name"
is "$(try WWW.example.test.:80)" prohibited "however it is written"
is "$(try v4.example.test:80)" "the page of" "another name"
like "$(openssh -W 10.9.0.1:22 $ME </dev/null 2>&1)" "SSH-2.0-OpenSSH*" \
    "a private range that is allowed"
is "$(try 10.9.0.1:23)" prohibited "but not its other ports"
stop_smolserve

# Limits.
start_smolserve --max-per-ip 2 --max-auth 2 --login-time 2 || exit 1
hold() {
	spawn client perl -MIO::Socket::INET -e '
		$s = IO::Socket::INET->new("10.9.0.1:2222"); sleep 20'
}
hold; hold
within 5 sh -c "[ \$(grep -c 'connection opened' '$T/serve.log') -ge 2 ]"
fails "a third of one address" openssh -o ConnectTimeout=5 -N $ME
ok "the silent are shown out" within 6 grep -q "auth timeout" "$T/serve.log"
is "$(try)" "the page of" "and there is room again"
stop_smolserve
is $? 0 "it ends in good order"

# Through another proxy: a SOCKS5 and HTTP one, by OpenSSH at inet and smolwrap.
if product && services ssh; then
	spawn server "$B/smolwrap" --via "ssh://tester@$WWW" -i "$KEY" \
	    --known-hosts "$KNOWN" --socks 127.0.0.1:1090 sleep 100
	within 10 hears server 1090
	for scheme in socks5 http; do
		start_smolserve --outbound $scheme://127.0.0.1:1090 || exit 1
		is "$(try www.example.test:80)" "the page of" \
		    "a name through a $scheme proxy"
		is "$(try $WWW:80)" "the page of" "an address"
		is "$(try 127.0.0.1:22)" prohibited "policy holds there too"
		like "$(openssh -W $WWW:1 $ME </dev/null 2>&1)" \
		    "*connect failed: [CN]o*" "and refusals come back"
		stop_smolserve
	done
	start_smolserve --outbound socks5://127.0.0.1:9 || exit 1
	is "$(try $WWW:80)" "" "a dead proxy is never passed by"
	stop_smolserve
fi
tap_end
