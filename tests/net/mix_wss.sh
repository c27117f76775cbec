#!/bin/sh
# The websocket to the entry gateway over TLS: smolnode's own, and one that
# nginx ends, as Nym's operators have it.
# shellcheck disable=SC2086 # lists of words
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/mixnet.sh"

product || skip_all "smolwrap is not built"
for need in microsocks nginx openssl curl python3; do
	command -v $need >/dev/null || skip_all "$need is not installed"
done
hosts && services small dns web || exit 1
SW=$B/smolwrap
U=http://www.example.test
page=$(cat "$T/www/index.html")
CA="--tls-ca $T/ca.crt"

# certificate NAME DAYS: signed by the throw-away authority.
certificate() {
	(cd "$T" && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
	    -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" &&
	echo "subjectAltName=DNS:$1" >"$1.ext" &&
	openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key \
	    -CAcreateserial -extfile "$1.ext" -out "$1.crt" -days "$2") \
	    >>"$T/openssl.log" 2>&1
}
certificate gw.example.test 2 && certificate other.example.test 2 || exit 1
cp "$T/gw.example.test.crt" "$T/cert" && cp "$T/gw.example.test.key" "$T/key"
start_mixnet -C "$T/cert" -K "$T/key" -H gw.example.test || exit 1

get() { on client timeout 60 "$SW" "$@" -- curl -sS -m 40 $U/ 2>"$T/err"; }
count() {
	within 20 no_sessions
	[ -z "$net_watch_client" ] || kill "$net_watch_client"
	rm -f "$T/seen-client"
	watch client
}
# others PORT: what left the client but TCP to that port of server.
others() {
	seen client | awk -v port="$1" '$1 != "arp" && $1 != "icmp6" &&
	    !($1 == "tcp" && $2 == "10.9.0.1" && $3 == port)'
}
gets() {
	port=$1 what=$2; shift 2
	count
	is "$(get "$@")" "$page" "$what" || diag "$(cat "$T/err")"
	is "$(others "$port")" "" "  and speaks to nobody else"
}
refuses() {
	port=$1 pattern=$2 what=$3; shift 3
	count
	get "$@" >"$T/out"
	is $? 125 "$what"
	is "$(grep -c . "$T/err")" 1 "  in one line" || diag "$(cat "$T/err")"
	like "$(cat "$T/err")" "$pattern" "  that says why"
	is "$(others "$port")" "" "  and nothing goes another way"
}

gets "$WSS" "TLS is taken where it is announced" $VIA $CA
gets "${ENTRY##*:}" "unless it is not wanted" $VIA --entry-tls never
spawn server microsocks -i 10.9.0.1 -p 1080
within 5 hears server 1080
gets 1080 "TLS through a proxy" $VIA $CA --proxy socks5://10.9.0.1:1080
gets 22 "TLS through an SSH server" --via ssh://tester@10.9.0.1 -i "$KEY" \
    --known-hosts "$KNOWN" $VIA $CA
like "$(on client timeout 60 "$SW" -v $VIA $CA -- true 2>&1)" \
    "*route: entry 10.9.0.1:$WSS tls*" "the route names TLS"

refuses "$WSS" "smolwrap: *entry gateway: no authority*--tls-pin sha256:*" \
    "an unknown authority is refused" $VIA
pin=$(sed -n 's/.*--tls-pin \(sha256:[^ ;]*\).*/\1/p' "$T/err")
gets "$WSS" "the pin that it names will do" $VIA --tls-pin "$pin"
refuses "$WSS" "smolwrap: *entry gateway: *not made out to*" \
    "another name is refused" $VIA $CA --tls-server-name no.example.test
count
is "$(get $VIA --insecure)" "$page" "--insecure takes any"
like "$(cat "$T/err")" "smolwrap: *--insecure*" "  and warns in a line"
refuses 0 "smolwrap: *host_key.pub*not a file of certificates*" \
    "a file without authorities" $VIA --tls-ca "$T/host_key.pub"

# Who else speaks to that port.
up="-H Connection:Upgrade -H Upgrade:websocket -H Sec-WebSocket-Version:13"
like "$(on client curl -si -m 5 --http1.1 --cacert "$T/ca.crt" $up \
    -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' \
    --resolve "gw.example.test:$WSS:10.9.0.1" \
    "https://gw.example.test:$WSS/" | head -n 1)" "HTTP/1.1 101 *" \
    "curl is taken for a websocket"
fails "plain HTTP is not answered" on client \
    curl -s -m 5 $up "http://10.9.0.1:$WSS/"

# Certificates are renewed while the node runs.
cp "$T/other.example.test.crt" "$T/cert"
cp "$T/other.example.test.key" "$T/key"
kill -HUP "$pid_mixnet"
shown() {
	on client openssl s_client -connect "10.9.0.1:$WSS" </dev/null \
	    2>/dev/null | openssl x509 -noout -subject
}
renewed() { shown | grep -q other; }
ok "SIGHUP brings the new certificate" within 10 renewed
: >"$T/cert"
kill -HUP "$pid_mixnet"
within 10 grep -q "stays as it was" "$T/mixnet"
like "$(shown)" "*other*" "one that does not read changes nothing"
gets "$WSS" "and clients find it" $VIA $CA --tls-server-name other.example.test

# A gateway behind nginx, and one that announces no TLS.
stop_mixnet
start_mixnet || exit 1
refuses 0 "smolwrap: *no gateway that takes clients over TLS*" \
    "no TLS where it is insisted on" $VIA --entry-tls always
mkdir -p "$T/front"
cat >"$T/front.conf" <<END
user root;
worker_processes 1;
daemon off;
pid $T/front/pid;
events { }
http {
	access_log off;
	client_body_temp_path $T/front/body;
	proxy_temp_path $T/front/proxy;
	fastcgi_temp_path $T/front/fastcgi;
	uwsgi_temp_path $T/front/uwsgi;
	scgi_temp_path $T/front/scgi;
	server {
		listen 10.9.0.1:9001 ssl;
		server_name gw.example.test;
		ssl_protocols TLSv1.3;
		ssl_certificate $T/gw.example.test.crt;
		ssl_certificate_key $T/gw.example.test.key;
		location / {
			proxy_pass http://$ENTRY;
			proxy_http_version 1.1;
			proxy_set_header Upgrade \$http_upgrade;
			proxy_set_header Connection Upgrade;
		}
	}
	server {
		listen 10.9.0.1:9002 ssl default_server;
		ssl_reject_handshake on;
	}
}
END
spawn server nginx -c "$T/front.conf" -e "$T/front/error.log"
within 5 hears server 9001
# front PORT: the topology with the entry announced as that port.
front() {
	python3 - "$T/net.json" "$T/front.json" "${ENTRY##*:}" "$1" <<'END'
import json, sys
t = json.load(open(sys.argv[1]))
for n in t["node_details"].values():
    e = n["entry"]
    if e and e["clients_ws_port"] == int(sys.argv[3]):
        e["hostname"] = "gw.example.test"
        e["clients_wss_port"] = int(sys.argv[4])
json.dump(t, open(sys.argv[2], "w"))
END
}
front 9001
FRONT="--via mix:$T/front.json --traffic raw"
gets 9001 "a gateway behind nginx" $FRONT --entry-tls always $CA
front 9002
refuses 9002 "smolwrap: *entry gateway: no TLS connection with*" \
    "a server that knows no such name" $FRONT --entry-tls always $CA
front 9003
refuses 9003 "smolwrap: *entry gateway*9003*refused*" \
    "a port where nobody is; the plain one is not tried" $FRONT \
    --entry-tls always $CA
tap_end
