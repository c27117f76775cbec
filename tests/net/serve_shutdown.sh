#!/bin/sh
# How smolserve ends: what is under way is finished, both ways; sessions are
# told; nothing new begins; and it does not take longer than --drain allows.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"

hosts && services small dns web || exit 1
[ -x "$B/smolserve" ] || skip_all "smolserve is not built"
cp "$KEY.pub" "$T/serve_keys"
ME=tester@$SSHD
digest() { sha256sum | cut -d' ' -f1; }
# Port 5600 takes what it is sent, at 4 MB/s, and says at the end how much that
# was and its digest.
cat >"$T/sink.py" <<'END'
import hashlib, socket, sys, time
s = socket.create_server((sys.argv[1], 5600))
while True:
    c, _ = s.accept()
    n, h = 0, hashlib.sha256()
    while b := c.recv(65536):
        n += len(b)
        h.update(b)
        time.sleep(len(b) / 4e6)
    c.sendall(b"%d %s\n" % (n, h.hexdigest().encode()))
    c.close()
END
spawn inet /usr/bin/python3 "$T/sink.py" $WWW
within 10 hears inet 5600

# Down, and up to a slow reader, each in a session of its own; and one that waits
# with a listening port and no channel.
start_smolserve --drain 60 --remote-forward any || exit 1
want=$(echo 30000000 | on server perl -MIO::Socket::INET -e '
	$s = IO::Socket::INET->new("203.0.113.80:5000"); print $s <STDIN>;
	print while sysread $s, $_, 65536' | digest)
echo 30000000 | openssh -W $WWW:5000 $ME >"$T/down" 2>"$T/down.err" &
down=$!
openssh -W $WWW:5600 $ME <"$T/www/10m" >"$T/up" 2>"$T/up.err" &
up=$!
openssh -v -N -R 0.0.0.0:2300:$WWW:80 $ME 2>"$T/idle.err" &
idle=$!
openssh -v -M -S "$T/mux" -N $ME 2>"$T/mux.err" &
mux=$!
within 10 test -S "$T/mux"
ok "four sessions are at work" within 10 sh -c "test -s '$T/down' &&
    grep -q 'remote forward success' '$T/idle.err'"
kill -TERM "$pid_smolserve"
within 5 grep -q 'going down' "$T/serve.log"
fails "no new connections" openssh -o ConnectTimeout=5 -N $ME
like "$(openssh -S "$T/mux" -W $WWW:80 $ME 2>&1 </dev/null; cat "$T/mux.err")" \
    "*the server is going down*" "no new channels, and why"
fails "no new ones by the listening port" on inet curl -sS -m 5 \
    http://203.0.113.1:2300/
wait $down
is "$(digest <"$T/down")" "$want" "30 MB down are whole"
wait $up
is "$(cat "$T/up")" "10485760 $(digest <"$T/www/10m")" \
    "10 MB up to a slow reader are whole, and its answer comes back"
wait $idle; wait $mux
like "$(cat "$T/idle.err")" "*the server is going down*" \
    "a session without channels is told"
wait "$pid_smolserve"
is $? 0 "and then it ends in good order"

# The same with what never ends.
start_smolserve --drain 2 || exit 1
endless() {
	rm -f "$T/begun"
	openssh -W $WWW:19 $ME 2>"$T/endless.err" |
	    { head -c 1 >"$T/begun"; cat >/dev/null; }
}
endless &
down=$!
openssh -v -N $ME 2>"$T/idle.err" &
idle=$!
within 10 sh -c "test -s '$T/begun' && [ \$(grep -c result=accept \
    '$T/serve.log') -ge 6 ]"
start=$(date +%s%N)
kill -TERM "$pid_smolserve"
wait "$pid_smolserve"
is $? 0 "an endless transfer is cut"
took=$((($(date +%s%N) - start) / 1000000))
diag "after $took ms"
ok "when the time for it is over" [ $took -ge 1900 ] && [ $took -lt 30000 ]
wait $down; wait $idle
like "$(cat "$T/idle.err")" "*the server is going down*" "its session is told"

# Twice told.
start_smolserve --drain 60 || exit 1
rm -f "$T/begun"
endless &
within 10 test -s "$T/begun"
kill -TERM "$pid_smolserve"
within 5 sh -c "[ \$(grep -c 'going down;' '$T/serve.log') -ge 3 ]"
start=$(date +%s%N)
kill -TERM "$pid_smolserve"
wait "$pid_smolserve"
ok "a second signal ends it before --drain would" \
    [ $((($(date +%s%N) - start) / 1000000)) -lt 30000 ]
tap_end
