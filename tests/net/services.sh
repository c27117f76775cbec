#!/bin/sh
# Services without a program: a proxy for programs that know proxies, and ports
# joined as ssh -L and -R do, with real clients.

. "${0%/*}/../lib/net.sh"

hosts && services small dns web || exit 1
product || skip_all "smolwrap is not built"
watch client
SW=$B/smolwrap
U=http://www.example.test

# serving OPTION...: smolwrap without a program, on client; ready on return.
serving() {
	# shellcheck disable=SC2086 # VIA is a list of words
	spawn client "$SW" $VIA "$@"
	pid_serving=$!
	within 20 grep -q '^smolwrap: ready' "$T/client-smolwrap.log" || {
		diag "$(cat "$T/client-smolwrap.log")"
		return 1
	}
}
stop() {
	kill "$pid_serving"
	wait "$pid_serving" 2>/dev/null
	rm -f "$T/client-smolwrap.log"
	within 10 no_sessions
}
get() { on client curl -sS -m 20 "$@"; }
# said STATUS DESCRIPTION CURL-ARGUMENT...: curl's exit status is this.
said() {
	want=$1 what=$2; shift 2
	get "$@" >"$T/out" 2>"$T/err"
	is $? "$want" "$what" || diag "$(cat "$T/err")"
}

# --- the proxy -----------------------------------------------------------
serving --socks 1080 || exit 1
page=$(cat "$T/www/index.html")
is "$(get -x socks5h://127.0.0.1:1080 $U/)" "$page" "SOCKS5 by name"
is "$(get -x socks5://127.0.0.1:1080 http://$WWW/)" "$page" "SOCKS5 by address"
is "$(get -x socks5h://127.0.0.1:1080 "http://[$WWW6]/")" "$page" \
    "SOCKS5 to IPv6"
is "$(get -x socks4a://127.0.0.1:1080 $U/)" "$page" "SOCKS4a"
is "$(get -x socks4://127.0.0.1:1080 http://$WWW/)" "$page" "SOCKS4"
is "$(get -p -x http://127.0.0.1:1080 $U/)" "$page" "HTTP CONNECT"
is "$(get --cacert "$T/ca.crt" -x http://127.0.0.1:1080 \
    https://www.example.test/)" "$page" "TLS by HTTP CONNECT"
is "$(get -x "socks5h://[::1]:1080" $U/)" "$page" "the proxy on IPv6"
is "$(get -x socks5h://127.0.0.1:1080 $U/10m | sha256sum)" \
    "$(sha256sum <"$T/www/10m")" "ten megabytes come whole"
said 97 "an unknown name" -x socks5h://127.0.0.1:1080 http://no.example.test/
like "$(cat "$T/err")" "*(4)*" "is told as unreachable"
said 97 "a refused port" -x socks5h://127.0.0.1:1080 $U:81/
like "$(cat "$T/err")" "*(5)*" "is told as refused"
said 56 "a refused port by HTTP" -p -x http://127.0.0.1:1080 $U:81/
like "$(cat "$T/err")" "*502*" "is told as 502"
get -x http://127.0.0.1:1080 -o "$T/out" -w '%{http_code}' $U/ >"$T/code"
is "$(cat "$T/code")" 405 "a plain HTTP proxy request is refused by name"
# ssh knows proxies through nc(1) alone.
like "$(on client ssh -o "ProxyCommand=nc -X 5 -x 127.0.0.1:1080 %h %p" \
    -o StrictHostKeyChecking=no -p 22 tester@$SSHD echo inside 2>&1)" \
    "*inside*" "ssh through nc -X 5"
# Two hundred at once.
i=0
set --
while [ $i -lt 200 ]; do
	set -- "$@" -o "$T/many$i" $U/1m
	i=$((i + 1))
done
get -m 120 -Z --parallel-max 200 -x socks5h://127.0.0.1:1080 "$@" 2>"$T/err"
is "$(cat "$T"/many* | wc -c)" $((200 * 1048576)) "200 at once" ||
	diag "$(tail -n 3 "$T/err")"
rm -f "$T"/many*
# Whoever says nothing is sent away, and nobody waits for him.
on client nc -d 127.0.0.1 1080 </dev/null >/dev/null 2>&1 &
silent=$!
is "$(get -x socks5h://127.0.0.1:1080 $U/)" "$page" "beside a silent client"
kill $silent 2>/dev/null
# A slow client makes the sender wait, not the session grow.
before=$(cat "/proc/$(sessions | sort -n | tail -n 1)/statm" | cut -d' ' -f2)
on client timeout 20 curl -sS --limit-rate 200k -o /dev/null \
    -x socks5h://127.0.0.1:1080 --max-time 3 http://www.example.test/10m \
    2>/dev/null
after=$(cat "/proc/$(sessions | sort -n | tail -n 1)/statm" | cut -d' ' -f2)
ok "memory stays ($before to $after pages)" test $((after - before)) -lt 2000

# --- the tunnel goes and comes -------------------------------------------
cut_tunnel KILL
# shellcheck disable=SC2154 # set by start_sshd
kill -9 "$pid_sshd_server"
said 97 "while the tunnel is down" -x socks5h://127.0.0.1:1080 $U/
start_sshd server
is_back() { [ "$(get -x socks5h://127.0.0.1:1080 $U/ 2>/dev/null)" = "$page" ]; }
ok "the proxy works again when the server is back" within 40 is_back
stop && pass "an interrupt ends it all" || fail "an interrupt ends it all"
fails "the port is free again" hears client 1080

# Not even when nothing of ours is left to say so does a part look whole.
serving --socks 1080 || exit 1
: >"$T/part"
get -x socks5h://127.0.0.1:1080 $U/slow >"$T/part" 2>"$T/err" &
job=$!
ok "a slow download by the proxy has begun" within 20 test -s "$T/part"
# shellcheck disable=SC2046 # a list
kill -9 $(sessions)
wait $job
is $? 56 "the session is killed: its clients are reset"
diag "$(cat "$T/err")"
rm -f "$T/client-smolwrap.log"

# --- who may -------------------------------------------------------------
(umask 077; echo me:secret >"$T/auth")
serving --socks 1080 --socks-auth "$T/auth" || exit 1
is "$(get -x socks5h://me:secret@127.0.0.1:1080 $U/)" "$page" "a password"
is "$(get -p -x http://me:secret@127.0.0.1:1080 $U/)" "$page" "by HTTP"
said 97 "a wrong one" -x socks5h://me:wrong@127.0.0.1:1080 $U/
said 97 "none" -x socks5h://127.0.0.1:1080 $U/
said 97 "SOCKS4 has none" -x socks4a://127.0.0.1:1080 $U/
said 56 "a wrong one by HTTP" -p -x http://me:wrong@127.0.0.1:1080 $U/
stop
chmod 644 "$T/auth"
# shellcheck disable=SC2086
fails "a password file that all may read" on client timeout 20 "$SW" $VIA \
    --socks 1080 --socks-auth "$T/auth"
# shellcheck disable=SC2086
like "$(on client timeout 20 "$SW" $VIA --socks 192.0.2.1:1080 2>&1)" \
    "*could not listen on 192.0.2.1 port 1080*" "an address that is not ours"
# shellcheck disable=SC2086
like "$(on client timeout 20 "$SW" $VIA --socks www.example.test:1080 2>&1)" \
    "*is not an address*" "a name to listen on is not looked up"

# --- -L and -R -----------------------------------------------------------
spawn server socat UNIX-LISTEN:"$T/far.sock",fork,mode=777 \
    SYSTEM:'echo from the far socket'
spawn client socat UNIX-LISTEN:"$T/here.sock",fork \
    SYSTEM:'echo from the socket here'
on client sh -c 'cd "$0" && exec python3 -m http.server 7000 \
    --bind 127.0.0.1' "$T/www" >"$T/local-web.log" 2>&1 &
pid_web=$!
within 10 hears client 7000
serving -L 8000:www.example.test:80 -L "[::1]:8001:[$WWW6]:80" \
    -L "$T/near.sock:www.example.test:80" -L 8002:"$T/far.sock" \
    -L 8004:www.example.test:5004 -L 8007:www.example.test:7 \
    -L 8006:www.example.test:5006 -L 8081:www.example.test:81 \
    -R 9000:localhost:7000 -R "*:9001:127.0.0.1:7000" -R 9002:localhost:7001 \
    -R 0:localhost:7000 -R 9003:"$T/here.sock" -R 9004 || exit 1
is "$(get http://127.0.0.1:8000/)" "$page" "-L PORT:HOST:PORT"
is "$(get "http://[::1]:8001/")" "$page" "-L with IPv6 on both sides"
is "$(get --unix-socket "$T/near.sock" $U/)" "$page" "-L from a socket"
is "$(stat -c %a "$T/near.sock")" 600 "which is private"
is "$(on client nc -d 127.0.0.1 8002)" "from the far socket" "-L to a socket"
is "$(printf 'half\nclosed\n' | on client timeout 20 nc -N 127.0.0.1 8007)" \
    "half
closed" "a half-close goes through and the answer comes back"
is "$(on client timeout 20 sh -c 'sleep 1 | nc 127.0.0.1 8004')" hello \
    "the far side's end goes through"
get http://127.0.0.1:8081/ >"$T/out" 2>"$T/err"
like $? "5[26]" "a refused target ends the connection"
is "$(on server curl -sS -m 20 http://127.0.0.1:9000/)" "$page" \
    "-R on the server's loopback"
is "$(on inet curl -sS -m 20 http://203.0.113.1:9001/)" "$page" \
    "-R on every address"
any=$(sed -n 's/.*allocated port \([0-9]*\) at the exit.*/\1/p' \
    "$T/client-smolwrap.log")
is "$(on server curl -sS -m 20 "http://127.0.0.1:$any/")" "$page" \
    "-R 0: the server chooses a port and says so"
is "$(on server curl -sS -m 60 http://127.0.0.1:9000/10m | sha256sum)" \
    "$(sha256sum <"$T/www/10m")" "ten megabytes by -R"
is "$(on server nc -d 127.0.0.1 9003)" "from the socket here" \
    "-R to a socket of this machine"
# What ssh -R PORT does: a proxy there, whose connections are made here.
there() { on server curl -sS -m 20 "$@"; }
is "$(there -x socks5h://127.0.0.1:9004 http://localhost:7000/)" "$page" \
    "-R PORT is a SOCKS5 proxy that leads out here, and names are ours"
is "$(there -x socks4a://127.0.0.1:9004 http://localhost:7000/)" "$page" \
    "SOCKS4a"
is "$(there -p -x http://127.0.0.1:9004 http://127.0.0.1:7000/)" "$page" \
    "HTTP CONNECT"
is "$(there -x socks5h://127.0.0.1:9004 http://localhost:7000/10m | sha256sum)" \
    "$(sha256sum <"$T/www/10m")" "ten megabytes through it"
there -x socks5h://127.0.0.1:9004 http://localhost:7001/ >"$T/out" 2>"$T/err"
is $? 97 "what nobody listens on"
like "$(cat "$T/err")" "*(5)*" "is refused there, too"
there -x socks5h://127.0.0.1:9004 http://no.example.test/ >"$T/out" 2>"$T/err"
is $? 97 "an unknown name is one there, too"
is "$(printf 'hello\n' | on server timeout 10 nc -N 127.0.0.1 9004)" "" \
    "and what speaks no proxy's language is sent away"
like "$(cat "$T/client-smolwrap.log")" "*may use the network of this machine*" \
    "smolwrap says what that opens"
fails "-R to nobody" on server curl -sS -m 20 http://127.0.0.1:9002/
cut_tunnel KILL
remote_back() {
	[ "$(on server curl -sS -m 5 http://127.0.0.1:9000/ 2>/dev/null)" = \
	    "$page" ]
}
ok "-R is there again after the connection broke" within 40 remote_back
is "$(on server curl -sS -m 20 "http://127.0.0.1:$any/")" "$page" \
    "the port that was chosen too"
stop
fails "the socket is removed" test -e "$T/near.sock"

# --- beside a program, and kept warm -------------------------------------
# shellcheck disable=SC2086,SC2016
is "$(on client "$SW" $VIA --socks 1080 -L 8000:www.example.test:80 -- \
    sh -c 'curl -sS -m 20 http://127.0.0.1:8000/
    curl -sS -m 20 http://www.example.test/')" "$page
$page" "with a program, which may use them too"
within 10 no_sessions			# it has the port
# shellcheck disable=SC2086
on client "$SW" up $VIA --socks 1080
is "$(get -x socks5h://127.0.0.1:1080 $U/)" "$page" "with up"
none_left() { on client "$SW" status | grep -q '^proxy-clients 0$'; }
ok "status counts them" within 5 none_left
# shellcheck disable=SC2086
like "$(on client "$SW" --socks 1081 true 2>&1)" "*cannot add*" \
    "a warm session gets no more of them"
on client "$SW" down
kill $pid_web
is "$(strays client)" "" "through all that, the client sent SSH and no more"
ok "no session is left" within 15 no_sessions
tap_end
