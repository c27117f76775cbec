#!/bin/sh
# What a client learns of the network: from a file, from a directory service
# over HTTP and HTTPS, from its cache.
B=${B:-build/default}
. tests/lib/tap.sh
PATH=$PATH:/usr/sbin:/sbin

command -v nginx >/dev/null && command -v openssl >/dev/null ||
	skip_all "needs nginx and openssl"
plan 18
dir=$(mktemp -d)
trap 'kill $pids 2>/dev/null; rm -rf "$dir"' EXIT
"$B/smolnode" local -t "$dir/net.json" >"$dir/node" 2>"$dir/node.err" &
node=$!
pids=$node
within 20 grep -q ^topology "$dir/node"
base=$(sed -n 's/^directory //p' "$dir/node")
exit=$(sed -n 's/^exit //p' "$dir/node")
entry=$(sed -n 's/^entry //p' "$dir/node")
other=$(sed -n 's/^exit .*@//p' "$dir/node")

ask()
{
	timeout 60 "$B/tests/lib/netdir_ask" "$@" 2>"$dir/err"
}
said()
{
	ask "$@" | paste -sd' ' -
}
free_port()
{
	python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
want="nodes 5 entry $entry exit $exit"

is "$(said -f "$dir/net.json")" "$want" \
    "a file names nodes, entry and exit"
is "$(said -u "$base")" "$want" "a directory says the same"
is "$(said -u "${base%/}")" "$want" "its address needs no slash"
is "$(said -u "$base" -x "$other")" "$want" \
    "an exit may be given by its node"
is "$(said -u "$base" -x "$exit" -e "$other")" \
    "nodes 5 entry $other exit $exit" "and the entry, even the exit's own"
ask -u "$base" -e "$(sed -n 's/^exit \([^.]*\)\..*/\1/p' "$dir/node")" \
    >"$dir/out"
is $? 1 "an entry that is none is refused"
ask -u "$base" -t >"$dir/out"
is $? 1 "so is one without TLS if TLS is asked for"

dead=$(free_port)
is "$(said -u "http://127.0.0.1:$dead/" -u "$base")" "$want" \
    "the second address is asked when the first is dead"

# TLS in front of it, by a certificate of our own.
tls=$(free_port)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout "$dir/key.pem" -out "$dir/cert.pem" -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>"$dir/openssl"
mkdir "$dir/tmp"
cat >"$dir/nginx.conf" <<CONF
daemon off; pid $dir/nginx.pid; error_log $dir/nginx.err;
events { }
http {
	access_log off;
	client_body_temp_path $dir/tmp/a; proxy_temp_path $dir/tmp/b;
	fastcgi_temp_path $dir/tmp/c; uwsgi_temp_path $dir/tmp/d;
	scgi_temp_path $dir/tmp/e;
	server {
		listen 127.0.0.1:$tls ssl;
		ssl_certificate $dir/cert.pem; ssl_certificate_key $dir/key.pem;
		location /api/ { proxy_pass $base; }
		location /moved/ { return 302 https://localhost:$tls/there\$request_uri; }
		location /there/moved/ { rewrite ^/there/moved/(.*)\$ /api/\$1 redirect; }
		location /round/ { return 302 \$request_uri; }
		location /down/ { return 302 $base\$request_uri; }
	}
}
CONF
nginx -c "$dir/nginx.conf" -e "$dir/nginx.err" &
pids="$pids $!"
within 20 curl -sk -o "$dir/up" "https://127.0.0.1:$tls/api/"
is "$(said -a "$dir/cert.pem" -u "https://localhost:$tls/api/")" \
    "$want" "over HTTPS"
ask -u "https://localhost:$tls/api/" >"$dir/out"
is $? 1 "a certificate that nobody vouches for is refused"
ok "and the reason is one line" test "$(wc -l <"$dir/err")" = 1
ask -a "$dir/cert.pem" -u "https://localhost:$tls/down/" >"$dir/out"
is $? 1 "nobody leads from https to http"
like "$(cat "$dir/err")" "*from https to http*" "and that is the reason"
is "$(said -a "$dir/cert.pem" -u "https://127.0.0.1:$tls/moved/")" "$want" \
    "but elsewhere, twice, and to another host"
ask -a "$dir/cert.pem" -u "https://localhost:$tls/round/" >"$dir/out"
is $? 1 "not round and round"

ask -u "$base" -c "$dir/cache" >"$dir/out"
is "$(stat -c %a "$dir/cache")" 600 "the cache is ours alone"
kill "$node"
wait "$node"
is "$(said -u "$base" -c "$dir/cache")" "$want" \
    "it serves when the directory is gone"
touch -d '2 days ago' "$dir/cache"
ask -u "$base" -c "$dir/cache" >"$dir/out"
is $? 1 "but not for ever"
tap_end
