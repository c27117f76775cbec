#!/bin/sh
# Each file of examples/ at work: configurations are started and used, the
# filter of fail2ban reads a log of real failures. (serve_systemd.sh: the unit.)

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"

hosts && services small dns web || exit 1
product && [ -x "$B/smolserve" ] || skip_all "smolwrap is not built"
E=$SW_ROOT/examples
ME=tester@$SSHD

# As in /etc/smolserve, of which this user may have none.
mkdir -p "$T/etc" "$T/var/www/html"
cp "$KEY.pub" "$T/etc/authorized_keys"
cp "$T/www.crt" "$T/etc/site.pem" && cp "$T/www.key" "$T/etc/site.key"
echo "an ordinary page" >"$T/var/www/html/index.html"
# start_example FILE [OPTION...]
start_example() {
	sed "s,/etc/smolserve,$T/etc,; s,/var/www,$T/var/www," "$E/$1" >"$T/etc/conf"
	shift
	: >"$T/serve.out"
	# shellcheck disable=SC2016 # for the inner shell
	spawn server sh -c 'out=$1 log=$2; shift 2; exec "$@" >"$out" 2>>"$log"' \
	    sh "$T/serve.out" "$T/serve.log" "$B/smolserve" -c "$T/etc/conf" \
	    --state "$T/serve-state" "$@"
	pid_smolserve=$!
	within 10 grep -q '^ready' "$T/serve.out" || {
		diag "$(cat "$T/serve.log")"
		return 1
	}
	sed -n "s/^hostkey /[$SSHD]:2222 /p" "$T/serve.out" >"$T/serve_known"
}

start_example smolserve.conf || exit 1
pass "smolserve.conf starts"
like "$(get $WWW:80 /)" "*the page of*" "and serves"
like "$(openssh -W $WWW:25 $ME 2>&1 </dev/null)" "*prohibited*" "but not port 25"
stop_smolserve

start_example smolserve-tls.conf || exit 1
pass "smolserve-tls.conf starts"
is "$(on client curl -sS -m 10 --cacert "$T/ca.crt" https://www.example.test/ \
    --resolve www.example.test:443:$SSHD)" "an ordinary page" "it is a web site"
sed "s/^[^ ]*/$SSHD/" "$T/serve_known" >"$T/tls_known"
like "$(on client "$B/smolwrap" --via "ssh+tls://tester@$SSHD" -i "$KEY" \
    --known-hosts "$T/tls_known" --tls-ca "$T/ca.crt" \
    --tls-server-name www.example.test -- curl -sS -m 10 http://$WWW/ 2>&1)" \
    "*the page of*" "and a tunnel"
stop_smolserve

# At a known address, for want of a relay here.
start_example smolserve-iroh.conf || exit 1
pass "smolserve-iroh.conf starts"
at=$(sed -n 's/^listen iroh //p' "$T/serve.out")
id=${at%% *} port=${at##* }
by_iroh() {
	on client "$B/smolwrap" --via "ssh+iroh://tester@$id" -i "$KEY" \
	    --iroh-address "$SSHD:$port" --known-hosts "$T/iroh_known" -- "$@"
}
: >"$T/iroh_known"
by_iroh true 2>&1 | sed -n "s/.*echo '\(.*\)' >>.*/\1/p" >"$T/line"
cat "$T/line" >"$T/iroh_known"
like "$(by_iroh curl -sS -m 10 http://$WWW/ 2>&1)" "*the page of*" \
    "and serves by its id"
stop_smolserve

cp "$E/authorized_keys" "$T/etc/authorized_keys"
sed -n 's/^#\(.*\)AAAA\.\.\./\1AAAA/p' "$E/authorized_keys" >"$T/lines"
key=$(cut -d' ' -f2 "$KEY.pub")
sed "s, AAAA , $key ," "$T/lines" >>"$T/etc/authorized_keys"
is "$(grep -c "$key" "$T/etc/authorized_keys")" 3 "authorized_keys: three lines"
start_example smolserve.conf || exit 1
is "$(grep -c 'authorized_keys:' "$T/serve.log")" 0 "and each of them makes sense"
like "$(get $WWW:80 /)" "*the page of*" "the first that fits counts"
stop_smolserve

if command -v systemd-analyze >/dev/null; then
	sed "s,/usr/local/sbin,$B,; /^Documentation/d" "$E/smolserve.service" \
	    >"$T/smolserve.service"
	is "$(systemd-analyze verify --man=no "$T/smolserve.service" 2>&1 |
	    grep -F smolserve.service)" "" "systemd finds no fault in the unit"
fi

# Failures of every kind, and some that are none.
command -v fail2ban-regex >/dev/null || {
	skip "fail2ban is not installed" "the filter"
	tap_end
	exit
}
cp "$KEY.pub" "$T/etc/authorized_keys"
: >"$T/serve.log"
start_example smolserve.conf --max-per-ip 2 --login-time 2 || exit 1
ssh-keygen -q -t ed25519 -N '' -f "$T/stranger"
from() {
	k=$1; shift
	openssh_as "$k" -N "$@" >>"$T/out" 2>&1
}
from "$T/stranger" $ME
from "$T/stranger" -l \
    'smolserve: auth attempt remote_addr=192.0.2.9 result=reject' $SSHD
from "$T/stranger" -l 'x smolserve: auth timeout remote_addr=192.0.2.9 x' $SSHD
on client perl -MIO::Socket::INET -e '
	$s = IO::Socket::INET->new("10.9.0.1:2222"); 1 while sysread $s, $_, 999'
printf 'GET / HTTP/1.0\r\n\r\n' |
    on client perl -MIO::Socket::INET -e '
	$s = IO::Socket::INET->new("10.9.0.1:2222"); print $s <STDIN>;
	1 while sysread $s, $_, 999'
on client perl -MIO::Socket::INET -e '
	@s = map { IO::Socket::INET->new("10.9.0.1:2222") } 1 .. 4;
	sysread $s[3], $_, 99'
get $WWW:80 / >>"$T/out" 2>&1
ok "all of it is in the log" within 10 grep -q 'login=yes' "$T/serve.log"
stop_smolserve

# found MODE LOG: of whom the filter takes how many lines.
found() {
	fail2ban-regex -c "$T/fail2ban" -o ip "$2" "smolserve[mode=$1]" \
	    2>"$T/out" | sort | uniq -c | awk '{ print $2, $1 }' | tr '\n' ';'
}
mkdir -p "$T/fail2ban/filter.d"
cp "$E/fail2ban-smolserve.conf" "$T/fail2ban/filter.d/smolserve.conf"
cp /etc/fail2ban/filter.d/common.conf "$T/fail2ban/filter.d/"
cp /etc/fail2ban/fail2ban.conf "$T/fail2ban/"
stamp="$(date '+%b %e %T') host "
sed "s/^/$stamp/; s/ smolserve: / smolserve[7]: /" "$T/serve.log" \
    >"$T/syslog"
sed "s/^/${stamp}smolserve[7]: /" "$T/serve.log" >"$T/journal"
rejects=$(grep -c 'result=reject' "$T/serve.log")
outs=$(grep -c '^smolserve: auth timeout' "$T/serve.log")
more=$(grep -cE 'connection rejected|login=no' "$T/serve.log")
is "$rejects" 3 "three wrong keys"
ok "who is silent, who is too many, who is no client of SSH" \
    [ "$outs" -ge 1 ] && [ "$more" -ge 5 ]
for log in serve.log syslog journal; do
	is "$(found normal "$T/$log")" "10.9.0.2 $((rejects + outs));" \
	    "the filter finds them in $log, and no name passes for an address"
	is "$(found aggressive "$T/$log")" "10.9.0.2 $((rejects + outs + more));" \
	    "and all of them when aggressive"
done
tap_end
