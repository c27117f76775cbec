#!/bin/sh
# smolserve with OpenSSH's client: -W, -L, -R, -D, keys renewed under load,
# ciphers, true reasons, and nothing that is not forwarding.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"

hosts && services small dns web || exit 1
[ -x "$B/smolserve" ] || skip_all "smolserve is not built"
cp "$KEY.pub" "$T/serve_keys"
start_smolserve --remote-forward any || exit 1
ME=tester@$SSHD

like "$(get $WWW:80 /)" "*the page of*" "-W by address"
like "$(get www.example.test:80 /)" "*the page of*" "-W by name"
like "$(get [$WWW6]:80 /)" "*the page of*" "-W by IPv6 address"
like "$(get two.example.test:80 /)" "*the page of*" \
    "a name whose first address is dead"

# Bytes, both ways, under each cipher, with new keys every megabyte.
digest() { sha256sum | cut -d' ' -f1; }
want=$(digest <"$T/www/10m")
pattern=$(echo 10485760 | on client ssh -W $WWW:5000 $ME | digest)	# by sshd
for cipher in aes256-gcm@openssh.com chacha20-poly1305@openssh.com aes256-ctr
do
	got=$(echo 10485760 | openssh -c $cipher -o RekeyLimit=1M \
	    -W $WWW:5000 $ME | digest)
	is "$got" "$pattern" "10 MiB down under $cipher with new keys"
	openssh -c $cipher -o RekeyLimit=1M -W $WWW:9 $ME <"$T/www/10m"
	ok "10 MiB up under $cipher" within 10 \
	    grep -q '^tcp 9 10485760 eof' "$T/serve-log"
	: >"$T/serve-log"
done

# Half-close: the far end speaks after the end of what it hears.
openssh -W $WWW:5003 $ME </dev/null >"$T/out"
is "$(cat "$T/out")" "0 good" "an answer to the end of the data"
is "$(openssh -W $WWW:5004 $ME </dev/null)" hello "and the other way round"

# Why not: OpenSSH prints the reason and its text.
why() {
	openssh -W "$1" $ME </dev/null 2>&1 | sed -n 's/.*open failed: //p' |
	    tr -d '\r'
}
is "$(why $WWW:1)" "connect failed: Connection refused" "a refused port"
is "$(why neverland.test:80)" "connect failed: Name or service not known" \
    "an unknown name"
is "$(why $NOBODY:80)" "connect failed: No route to host" "a missing host"
for dest in 127.0.0.1:22 localhost:22 10.9.0.1:22 [::1]:22 0.0.0.0:22 \
    169.254.169.254:80 [::ffff:127.0.0.1]:22 [64:ff9b::7f00:1]:22; do
	like "$(why $dest)" "administratively prohibited*" "$dest is private"
done
like "$(why smolwrap-anything:1)" "administratively prohibited*" \
    "reserved names are never dialled"

fails "no shell" openssh $ME true
fails "no subsystem" openssh -s $ME sftp
fails "no unix sockets" openssh -W /run/x $ME
fails "another key does not log in" openssh_as "$T/host_key" -N $ME

# A forward and a proxy that stay: -L, -D, -R.
stay() {
	spawn client ssh -F none -p 2222 -i "$KEY" -o IdentitiesOnly=yes \
	    -o UserKnownHostsFile="$T/serve_known" -N "$@" $ME
	job=$!
}
stay -L 8001:www.example.test:80 -D 1080 -R 0:$WWW:80 \
    -R 10.9.0.1:8003:www.example.test:80
ok "ssh -L -D -R is up" within 10 hears client 1080
like "$(on client curl -sS -m 10 http://127.0.0.1:8001/)" "*the page of*" "-L"
like "$(on client curl -sS -m 10 --socks5-hostname 127.0.0.1:1080 \
    http://www.example.test/)" "*the page of*" "-D by name"
is "$(on client curl -s -m 10 --socks5 127.0.0.1:1080 -o "$T/10m" \
    -w '%{http_code}' http://$WWW/10m) $(digest <"$T/10m")" "200 $want" \
    "-D by address, 10 MiB"
within 5 grep -q 'Allocated port' "$T/client-ssh.log"
port=$(sed -n 's/^Allocated port \([0-9]*\) .*/\1/p' "$T/client-ssh.log")
# The client connects from where it is, so the target is one it can reach.
ok "-R listens on the port it was given" hears server "${port:-0}"
ok "-R on an address" hears server 8003
n=0
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
	on client curl -sS -m 20 -o "$T/many.$i" http://127.0.0.1:8001/1m &
	jobs_list="$jobs_list $!"
done
# shellcheck disable=SC2086 # a list
wait $jobs_list
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
	cmp -s "$T/many.$i" "$T/www/1m" && n=$((n + 1))
done
is $n 16 "sixteen at once"
kill $job
deaf() { ! hears "$@"; }
ok "-R ends with its session" within 5 deaf server 8003

# A port of the client's own, reached from the server's side.
spawn client "$LIB/serve" "$T/client-log"
within 5 hears client 70
stay -R 203.0.113.1:8004:127.0.0.1:70
ok "-R by port" within 10 hears server 8004
like "$(on inet curl -sS -m 10 gopher://203.0.113.1:8004/0across)" \
    "you asked for *across*" "bytes through -R"
kill $job

fails "destinations are in no log" grep -E "example.test|$WWW|neverland|$NOBODY" \
    "$T/serve.log"
like "$(grep -c 'result=reject' "$T/serve.log")" 1 "one line for a failed log-in"
stop_smolserve
is $? 0 "it ends in good order"
diag "$(grep -vE 'connection (opened|closed)|auth attempt' "$T/serve.log")"
tap_end
