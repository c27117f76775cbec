#!/bin/sh
# Web clients, bare and wrapped; see tests/lib/row.sh.
TEST_SECONDS=${TEST_SECONDS:-1200}
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/row.sh"

hosts && services small dns web || exit 1
SUM10=$(sha256sum <"$T/www/10m")
PAGE='*the page of www.example.test*'
# A second of noise, for those who play it.
/usr/bin/python3 -c 'import sys, wave
with wave.open(sys.argv[1], "wb") as w:
    w.setparams((1, 2, 44100, 0, "NONE", ""))
    w.writeframes(open(sys.argv[2], "rb").read(88200))' \
    "$T/www/tone.wav" "$T/www/10m"

row "curl" curl 80 "$PAGE" 'curl -sS http://$H:$P/'
row "curl https" curl 443 "$PAGE" 'curl -sS --cacert $CA https://$H:$P/'
row "curl -4" curl 80 "$PAGE" 'curl -4 -sS http://$H:$P/'
row "curl -6" curl 80 "$PAGE" 'curl -6 -sS http://$H:$P/'
row "curl -4, curl -6, who asks" curl 80 '203.0.113.1
2001:db8::1' 'curl -4 -sS http://$H:$P/where && curl -6 -sS http://$H:$P/where'
row "curl happy eyeballs" curl 443 "$PAGE" \
    'curl -sS --happy-eyeballs-timeout-ms 50 --cacert $CA https://$H:$P/'
row "curl --http2 -Z" curl 443 '*1048576*1048576*' \
    'cd $D && curl -sS --cacert $CA --http2 -Z https://$H:$P/1m -o a \
	https://$H:$P/1m -o b https://$H:$P/1m -o c && wc -c a b && cmp a b'
row "curl --tcp-fastopen" curl 80 "$PAGE" 'curl --tcp-fastopen -sS http://$H:$P/'
row "curl --local-port" curl 80 "$PAGE" \
    'curl --interface 0.0.0.0 --local-port 40000-40100 -sS http://$H:$P/'
row "curl by address" curl 80 "$PAGE" 'curl -sS http://$WWW:$P/'
row "curl by IPv6 address" curl 80 "$PAGE" 'curl -sS "http://[$WWW6]:$P/"'
row "curl 10 MB" curl 80 "$SUM10" 'curl -sS -f http://$H:$P/10m >$D/f && sha256sum <$D/f'
row "curl post" curl 80 '*405*' \
    'head -c 300000 /dev/zero | curl -sS --data-binary @- http://$H:$P/index.html'
row "curl keepalive" curl 80 "$PAGE*$PAGE" \
    'curl -sS --keepalive-time 2 http://$H:$P/ http://$H:$P/'
row "wget" wget 80 "$PAGE" 'wget -q -t 1 -T 15 -O- http://$H:$P/'
row "wget2" wget2 80 "$PAGE" \
    'wget2 -q --tries=1 --timeout=15 -O- http://$H:$P/ | grep page'
row "wget https" wget 443 "$PAGE" \
    'wget -q -t 1 -T 15 --ca-certificate=$CA -O- https://$H:$P/'
row "wget -b" wget - "$PAGE" \
    'cd $D && wget -b -q -o log -O f http://$H/ >/dev/null; i=0
	until grep -q html f || [ $i -gt 50 ]; do sleep 0.1; i=$((i+1)); done; cat f'
row "wget -r" wget - '*a file in a folder*' \
    'cd $D && wget -q -r http://$H/sub/file.txt && cat $H/sub/file.txt'
row "aria2c -x4" aria2c 80 "$SUM10" \
    'cd $D && aria2c -q -x4 -s4 --max-tries=1 --timeout=10 -o f http://$H:$P/10m && sha256sum <f'
row "w3m" w3m 80 "$PAGE" 'w3m -dump http://$H:$P/ && w3m -dump http://$H:$P/ | grep -q page'
row "lynx" lynx 80 "$PAGE" 'lynx -dump http://$H:$P/'
row "links" links 80 "$PAGE" 'links -dump http://$H:$P/'
row "elinks" elinks 80 "$PAGE" 'elinks -no-home -dump http://$H:$P/ && elinks -no-home -dump http://$H:$P/ | grep -q page'
# ab ends with the errno of a native read, where refused and reset look alike.
row "ab" ab 80 '*Complete requests:      60*' 'ab -s 10 -n 60 -c 6 http://$H:$P/ || exit 1'
row "wrk" wrk - '*Requests/sec*' 'wrk -t1 -c4 -d1s http://$H/'
row "h2load" h2load - '*60 succeeded*' 'h2load -n60 -c3 -m5 https://$H/'
row "httping" httping - '*2 connects*' 'httping -c 2 -i 0.1 http://$H/'
row "siege" siege - '*:*20 hits*' 'siege -c2 -r10 -R /dev/null http://$H/ 2>&1'
row "ffmpeg" ffmpeg 80 'MD5=*' \
    'ffmpeg -v error -i http://$H:$P/tone.wav -f md5 -'
row "ffprobe" ffprobe 80 '*pcm_s16le*' \
    'ffprobe -v error -show_entries stream=codec_name http://$H:$P/tone.wav'
row "openssl s_client" openssl 443 "*200 OK*page of*" \
    'printf "GET / HTTP/1.0\r\nHost: $H\r\n\r\n" | timeout 10 openssl s_client -connect $H:$P -CAfile $CA -verify_return_error -quiet 2>/dev/null'
row "gnutls-cli" gnutls-cli 443 "*page of*" \
    'printf "GET / HTTP/1.0\r\nHost: $H\r\n\r\n" | gnutls-cli --x509cafile=$CA -p $P $H'
row "ncat --ssl" ncat 443 "*page of*" \
    'printf "GET / HTTP/1.0\r\nHost: $H\r\n\r\n" | ncat --ssl --no-shutdown -w 10 $H $P'
tap_end
