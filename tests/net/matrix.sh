#!/bin/sh
# Every transport to every server, directly and through proxies that want a
# password; a program, SOCKS5, -L and -R through each.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"
. "$SW_ROOT/tests/lib/ways.sh"

hosts && services dns web || exit 1
product && [ -x "$B/smolserve" ] || skip_all "smolwrap is not built"
start_ways || exit 1
SW=$B/smolwrap
page=$(cat "$T/www/index.html")
whole=$(sha256sum <"$T/www/1m")

# What -R leads to.
mkdir -p "$T/here" && echo "a page of the client" >"$T/here/index.html"
spawn client python3 -m http.server 7000 --bind 127.0.0.1 -d "$T/here"
within 10 hears client 7000

for name in tcp tls iroh; do
	for server in openssh smolserve; do
		for proxy in "" -socks -http; do
			case $name$proxy:" $WAYS " in
			iroh-http:*) ;;
			*" $name-$server$proxy "*) ;;
			*) skip "it is not installed" "$name-$server$proxy" ;;
			esac
		done
	done
done
# The close of a QUIC connection is one datagram, which dante may drop together
# with the association: its server keeps a port for a while then.
port=9000
for name in $WAYS; do
	port=$((port + 1))
	# shellcheck disable=SC2046 # a list of words
	if ! on client timeout 60 "$SW" up -s m $(way "$name") --socks 1080 \
	    -L 8000:www.example.test:80 -R $port:localhost:7000 \
	    2>"$T/err" >&2; then
		fail "$name: the tunnel comes up"
		diag "$(cat "$T/err")"
		continue
	fi
	is "$(on client timeout 60 "$SW" -s m curl -sS -m 30 \
	    http://www.example.test/)" "$page" "$name: a program"
	is "$(on client timeout 60 "$SW" -s m curl -sS -m 30 \
	    http://www.example.test/1m | sha256sum)" "$whole" "  and 1 MiB"
	is "$(on client curl -sS -m 30 --socks5-hostname 127.0.0.1:1080 \
	    http://www.example.test/)" "$page" "$name: SOCKS5"
	is "$(on client curl -sS -m 30 http://127.0.0.1:8000/)" "$page" \
	    "$name: -L"
	is "$(on server curl -sS -m 30 http://127.0.0.1:$port/)" \
	    "a page of the client" "$name: -R"
	on client timeout 10 "$SW" down -s m
	within 20 no_sessions
done
tap_end
