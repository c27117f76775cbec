#!/bin/sh
# smolserve on a TLS port: SSH for those who speak it, a web site for the rest,
# with the words and the patience of an ordinary server.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"

hosts && services small dns web || exit 1
[ -x "$B/smolserve" ] || skip_all "smolserve is not built"
cp "$KEY.pub" "$T/serve_keys"
mkdir -p "$T/site/sub" && echo '<p>an ordinary page</p>' >"$T/site/index.html"
echo 'body { }' >"$T/site/sub/a.css"; echo hidden >"$T/site/.secret"
start_smolserve -l tls:443 --tls-cert "$T/www.crt" --tls-key "$T/www.key" \
    --web "$T/site" || exit 1

TLS="openssl s_client -quiet -connect $SSHD:443 -servername www.example.test"
tls_ssh() {
	on client timeout 30 ssh -F none -i "$KEY" -o IdentitiesOnly=yes \
	    -o UserKnownHostsFile="$T/serve_known" -o HostKeyAlias="[$SSHD]:2222" \
	    -o ProxyCommand="$TLS 2>/dev/null" "$@"
}
like "$(printf 'GET / HTTP/1.0\r\n\r\n' | tls_ssh -W $WWW:80 tester@x)" \
    "*the page of*" "ssh through TLS"
is "$(echo 10485760 | tls_ssh -W $WWW:5000 tester@x | sha256sum)" \
    "$(echo 10485760 | openssh -W $WWW:5000 tester@$SSHD | sha256sum)" \
    "10 MiB through TLS"
like "$(grep -c 'transport=tls' "$T/serve.log")" "[1-9]*" "the log says tls"

web() {
	on client curl -sS -m 10 --cacert "$T/ca.crt" \
	    --resolve www.example.test:443:$SSHD "$@"
}
SITE=https://www.example.test
is "$(web $SITE/)" "<p>an ordinary page</p>" "a browser gets a page"
is "$(web -w ' %{http_code} %{content_type}' $SITE/sub/a.css)" \
    "body { }
 200 text/css" "and what belongs to it"
is "$(web -o /dev/null -w '%{http_code}' $SITE/none)" 404 "no such page"
is "$(web -o /dev/null -w '%{http_code} %{redirect_url}' $SITE/sub)" \
    "301 $SITE/sub/" "a folder"
is "$(web -o /dev/null -w '%{http_code}' -X POST $SITE/)" 405 "POST"
is "$(web -o /dev/null -w '%{http_code}' --path-as-is $SITE/../../etc/passwd)" \
    400 "nothing above the root"
is "$(web -o /dev/null -w '%{http_code}' $SITE/.secret)" 404 "nothing hidden"
is "$(web -I $SITE/ | grep -ci '^content-length: 24')" 1 "HEAD"
is "$(web -o /dev/null -o /dev/null -w '%{num_connects} ' $SITE/ $SITE/none)" \
    "1 0 " "two requests on one connection"
like "$(on client curl -sS -m 10 http://$SSHD:443/)" \
    "*400 The plain HTTP request was sent to HTTPS port*" "plain HTTP"

# SSH in pieces is SSH; what only looks like it is not.
pieces() {
	(for p in "$@"; do printf %s "$p"; sleep 0.3; done; sleep 1) |
	    on client timeout 10 openssl s_client -quiet -connect $SSHD:443 \
	    2>/dev/null | tr -d '\0' | head -c 60
}
like "$(pieces SS H- 2.0- 'x
')" "SSH-2.0-smolserve*" "a greeting in pieces"
like "$(pieces SSH-3.0-x '
' '
')" "HTTP/1.1 400*" "another SSH"
is "$(pieces '' '')" "" "silence is met with silence"
like "$(web $SITE/)" "*ordinary page*" "and it serves on"

# A real web server behind it.
stop_smolserve
is $? 0 "it ends in good order"
start_smolserve -l tls:443 --tls-cert "$T/www.crt" --tls-key "$T/www.key" \
    --web http://$WWW || exit 1
like "$(web $SITE/)" "*the page of www.example.test*" "a real server's page"
is "$(web $SITE/10m | sha256sum)" "$(sha256sum <"$T/www/10m")" "10 MiB of it"
like "$(printf 'GET / HTTP/1.0\r\n\r\n' | tls_ssh -W $WWW:80 tester@x)" \
    "*the page of*" "and ssh as before"
# shellcheck disable=SC2046,SC2154 # a list; set by start_web
kill -KILL "$pid_nginx" $(descendants "$pid_nginx")
like "$(web $SITE/)" "*502 Bad Gateway*" "a dead one"
tap_end
