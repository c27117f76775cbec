#!/bin/sh
# smolserve and other people's clients: some that are honest, some that are not.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"

hosts && services small dns web || exit 1
[ -x "$B/smolserve" ] || skip_all "smolserve is not built"
cp "$KEY.pub" "$T/serve_keys"
start_smolserve || exit 1
ME=tester@$SSHD
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$pid_smolserve/status"; }

if command -v plink >/dev/null && command -v puttygen >/dev/null; then
	puttygen "$KEY" -o "$T/user.ppk" >/dev/null 2>&1
	print=$(sed -n 's/^fingerprint //p' "$T/serve.out")
	like "$(printf 'GET / HTTP/1.0\r\n\r\n' | on client timeout 20 plink \
	    -batch -P 2222 -i "$T/user.ppk" -hostkey "$print" \
	    -nc $WWW:80 $ME 2>&1)" "*the page of*" "PuTTY's plink"
else
	skip "no plink" "PuTTY's plink"
fi
if command -v dbclient >/dev/null; then
	dropbearconvert openssh dropbear "$KEY" "$T/user_db" >/dev/null 2>&1
	like "$(printf 'GET / HTTP/1.0\r\n\r\n' | on client timeout 20 dbclient \
	    -y -y -p 2222 -i "$T/user_db" -B $WWW:80 $ME 2>&1)" \
	    "*the page of*" "Dropbear's dbclient"
else
	skip "no dbclient" "Dropbear's dbclient"
fi

if /usr/bin/python3 -c 'import paramiko' 2>/dev/null; then
	rogue() {
		on client timeout 60 /usr/bin/python3 "$SW_ROOT/tests/lib/rogue.py" \
		    $SSHD 2222 "$KEY" "$1" 2>/dev/null
	}
	is "$(rogue udp)" hello "paramiko opens udp@smolwrap by its type"
	is "$(rogue types | grep -c 'as it should be')" 3 \
	    "other types are refused with their reasons"
	is "$(rogue garbage)" gone "garbage instead of a greeting"
	is "$(rogue giant)" gone "a packet of 2 GB"
	is "$(rogue early)" gone "a channel before the log-in"
	before=$(memory)
	is "$(rogue overrun)" gone "more than the window allows"
	is "$(rogue huge)" gone "more than a packet may hold"
	is "$(rogue ghost)" gone "data for no channel"
	is "$(rogue flood)" here "3,000 channels at once are refused, not fatal"
	is "$(rogue requests)" here "20,000 requests"
	after=$(memory)
	diag "memory before $before KiB, after $after KiB"
	ok "and memory is bounded" [ $((after - before)) -lt 16384 ]
	rogue name >/dev/null
	is "$(grep -c '^smolserve: auth attempt remote_addr=192.0.2.9' \
	    "$T/serve.log")" 0 "a name cannot forge a line of the log"
	like "$(grep 'remote_addr=192.0.2.9' "$T/serve.log")" \
	    '*remote_addr=10.9.0.2 result=reject*\\x22 result=accept\\x0a*' \
	    "it is quoted instead"
fi
like "$(get $WWW:80 /)" "*the page of*" "and others are served"

# A flood of handshakes that go nowhere delays nobody.
# ten: log-ins with a page each, one after the other; $n were good, in $took ms.
ten() {
	begun=$(date +%s%N) n=0
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		case $(get $WWW:80 /) in *"the page of"*) n=$((n + 1)) ;; esac
	done
	took=$((($(date +%s%N) - begun) / 1000000))
}
ten
quiet=$took
spawn client perl -MIO::Socket::INET -e '
	while (1) {
		push @s, IO::Socket::INET->new(PeerAddr => "10.9.0.1:2222",
		    Timeout => 1);
		print { $s[-1] } "SSH-2.0-slow\r\n" if $s[-1];
		shift @s if @s > 700;
		select(undef, undef, undef, 0.002);
	}'
flood=$!
ok "a flood is under way" within 20 sh -c "[ \$(grep -c 'connection opened' \
    '$T/serve.log') -ge 300 ]"
ten
is $n 10 "ten log-ins during a flood of slow handshakes"
diag "they took $quiet ms before, $took ms in the flood"
ok "which does not delay them" [ $took -lt $((quiet * 3 + 10000)) ]
diag "memory under the flood: $(memory) KiB"
kill $flood
stop_smolserve
is $? 0 "it ends in good order"
tap_end
