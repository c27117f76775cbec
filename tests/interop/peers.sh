#!/bin/sh
# Programs of others that are too big, or too seldom there, for every day:
# Chromium and the SOCKS port, nmap and the port that hides, nginx and haproxy
# in front of sshd, and wraith on either side.  `make interop-peers`.
#
#	WRAITH	the program, if it is not in PATH; README says how to build it
#	NGINX_STREAM	the module, if it is not where Debian has it

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"

hosts && services small dns web || exit 1
product && [ -x "$B/smolserve" ] || skip_all "smolwrap is not built"
SW=$B/smolwrap
U=http://www.example.test

cp "$KEY.pub" "$T/serve_keys"
mkdir -p "$T/site" && echo '<p>an ordinary page</p>' >"$T/site/index.html"
start_smolserve -l tls:443 --tls-cert "$T/www.crt" --tls-key "$T/www.key" \
    --web "$T/site" --remote-forward loopback || exit 1
sed -n "s/^hostkey /$SSHD /p" "$T/serve.out" >>"$T/serve_known"
TLS="--tls-ca $T/ca.crt --tls-server-name www.example.test"

# --- Chromium ----------------------------------------------------------------
if command -v chromium >/dev/null; then
	# shellcheck disable=SC2086 # lists of words
	on client timeout 30 "$SW" up $VIA --socks 1080
	watch client
	browse() {
		on client timeout 120 chromium --headless --no-sandbox \
		    --disable-gpu --user-data-dir="$T/chromium" \
		    --proxy-server=socks5://127.0.0.1:1080 --dump-dom "$@" \
		    2>"$T/err"
	}
	like "$(browse $U/)" "*the page of www.example.test*" \
	    "Chromium through the SOCKS port" || diag "$(tail "$T/err")"
	like "$(browse --ignore-certificate-errors https://www.example.test/)" \
	    "*the page of www.example.test*" "  and over TLS and HTTP/2"
	is "$(strays client)" "" "  and it asked nobody else"
	on client "$SW" down
	within 10 no_sessions
else
	skip "no chromium" "Chromium through the SOCKS port"
fi

# --- probes ------------------------------------------------------------------
if command -v nmap >/dev/null; then
	on client nmap -Pn -n -sV --version-all -p 443 $SSHD >"$T/nmap" 2>&1
	like "$(grep ^443 "$T/nmap")" "443/tcp open  ssl/http*nginx*" \
	    "nmap takes the port for a web server" || diag "$(cat "$T/nmap")"
	fails "  and finds no SSH" grep -qi "ssh\|smolserve" "$T/nmap"
	on client nmap -Pn -n --script ssl-enum-ciphers,http-title,http-headers \
	    -p 443 $SSHD >"$T/nmap" 2>&1
	like "$(cat "$T/nmap")" "*TLSv1.3*least strength: A*" \
	    "  with ciphers of the best grade" || diag "$(cat "$T/nmap")"
else
	skip "no nmap" "nmap takes the port for a web server"
fi
# A client that only shakes hands, and one that offers what we have not.
like "$(on client timeout 10 openssl s_client -connect $SSHD:443 \
    -servername www.example.test -CAfile "$T/ca.crt" </dev/null 2>&1)" \
    "*Verify return code: 0 (ok)*" "openssl s_client shakes hands and goes"
like "$(on client timeout 10 openssl s_client -connect $SSHD:443 -tls1_1 \
    -cipher DEFAULT@SECLEVEL=0 </dev/null 2>&1)" "*alert protocol version*" \
    "TLS 1.1 is refused by an alert"
like "$(printf 'GET / HTTP/1.1\r\nHost: www.example.test\r\nConnection: close\r\n\r\n' |
    on client timeout 10 openssl s_client -quiet -connect $SSHD:443 \
    -servername www.example.test 2>/dev/null)" "HTTP/1.1 200*ordinary page*" \
    "and who speaks HTTP gets the page"

# --- other terminators of TLS ------------------------------------------------
behind() {
	# shellcheck disable=SC2086 # lists of words
	is "$(on client timeout 40 "$SW" --via ssh+tls://tester@$SSHD:"$2" \
	    $TLS -i "$KEY" --known-hosts "$KNOWN" -- curl -sS -m 20 $U/1m \
	    2>"$T/err" | sha256sum)" "$(sha256sum <"$T/www/1m")" \
	    "sshd behind $1" || diag "$(cat "$T/err")"
}
module=${NGINX_STREAM:-/usr/lib/nginx/modules/ngx_stream_module.so}
if [ -e "$module" ]; then
	cat >"$T/stream.conf" <<-END
		load_module $module;
		user root; daemon off; pid $T/stream.pid;
		error_log $T/stream.log;
		events { }
		stream { server {
			listen $SSHD:8443 ssl;
			ssl_certificate $T/www.crt;
			ssl_certificate_key $T/www.key;
			ssl_protocols TLSv1.2 TLSv1.3;
			proxy_pass 127.0.0.1:22;
		} }
	END
	spawn server nginx -c "$T/stream.conf" -e "$T/stream.log"
	within 10 hears server 8443
	behind "nginx's stream module" 8443
else
	skip "no stream module of nginx" "sshd behind nginx"
fi
if command -v haproxy >/dev/null; then
	cat "$T/www.crt" "$T/www.key" >"$T/www.pem"
	cat >"$T/haproxy.cfg" <<-END
		defaults
			mode tcp
			timeout connect 5s
			timeout client 60s
			timeout server 60s
		frontend tls
			bind $SSHD:9443 ssl crt $T/www.pem alpn http/1.1
			default_backend ssh
		backend ssh
			server sshd 127.0.0.1:22
	END
	spawn server haproxy -f "$T/haproxy.cfg"
	within 10 hears server 9443
	behind haproxy 9443
else
	skip "no haproxy" "sshd behind haproxy"
fi

# --- wraith ------------------------------------------------------------------
WRAITH=${WRAITH:-$(command -v wraith)}
if [ -x "$WRAITH" ]; then
	serve() {
		spawn server "$WRAITH" serve --key "$T/host_key" \
		    --authorized-keys "$T/authorized_keys" "$@"
	}
	serve --listen $SSHD:7001
	serve --listen $SSHD:7002 --transport tls --tls-cert "$T/www.crt" \
	    --tls-key "$T/www.key"
	serve --listen $SSHD:7003 --transport tls --tls-cert "$T/www.crt" \
	    --tls-key "$T/www.key" --stealth
	within 10 hears server 7001
	# Built with iroh as well, it panics as soon as TLS is asked for.
	wraith_tls=
	! within 5 on client timeout 5 openssl s_client \
	    -connect $SSHD:7002 </dev/null || wraith_tls=yes
	for port in 7001 7002 7003; do
		echo "[$SSHD]:$port $(cat "$T/host_key.pub")" >>"$KNOWN"
	done
	what=
	through() {
		is "$(on client timeout 40 "$SW" "$@" -i "$KEY" --known-hosts \
		    "$KNOWN" -- curl -sS -m 20 http://$WWW/1m 2>"$T/err" |
		    sha256sum)" "$(sha256sum <"$T/www/1m")" "$what" ||
			diag "$(cat "$T/err")"
	}
	what="smolwrap to wraith" through --via ssh://tester@$SSHD:7001
	# shellcheck disable=SC2086 # lists of words
	if [ -n "$wraith_tls" ]; then
		what="  over TLS" through \
		    --via ssh+tls://tester@$SSHD:7002 $TLS
		what="  over TLS with its stealth" through \
		    --via ssh+tls://tester@$SSHD:7003 $TLS
	else
		skip "this wraith has no TLS" "smolwrap to wraith over TLS"
	fi
	socks() {
		spawn client env USER=tester "$WRAITH" connect \
		    --identity "$KEY" "$@"
		pid_wraith=$!
		within 20 hears client 1081
		is "$(on client curl -sS -m 30 --socks5-hostname 127.0.0.1:1081 \
		    $U/1m | sha256sum)" "$(sha256sum <"$T/www/1m")" "$what" ||
			diag "$(tail -n 5 "$T"/client-env.log)"
		kill $pid_wraith 2>/dev/null; wait $pid_wraith 2>/dev/null
	}
	what="wraith to smolserve" socks --server $SSHD:2222 \
	    --socks5 127.0.0.1:1081
	if [ -n "$wraith_tls" ]; then
		what="  over TLS" socks --server $SSHD:443 --transport tls \
		    --insecure --tls-server-name www.example.test \
		    --socks5 127.0.0.1:1081
	else
		skip "this wraith has no TLS" "wraith to smolserve over TLS"
	fi
	what="wraith to sshd" socks --server $SSHD:22 --socks5 127.0.0.1:1081
else
	skip "no wraith: see tests/interop/README" "wraith on either side"
fi
tap_end
