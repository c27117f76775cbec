#!/bin/sh
# Programs of every kind over the mix tunnel, those that speak UDP included; see
# tests/lib/row.sh.  Each runs bare on the host that sees the internet and
# wrapped on the client; how the tunnel's faults look is tests/net/mix_faults.sh.
TEST_SECONDS=${TEST_SECONDS:-600}
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/row.sh"
. "$SW_ROOT/tests/lib/mixnet.sh"

hosts && services small dns web git rsync iperf ssh || exit 1
services quic || diag "rows that need QUIC will fail natively"
start_mixnet || exit 1
head -c 300000 "$T/www/1m" >"$T/www/300k"
SUM=$(sha256sum <"$T/www/300k")
watch client
ROW_QUICK=1
spawn inet gnutls-serv --udp --echo --port 4434 --x509certfile "$T/www.crt" \
    --x509keyfile "$T/www.key"
within 5 on inet grep -q ":1152 " /proc/net/udp
SSH="ssh -p 22 -i $KEY -o UserKnownHostsFile=$T/known_all -o StrictHostKeyChecking=no -o BatchMode=yes"
RTP="/usr/bin/python3 $SW_ROOT/tests/lib/rtp.py"
TALK="sh $T/talk"
export SSH RTP TALK
# talk TEXT COMMAND...: says it to a program each second, since datagrams may be
# lost, or overtake the handshake that is before them, until it comes back.
cat >"$T/talk" <<'END'
text=$1 left=40; shift
mkfifo "$D/to"
: >"$D/from"
"$@" <"$D/to" >"$D/from" 2>&1 &
exec 3>"$D/to"
until grep -m 1 "$text" "$D/from" || [ $left -eq 0 ]; do
	[ $((left % 4)) -ne 0 ] || echo "$text" >&3
	left=$((left - 1))
	sleep 0.25
done
[ $left -ne 0 ] || cat "$D/from" >&2
exec 3>&-
left=8				# some say goodbye, and their servers wait for it
while kill -0 $! && [ $left -gt 0 ]; do
	sleep 0.25
	left=$((left - 1))
done 2>/dev/null
kill $! 2>/dev/null
:
END

row "curl" curl - '*the page of*' 'curl -sS http://$H/'
row "curl https" curl - '*the page of*' 'curl -sS --cacert $CA https://$H/'
row "curl -6" curl - '*the page of*' 'curl -6 -sS http://$H/'
row "curl, 4 at once" curl - '4' \
    'curl -sS -Z http://$H/ http://$H/ http://$H/ http://$H/ | grep -c "the page of"'
row "curl upload" curl - '*40[0-9]*' \
    'head -c 200000 /dev/zero | curl -sS -T - http://$H/up -o /dev/null -w "%{http_code}"'
row "wget" wget - '*the page of*' 'wget -q -O - http://$H/'
row "python urllib" /usr/bin/python3 - '*the page of*' \
    '/usr/bin/python3 -c "import urllib.request as u; print(u.urlopen(\"http://$H/\").read().decode())"'
row "git clone" git - 'hello' \
    'git clone -q git://$H/repo.git $D/r && cat $D/r/readme'
row "rsync" rsync - '*the page of*' \
    'rsync -q rsync://$H/files/index.html $D/ && cat $D/index.html'
row "ssh" ssh - 'in a shell' '$SSH tester@$H echo in a shell'
row "nc" nc - 'today*' 'nc -w 10 $H 13 </dev/null'
row "ncat" ncat - 'through ncat' 'echo through ncat | ncat $H 7'
row "iperf3" iperf3 - '*iperf Done.*' 'iperf3 -c $H -n 300K'
row "iperf3 -R" iperf3 - '*iperf Done.*' 'iperf3 -c $H -n 300K -R'

row "dig, UDP" dig - '[0-9]*' 'dig +short +notcp @$WWW $H A'
row "dig, TCP" dig - '[0-9]*' 'dig +short +tcp @$WWW $H A'
row "dig, a large answer" dig - '*' 'dig +short +bufsize=4096 @$WWW example.test TXT'
row "drill" drill - '*www.example.test.*IN*A*' 'drill $H @$WWW'
row "kdig" kdig - '[0-9]*' 'kdig +short @$WWW $H A'
row "nslookup" nslookup - '*www.example.test*' 'nslookup -type=A $H'
row "nc -u" nc - 'by udp' '$TALK "by udp" nc -u $H 7'
row "ncat -u" ncat - 'by ncat' '$TALK "by ncat" ncat -u $H 7'
row "socat UDP" socat - 'by socat' '$TALK "by socat" socat - UDP:$H:7'
row "socat UDP6" socat - 'by six' '$TALK "by six" socat - UDP6:$H:7'
# It asks the kernel for the way, whose answer takes a TUN device, too.
if isolation; then
	row "HTTP/3" gtlsclient - '*the page of*' \
	    'gtlsclient -q --exit-on-all-streams-close --download=$D $H 4443 https://$H:4443/index.html && cat $D/index.html'
	row "HTTP/3, 300 KB" gtlsclient - "$SUM*" \
	    'gtlsclient -q --exit-on-all-streams-close --download=$D $H 4443 https://$H:4443/300k && sha256sum <$D/300k'
	via=$VIA VIA="$VIA --isolate always"
	row "HTTP/3, isolated" gtlsclient - '*the page of*' \
	    'gtlsclient -q --exit-on-all-streams-close --download=$D $H 4443 https://$H:4443/index.html && cat $D/index.html'
	VIA=$via
else
	skip "no network namespaces or TUN devices here" "HTTP/3"
fi
row "DTLS by gnutls" gnutls-serv - '*by dtls*' \
    '$TALK "by dtls" gnutls-cli --udp --x509cafile=$CA -p 4434 $H'
# Logs in by SSH, and talks by UDP; its own terminal, for it wants one.
row "mosh" mosh-client - '*in a mosh*' \
    'export LC_ALL=C.UTF-8 TERM=xterm
	script -qec "stty rows 24 cols 80; mosh --ssh=\"$SSH\" --server=\"env LC_ALL=C.UTF-8 mosh-server\" tester@$H -- sh -c \"echo in a mosh; sleep 3\"" /dev/null'
row "curl tftp" curl - '*the page of*' 'curl -sS -m 20 tftp://$H/index.html'
row "tftp" tftp - '*the page of*' \
    'cd $D && tftp $WWW -c get index.html && cat index.html'
row "a call by RTP" python3 - 'a call' '$RTP $H 7'
row "iperf3 -u" iperf3 - '*iperf Done.*' 'iperf3 -c $H -u -b 200K -t 2 -l 1000'
row "iperf3 -u -R" iperf3 - '*iperf Done.*' \
    'iperf3 -c $H -u -b 200K -t 2 -l 1000 -R'

is "$(mix_strays)" "" \
    "all that left the client went to its entry gateway"
ok "no session is left" within 15 no_sessions
tap_end
