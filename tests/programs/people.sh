#!/bin/sh
# Mail boxes and chats; see tests/lib/row.sh.
TEST_SECONDS=${TEST_SECONDS:-900}
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/row.sh"

hosts && services small dns web || exit 1
for s in imap irc; do
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
row "ii" ii 6667 '*welcome*' \
    'ii -s $H -p $P -i $D -n me$$ & p=$!; i=0
	until grep -qs welcome $D/$H/out || [ $i -gt 80 ] || ! kill -0 $p; do sleep 0.1; i=$((i+1)); done
	kill $p 2>/dev/null; cat $D/$H/out'
tap_end
