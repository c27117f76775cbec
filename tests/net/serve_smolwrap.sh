#!/bin/sh
# smolserve with smolwrap: programs, true errors, names, numbers of connections.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"

hosts && services small dns web || exit 1
product && [ -x "$B/smolserve" ] || skip_all "smolwrap is not built"
cp "$KEY.pub" "$T/serve_keys"
start_smolserve || exit 1
watch client

like "$(via_smolserve curl -sS -m 10 http://www.example.test/)" \
    "*the page of*" "curl by name"
like "$(via_smolserve curl -sS -m 10 "http://[$WWW6]/")" "*the page of*" \
    "curl by IPv6 address"
via_smolserve curl -sS -m 30 -o "$T/10m" http://www.example.test/10m
ok "10 MiB arrive whole" cmp "$T/10m" "$T/www/10m"
# shellcheck disable=SC2016 # perl's
via_smolserve perl -MIO::Socket::INET -e '
	$s = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => 9) or die;
	print $s $_ while read(STDIN, $_, 65536)' $WWW <"$T/www/10m"
ok "10 MiB go whole" within 10 grep -q '^tcp 9 10485760 eof' "$T/serve-log"
via_smolserve sh -c '
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
		curl -sS -m 20 -o "$0/many.$i" http://www.example.test/1m &
	done; wait' "$T"
n=0
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
	cmp -s "$T/many.$i" "$T/www/1m" && n=$((n + 1))
done
is $n 16 "sixteen at once"

# The program's own words for what went wrong.
says() {
	# shellcheck disable=SC2016 # perl's
	via_smolserve perl -MIO::Socket::INET -e '
		$s = IO::Socket::INET->new(PeerAddr => $ARGV[0],
		    PeerPort => $ARGV[1], Timeout => 15);
		print $s ? "connected" : $!, "\n"' "$1" "$2"
}
is "$(says $WWW 80)" connected "an open port"
is "$(says $WWW 1)" "Connection refused" "a refused port"
is "$(says $NOBODY 80)" "No route to host" "a missing host"
like "$(says 10.9.0.1 22)" "Permission denied" "a private address"
# What a stock server cannot tell: the far end's reset is a reset.
# shellcheck disable=SC2016 # perl's
like "$(via_smolserve perl -MIO::Socket::INET -e '
	$s = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => 5006);
	while (($n = sysread($s, $_, 1000)) > 0) { $all += $n }
	print "$all ", defined $n ? "end" : $!, "\n"' $WWW)" \
    "100 Connection reset*" "100 bytes and a reset"
like "$(via_smolserve curl -sS -m 20 http://neverland.test/ 2>&1)" \
    "*Could not resolve host*" "an unknown name"
like "$(via_smolserve curl -sS -m 20 http://v6.example.test/)" \
    "*the page of*" "a name with an IPv6 address only"
is "$(via_smolserve sh -c 'for f in -4 -6; do
	curl $f -sS -m 20 http://www.example.test/where; done' | tr '\n' ' ')" \
    "203.0.113.1 2001:db8::1 " "a name with both: the family that is asked for"
is "$(via_smolserve curl -4 -sS -m 20 http://v6.example.test/where)" \
    "2001:db8::1" "IPv4 asked for, and none there: the name's own"
is "$(via_smolserve dig +short +time=5 +tries=1 example.test MX)" \
    "10 www.example.test." "other records, by the server's own name server"
is "$(strays client | grep -v '^tcp 10.9.0.1 2222 ')" "" \
    "nothing left beside the tunnel"

fails "destinations are in no log" grep -E "example.test|$WWW|neverland|$NOBODY" \
    "$T/serve.log"
stop_smolserve
is $? 0 "it ends in good order"
diag "$(grep -vE 'connection (opened|closed)|auth attempt' "$T/serve.log")"
tap_end
