#!/bin/sh
# Programs that no tunnel of TCP can serve, and those that the library cannot
# enter: they must fail, soon, and send nothing past the tunnel.
TEST_SECONDS=${TEST_SECONDS:-600}
. "${0%/*}/../lib/net.sh"

hosts && services small dns web || exit 1
product || skip_all "smolwrap is not built"
watch client

# closed NAME PROGRAM COMMAND: run wrapped, by way of a shell.
closed() {
	if ! command -v "$2" >/dev/null; then
		skip "$2 is not installed" "$1"
		return
	fi
	closed_from=$(date +%s)
	on client timeout -k 2 40 env WWW=$WWW "$B/smolwrap" $VIA -- \
	    sh -c "$3" >"$T/out" 2>"$T/err" </dev/null
	closed_status=$?
	closed_took=$(($(date +%s) - closed_from))
	if [ $closed_status -ne 0 ] && [ $closed_took -lt 30 ]; then
		pass "$1 fails (status $closed_status, $closed_took s): $(
		    cat "$T/err" "$T/out" | tr -d '\000' | grep . |
		    tail -n 1 | cut -c1-60)"
	else
		fail "$1: status $closed_status after $closed_took s"
		diag "$(tail -n 3 "$T/out" "$T/err")"
	fi
}

closed "ping by name" ping 'ping -c 1 -W 2 www.example.test'
closed "ping by address" ping 'ping -c 1 -W 2 $WWW'
closed "traceroute" traceroute 'traceroute -m 2 -w 1 -q 1 $WWW | grep -q $WWW.*ms'
closed "mtr" mtr 'mtr -r -c 1 -m 2 $WWW'
closed "hping3" hping3 'hping3 -c 1 -S -p 80 $WWW'
closed "openvpn" openvpn \
    'openvpn --dev null --proto udp --remote $WWW 1194 --client --ca $T/ca.crt --cert $T/www.crt --key $T/www.key --connect-retry-max 1 --hand-window 3 --resolv-retry 1 --ping-exit 4 --ping 1'
closed "snmpget" snmpget 'snmpget -v 1 -c public -t 1 -r 0 $WWW 1.3.6.1.2.1.1.1.0'
closed "nc -u" nc 'echo x | nc -u -w 2 $WWW 7 | grep -q x'
closed "curl tftp" curl 'curl -sS -m 5 tftp://$WWW/index.html'
closed "nmap -sS" nmap 'nmap -n -Pn -sS -p 80 --host-timeout 10 $WWW | grep -q "80/tcp open"'
closed "static busybox wget" busybox 'busybox wget -q -T 5 -O- http://$WWW/'
closed "static busybox nc" busybox 'busybox nc -w 3 $WWW 13 </dev/null'
closed "static busybox nslookup" busybox 'busybox nslookup www.example.test $WWW'
cat >"$T/go.go" <<'END'
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	r, err := http.Get("http://" + os.Args[1] + "/")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(r.Status)
}
END
PATH=$PATH:/usr/local/go/bin
if command -v go >/dev/null; then
	(cd "$T" && GOCACHE=$T/gocache GOFLAGS=-mod=mod GO111MODULE=off \
	    CGO_ENABLED=0 go build -o "$T/goget" go.go) >/dev/null 2>&1
fi
closed "static Go http.Get" "$T/goget" "$T/goget \$WWW"
is "$(strays client)" "" "through all that, the client sent SSH and no more"
tap_end
