#!/bin/sh
# Databases, directories, mail, measuring; see tests/lib/row.sh.
TEST_SECONDS=${TEST_SECONDS:-1200}
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/row.sh"

hosts && services small dns web smtp || exit 1
for s in redis postgres ldap iperf iperf2; do
	services $s || diag "rows that need $s will fail natively"
done
# Too much to install for every day; where they are, they are tried.
for s in mariadb samba; do
	services $s 2>/dev/null
done
printf 'a note\n' >"$T/note"

row "redis-cli" redis-cli 6379 '*PONG*' 'redis-cli -h $H -p $P ping'
row "redis-cli --pipe" redis-cli - '*replies: 500*' \
    'seq 500 | sed "s/.*/SET k& v&/" | redis-cli -h $H --pipe 2>&1'
row "psql" psql 5432 '*42*' 'PGCONNECT_TIMEOUT=10 psql -h $H -p $P -U tester -d postgres -Atc "select 6*7"'
row "psql copy" psql - '100000' \
    'psql -h $H -U tester -d postgres -Atc "copy (select generate_series(1,100000)) to stdout" | wc -l'
row "mysql" mariadbd 3306 '42' \
    'mysql --no-defaults --protocol=tcp --connect-timeout=10 -h $H -P $P -u root -Nse "select 6*7"'
row "smbclient" smbd 445 '*a file of samba*' \
    'smbclient -s $T/smb.conf -t 10 -p $P -N //$H/files -c "get note -" 2>/dev/null'
row "ldapsearch" ldapsearch 389 '*o: example*' \
    'ldapsearch -x -LLL -o nettimeout=10 -H ldap://$H:$P -b dc=example,dc=test o'
row "swaks" swaks 25 '*250 kept*' 'swaks --timeout 10 --server $H --port $P --to a@example.test --from b@example.test'
row "msmtp" msmtp 25 'sent' \
    'printf "Subject: x\n\nbody\n" | msmtp --host=$H --port=$P --timeout=10 --from=b@example.test a@example.test && echo sent'
row "curl smtp" curl 25 'sent' \
    'curl -sS --mail-from b@example.test --mail-rcpt a@example.test -T $T/note smtp://$H:$P/x && echo sent'
row "curl pop3" curl 110 '*a letter*' 'curl -sS -u me:secret pop3://$H:$P/1'
row "fetchmail" fetchmail - '*a letter*' \
    'printf "poll $H protocol pop3 username me password secret mda cat\n" >$D/rc; chmod 700 $D/rc; fetchmail -k --nosyslog -f $D/rc --sslproto "" -s'
row "iperf3" iperf3 5201 '*receiver*' 'iperf3 -c $H -p $P -n 8M --connect-timeout 8000'
row "iperf3 -R" iperf3 - '*receiver*' 'iperf3 -R -c $H -n 8M'
row "iperf3 -P 4" iperf3 - '*receiver*' 'iperf3 -P 4 -c $H -n 4M'
row "iperf3 --bidir" iperf3 - '*receiver*' 'iperf3 --bidir -c $H -t 1'
row "iperf2" iperf - '*1.00 MBytes*' 'iperf -c $H -p 5009 -n 1M'
row "iperf2, both ways, 2 at once" iperf - '*SUM*' 'iperf -c $H -p 5009 -t 1 -P 2 -d'
row "nmap -sT" nmap - '*7/tcp*open*5999/tcp*closed*' \
    'nmap -sT -Pn -n -p 7,13,5999 203.0.113.80'
row "emacs url-retrieve" emacs - '*the page of*' \
    'emacs -Q --batch --eval "(with-current-buffer (url-retrieve-synchronously \"http://$H/\" t t 15) (princ (buffer-string)))"'
tap_end
