#!/bin/sh
# smolserve out of descriptors: a port that listens for a client waits.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"

hosts || exit 1
[ -x "$B/smolserve" ] || skip_all "smolserve is not built"
cp "$KEY.pub" "$T/serve_keys"
start_smolserve --remote-forward any || exit 1

# A port for a client, and more connections to it than there are descriptors.
cat >"$T/hold.py" <<'END'
import socket, sys
l = socket.create_server(("127.0.0.1", 9099), backlog=200)
held = []
while True:
    c, _ = l.accept()
    c.sendall(b"here")
    held.append(c)
END
spawn client python3 "$T/hold.py"
within 10 hears client 9099
prlimit --pid "$pid_smolserve" --nofile=40:40
spawn client timeout 60 ssh -F none -p 2222 -i "$KEY" -o IdentitiesOnly=yes \
    -o UserKnownHostsFile="$T/serve_known" -N -R 9098:127.0.0.1:9099 "tester@$SSHD"
within 5 hears server 9098 || fail "the port"
cat >"$T/crowd.py" <<'END'
import socket, sys, time
s = [socket.create_connection(("127.0.0.1", 9098)) for i in range(60)]
open(sys.argv[1], "w").close()
time.sleep(60)
END
spawn server python3 "$T/crowd.py" "$T/crowded"
crowd=$!
within 20 test -e "$T/crowded" || fail "the crowd"
fds() { ls "/proc/$pid_smolserve/fd" | wc -l; }
full() { [ "$(fds)" -ge 40 ]; }
within 20 full || fail "the descriptors"
ticks() { awk '{ print $14 + $15 }' "/proc/$pid_smolserve/stat"; }
before=$(ticks); sleep 2; used=$(($(ticks) - before))
diag "$used ticks, $(fds) descriptors"
ok "without descriptors it waits, and does not turn" [ $used -lt 100 ]
kill $crowd
one() { on server timeout 5 python3 -c '
import socket
s = socket.create_connection(("127.0.0.1", 9098), 5)
s.settimeout(4)
print(s.recv(9))' | grep -q here; }
ok "and goes on when there are some again" within 10 one
tap_end
