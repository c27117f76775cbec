#!/bin/sh
# Resolvers of every kind; see tests/lib/row.sh. Names are known on inet alone. The
# address a wrapped program is given may be real or stand for the name.
TEST_SECONDS=${TEST_SECONDS:-600}
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/row.sh"

hosts && services small dns || exit 1
V4='[0-9]*.[0-9]*.[0-9]*.[0-9]*'
row "getent hosts" getent - '*www.example.test*' 'getent hosts $H'
row "getent ahosts" getent - "*$V4*STREAM*" 'getent ahosts $H'
row "getent ahostsv4" getent - "$V4*STREAM*" 'getent ahostsv4 $H'
row "getent ahostsv6" getent - "*:*STREAM*" 'getent ahostsv6 $H'
row "getent localhost" getent - '*localhost*' 'getent hosts localhost'
row "getent, unknown" getent - '2' 'getent ahosts neverland.test; echo $?'
row "dig" dig - "$V4" 'dig +short $H A'
row "dig AAAA" dig - "*:*" 'dig +short $H AAAA'
row "dig @server" dig - "$V4" 'dig +short @$WWW $H A'
row "dig +tcp" dig - "$V4" 'dig +short +tcp @$WWW $H A'
row "dig MX" dig - '10 www.example.test.' 'dig +short +tcp @$WWW example.test MX'
row "dig TXT by UDP" dig - '*hello from the far side*' 'dig +short @$WWW example.test TXT'
row "dig nxdomain" dig - '*NXDOMAIN*' 'dig +tcp @$WWW neverland.test'
row "host" host - '*has address*' 'host -t A $H'
row "nslookup" nslookup - "*www.example.test*" 'nslookup -type=A $H'
row "drill" drill - '*www.example.test.*IN*A*' 'drill $H @$WWW'
row "delv" delv - "$V4" 'delv -i +short @$WWW $H A'
row "delv +tcp, by resolv.conf" delv - "*IN*A*$V4*" 'delv -i +tcp $H A'
row "kdig" kdig - "$V4" 'kdig +short @$WWW $H A'
row "python getaddrinfo" /usr/bin/python3 - '2 2' \
    '/usr/bin/python3 -c "import socket as s; print(*sorted({a[0].value for a in s.getaddrinfo(\"$H\", 80, s.AF_INET)}), len(s.gethostbyname_ex(\"v4.example.test\")))" | sed s/3/2/'
row "perl gethostbyname" perl - 'ok' 'perl -e "print \"ok\" if gethostbyname(\"$H\")"'

# A resolver that does not answer, at once or after its time, is no unknown name.
printf 'nameserver %s\noptions timeout:2 attempts:1\n' $DARK \
    >"$T/etc-server/resolv.conf"
for perl in "with perl" "without perl"; do
	is "$(wrapped env LC_ALL=C /usr/bin/python3 -c 'import socket
try: socket.getaddrinfo("www.example.test", 80)
except OSError as e: print(e)' 2>&1)" \
	    "[Errno -3] Temporary failure in name resolution" \
	    "a silent resolver on the server, $perl"
	on server mount --bind /dev/null /usr/bin/perl
done
tap_end
