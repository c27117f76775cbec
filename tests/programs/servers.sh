#!/bin/sh
# Programs that listen on loopback and dial out, all inside one wrap.
TEST_SECONDS=${TEST_SECONDS:-600}
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/row.sh"

hosts && services small dns web || exit 1
PAGE='*the page of www.example.test*'
GET='i=0; until curl -sS -m 8 http://127.0.0.1:8088/ || [ $i -gt 20 ]; do
	sleep 0.2; i=$((i+1)); done'
export GET

cat >"$T/proxy.conf" <<END
user root;
daemon off;
pid $T/proxy.pid;
error_log $T/proxy.log;
events {}
http {
	access_log off;
	client_body_temp_path $T/p1; proxy_temp_path $T/p2;
	fastcgi_temp_path $T/p3; uwsgi_temp_path $T/p4; scgi_temp_path $T/p5;
	server {
		listen 127.0.0.1:8088;
		location / { proxy_pass http://$WWW:80; }
	}
}
END
cat >"$T/haproxy.cfg" <<END
defaults
	mode http
	timeout connect 8s
	timeout client 8s
	timeout server 8s
frontend f
	bind 127.0.0.1:8088
	default_backend b
backend b
	server s $WWW:80 check
END
printf 'Port 8088\nListen 127.0.0.1\nMaxClients 10\nPidFile "%s"\n' \
    "$T/tiny.pid" >"$T/tiny.conf"
printf 'foreground = yes\npid =\n[a]\nclient = yes\naccept = %s\n%s\n' \
    "127.0.0.1:8088" "connect = $WWW:443" >"$T/stunnel.conf"

cat >"$T/squid.conf" <<END
http_port 127.0.0.1:8088
http_access allow all
access_log none
cache_log $T/squid.log
cache deny all
pid_filename none
coredump_dir $T
shutdown_lifetime 0 seconds
pinger_enable off
icp_port 0
netdb_filename none
END
cat >"$T/unbound.conf" <<END
server:
	interface: 127.0.0.1@8088
	port: 8088
	username: ""
	chroot: ""
	pidfile: ""
	use-syslog: no
	tcp-upstream: yes
	do-ip6: no
	do-not-query-localhost: no
	module-config: "iterator"
	local-zone: "test." nodefault
forward-zone:
	name: "."
	forward-addr: $WWW@53
remote-control:
	control-enable: no
END

row "nginx as proxy" nginx - "$PAGE" \
    'nginx -c $T/proxy.conf -e $T/proxy.log & p=$!; sh -c "$GET"; kill $p; wait'
row "haproxy" haproxy - "$PAGE" \
    'haproxy -q -f $T/haproxy.cfg & p=$!; sleep 0.5; sh -c "$GET"; kill $p; wait'
row "tinyproxy" tinyproxy - "$PAGE" \
    'tinyproxy -d -c $T/tiny.conf >/dev/null & p=$!; sleep 0.7; curl -sS -x http://127.0.0.1:8088 http://$H/; kill $p; wait'
row "squid" squid - "$PAGE" \
    'unshare -U --map-user=1000 --map-group=1000 squid -N -f $T/squid.conf & p=$!; i=0
	until curl -sS -m 8 -x http://127.0.0.1:8088 http://$H/ || [ $i -gt 40 ]; do sleep 0.2; i=$((i+1)); done 2>/dev/null
	kill $p; wait'
row "unbound, over TCP" unbound - "$WWW" \
    'unbound -d -c $T/unbound.conf & p=$!; i=0
	until dig +short +tries=1 +time=3 -p 8088 @127.0.0.1 $H A | grep -v ";" || [ $i -gt 30 ]; do sleep 0.2; i=$((i+1)); done
	kill $p; wait'
row "stunnel" stunnel - "$PAGE" \
    'stunnel $T/stunnel.conf 2>/dev/null & p=$!; sleep 0.7; sh -c "$GET"; kill $p; wait'
row "socat forwarder" socat - "$PAGE" \
    'socat TCP-LISTEN:8088,bind=127.0.0.1,reuseaddr,fork TCP:$H:80 & p=$!; sh -c "$GET"; kill $p; wait' 
row "python http.server" /usr/bin/python3 - "$PAGE" \
    'cd $T/www && /usr/bin/python3 -m http.server -b 127.0.0.1 8088 2>/dev/null & p=$!; sh -c "$GET"; kill $p; wait'
row "nc -l" nc - 'over loopback' \
    'nc -l 127.0.0.1 8088 & p=$!; sleep 0.4; echo over loopback | nc -N 127.0.0.1 8088; wait'
row "nc -l, wildcard" nc - 'over loopback' \
    'nc -l 8088 & p=$!; sleep 0.4; echo over loopback | nc -N 127.0.0.1 8088; wait'
row "redis-server" redis-server - '*PONG*' \
    'redis-server --port 8088 --bind 127.0.0.1 --save "" --dir $D >/dev/null & p=$!; sleep 0.7; redis-cli -p 8088 ping; kill $p; wait'
row "iperf3 on loopback" iperf3 - '*receiver*' \
    'iperf3 -s -1 -p 8089 >/dev/null & p=$!; sleep 0.4; iperf3 -c 127.0.0.1 -p 8089 -n 32M; wait'
row "udp on loopback" socat - 'pong' \
    'socat UDP-RECVFROM:8090,bind=127.0.0.1 SYSTEM:"cat >/dev/null; echo pong" & p=$!; sleep 0.4; echo ping | socat -t 3 - UDP:127.0.0.1:8090; kill $p 2>/dev/null; wait'
tap_end
