#!/bin/sh
# The ways to an SSH server: TLS, proxies, other tunnels, and these combined;
# with stunnel, microsocks, tinyproxy and OpenSSH as the other sides.

. "${0%/*}/../lib/net.sh"

product || skip_all "smolwrap is not built"
for need in stunnel microsocks tinyproxy; do
	command -v $need >/dev/null || skip_all "$need is not installed"
done
hosts && services small dns web ssh || exit 1
watch client
SW=$B/smolwrap
U=http://www.example.test
ID="-i $KEY --known-hosts $KNOWN"
CA="--tls-ca $T/ca.crt"
page=$(cat "$T/www/index.html")

# tls HOST NAME PORT CERTIFICATE OPTION...: TLS there, in front of its sshd.
tls() {
	tls_host=$1 tls_name=$2 tls_port=$3 tls_cert=$4; shift 4
	{
		printf '%s\n' "foreground = yes" "pid =" "debug = notice" "$@" \
		    "[ssh]" "accept = :::$tls_port" "connect = 127.0.0.1:22" \
		    "cert = $tls_cert" "key = ${tls_cert%.crt}.key"
	} >"$T/stunnel-$tls_name.conf"
	spawn "$tls_host" stunnel "$T/stunnel-$tls_name.conf"
	eval "pid_tls_$tls_name=$!"
	within 10 hears "$tls_host" "$tls_port"
}
# get VIA...: the page, through those tunnels.
get() {
	# shellcheck disable=SC2086 # lists of words
	on client timeout 40 "$SW" "$@" $ID -- curl -sS -m 20 $U/ 2>"$T/err"
}
gets() {
	what=$1; shift
	is "$(get "$@")" "$page" "$what" || diag "$(cat "$T/err")"
}
# refuses PATTERN DESCRIPTION VIA...: status 125, and one line that says why.
refuses() {
	pattern=$1 what=$2; shift 2
	get "$@" >"$T/out"
	is $? 125 "$what" || diag "$(cat "$T/out" "$T/err")"
	like "$(grep '^smolwrap:' "$T/err")" "$pattern" "  and says why"
}
certificate() {
	(cd "$T" && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
	    -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" &&
	echo "subjectAltName=$2" >"$1.ext" &&
	openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial \
	    -extfile "$1.ext" -out "$1.crt" "-days" "$3") >>"$T/openssl.log" 2>&1
}

# --- TLS -----------------------------------------------------------------
certificate gate IP:10.9.0.1,DNS:gate.example.test 2
certificate stale IP:10.9.0.1 -1
# sshd's names as these tests reach it; 10.9.0.1 has a line already.
echo "localhost $(cat "$T/host_key.pub")" >>"$KNOWN"
tls server gate 443 "$T/gate.crt" || exit 1
tls server old 1443 "$T/gate.crt" "sslVersionMax = TLSv1.2"
tls server stale 2443 "$T/stale.crt"
TLS=ssh+tls://tester@10.9.0.1
# shellcheck disable=SC2086 # lists of words
{
gets "SSH over TLS" --via $TLS $CA
gets "over TLS 1.2, where a server has no other" --via $TLS:1443 $CA
gets "with a name of its own" --via $TLS $CA \
    --tls-server-name gate.example.test
refuses "*--tls-ca FILE*--tls-pin sha256:*" "an unknown authority is refused" \
    --via $TLS
pin=$(sed -n 's/.*--tls-pin \(sha256:[^ ]*\).*/\1/p' "$T/err")
hash=$(openssl x509 -in "$T/gate.crt" -noout -pubkey | openssl pkey -pubin \
    -outform DER | openssl dgst -sha256 -binary | openssl base64)
is "$pin" "sha256:$hash" "the pin it names is that of openssl"
gets "the pin alone will do" --via $TLS --tls-pin "$pin"
refuses "*PINNED*" "another pin will not" --via $TLS $CA \
    --tls-pin sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
refuses "*--tls-server-name*" "a wrong name is refused" --via $TLS $CA \
    --tls-server-name other.example.test
refuses "*expired*" "an expired certificate is refused" --via $TLS:2443 $CA
gets "--insecure takes any" --via $TLS:2443 --insecure
like "$(cat "$T/err")" "smolwrap: *--insecure*" "and warns in a line"
refuses "*does not speak TLS*" "a server without TLS is told as one" \
    --via $TLS:22 $CA
}

# --- proxies -------------------------------------------------------------
spawn server microsocks -i 10.9.0.1 -p 1080
within 5 hears server 1080
spawn server microsocks -i 10.9.0.1 -p 1081 -u me -P s3cr%t
within 5 hears server 1081
printf '%s\n' "Port 3128" "Listen 10.9.0.1" "ConnectPort 22" \
    "ConnectPort 8443" "BasicAuth me s3cret" >"$T/tinyproxy.conf"
spawn server tinyproxy -d -c "$T/tinyproxy.conf"
within 5 hears server 3128
tls inet far 8443 "$T/www.crt"
WEB=ssh://tester@www.example.test
FAR=ssh+tls://tester@www.example.test:8443
SOCKS="--proxy socks5://10.9.0.1:1080"
# shellcheck disable=SC2086 # lists of words
{
gets "SSH through a SOCKS5 proxy, by a name that only it knows" --via $WEB \
    $SOCKS
gets "SSH through SOCKS5 with a password" --via $WEB \
    --proxy socks5://me:s3cr%25t@10.9.0.1:1081
gets "SSH through an HTTP proxy with a password" --via $WEB \
    --proxy http://me:s3cret@10.9.0.1:3128
gets "SSH over TLS through SOCKS5" --via $FAR $CA $SOCKS
gets "SSH over TLS through HTTP" --via $FAR $CA \
    --proxy http://me:s3cret@10.9.0.1:3128
refuses "*user name and a password*" "a proxy that wants a password" \
    --via $WEB --proxy socks5://10.9.0.1:1081
refuses "*does not take this user*" "a wrong password" \
    --via $WEB --proxy socks5://me:wrong@10.9.0.1:1081
refuses "*user name and a password*" "an HTTP proxy that wants a password" \
    --via $WEB --proxy http://10.9.0.1:3128
refuses "*" "a name that the proxy does not know" \
    --via ssh://tester@no.example.test $SOCKS
refuses "*proxy*refused*" "a proxy that is not there; nothing goes past it" \
    --via ssh://tester@10.9.0.1 --proxy socks5://10.9.0.1:1089
refuses "*socks5://HOST:PORT*" "a proxy of an unknown kind" \
    --via $WEB --proxy ftp://10.9.0.1
}

# --- tunnels through tunnels ---------------------------------------------
HOP="--via ssh://tester@10.9.0.1"
# shellcheck disable=SC2086 # lists of words
{
gets "two SSH hops; the second by a name of the first one's network" \
    $HOP --via $WEB
gets "SSH over TLS behind an SSH hop" $HOP --via $FAR $CA
gets "an SSH hop over TLS, then SSH over TLS" --via $TLS --via $FAR $CA
gets "SSH over TLS through SOCKS5, then SSH" --via $FAR --via \
    ssh://tester@localhost $CA $SOCKS
gets "SSH over the mixnet" --via mix:local --traffic raw \
    --via ssh://tester@10.9.0.1
refuses "*through the tunnel before*" "a second hop that is not there" \
    $HOP --via ssh://tester@www.example.test:2222
}
# A first hop whose key has changed is lost for good; the second says so and
# stops, too.
# shellcheck disable=SC2086 # lists of words
on client timeout 40 "$SW" up -s chain $HOP --via $WEB $ID 2>"$T/err" ||
	diag "$(cat "$T/err")"
chain_says() { on client "$SW" status -s chain | grep -q "^$1\$"; }
ok "a chain is kept warm" chain_says "state up"
mv "$T/host_key" "$T/host_key.was"
stop_sshd server
ssh-keygen -q -t ed25519 -N '' -f "$T/host_key" -C changed
start_sshd server
ok "its first server comes back as another" within 20 chain_says "hop 1 ssh failed"
ok "the second hop is told and gives up" within 5 chain_says "state failed"
ok "with the reason" chain_says \
    "reason hop 1 of the chain failed for good: .*key.*"
on client "$SW" down -s chain
stop_sshd server
mv "$T/host_key.was" "$T/host_key"
start_sshd server
# ProxyJump is ssh's own: the jump is made by ssh -W.
printf 'Host far\n\tHostName www.example.test\n\tProxyJump 10.9.0.1\n' \
    >>"$HOME/.ssh/config"
# shellcheck disable=SC2086 # lists of words
{
gets "a ProxyJump of ssh_config" --via ssh://tester@far
refuses "*--via*" "which does not go with a proxy" --via ssh://tester@far \
    $SOCKS
}

# --- what left the client ------------------------------------------------
is "$(seen client | awk '!($1 == "tcp" && $2 == "10.9.0.1") && $1 != "arp" &&
    !($1 == "icmp6" && $3 >= 133 && $3 <= 143)')" "" \
    "nothing left for anywhere but the server and its proxies"
within 10 no_sessions
ok "every session has ended" no_sessions
tap_end
