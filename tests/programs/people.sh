#!/bin/sh
# Mail boxes, keys and chats; see tests/lib/row.sh.
TEST_SECONDS=${TEST_SECONDS:-900}
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/row.sh"

hosts && services small dns web || exit 1
for s in imap irc keyserver; do
	services $s || diag "rows that need $s will fail natively"
done

cat >"$T/mbsyncrc" <<'END'
IMAPStore far
Host HOST
Port PORT
User me
Pass secret
SSLType None
AuthMechs LOGIN
Timeout 10

MaildirStore near
Path FOLDER/
Inbox FOLDER/inbox

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
Sync Pull
SyncState *
END
row "mbsync" mbsync 143 '*a letter*' \
    'sed "s/HOST/$H/; s/PORT/$P/; s,FOLDER,$D," $T/mbsyncrc >$D/rc
	mbsync -q -c $D/rc all && cat $D/inbox/*/*'
row "curl imap" curl 143 '*a letter*' \
    'curl -sS -m 15 -u me:secret "imap://$H:$P/INBOX;MAILINDEX=1"'
# Its own terminal, for it wants one.
cat >"$T/neomuttrc" <<'END'
set folder=$HOME imap_user=me imap_pass=secret imap_authenticators=login
set ssl_starttls=no ssl_force_tls=no quit=yes connect_timeout=10
push "<display-message><exit><quit>"
END
row "neomutt" neomutt 143 'a@example.test*' \
    'HOME=$D TERM=xterm script -qec "stty rows 24 cols 80; exec neomutt -n -F $T/neomuttrc -f imap://$H:$P/INBOX" /dev/null </dev/null >$D/seen
	tr -d "\000" <$D/seen | grep -ao a@example.test'
row "gpg --recv-keys" gpg 11371 '*A Tester*' \
    'mkdir -m 700 $D/g; echo "connect-timeout 10" >$D/g/dirmngr.conf
	gpg -q --homedir $D/g --batch --keyserver hkp://$H:$P --recv-keys $FINGERPRINT 2>/dev/null; s=$?
	gpg --homedir $D/g -k; gpgconf --homedir $D/g --kill all; exit $s'
row "ii" ii 6667 '*welcome*' \
    'ii -s $H -p $P -i $D -n me$$ & p=$!; i=0
	until grep -qs welcome $D/$H/out || [ $i -gt 80 ] || ! kill -0 $p; do sleep 0.1; i=$((i+1)); done
	kill $p 2>/dev/null; cat $D/$H/out'
tap_end
