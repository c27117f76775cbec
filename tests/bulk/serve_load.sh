#!/bin/sh
# smolserve under load: 500 sessions with 20 channels each, all open at once,
# every one of them carrying bytes; and what that costs. SESSIONS and CHANNELS
# change the numbers.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"

/usr/bin/python3 -c 'import paramiko' 2>/dev/null ||
	skip_all "python3-paramiko is not installed"
SESSIONS=${SESSIONS:-500} CHANNELS=${CHANNELS:-20}
hosts && host more || exit 1
[ -x "$B/smolserve" ] || skip_all "smolserve is not built"
cp "$KEY.pub" "$T/serve_keys"
# shellcheck disable=SC3045 # dash has it
ulimit -n "$(ulimit -Hn)"
cat >"$T/echo.py" <<'END'
import asyncio
async def serve(r, w):
    while data := await r.read(1000):
        w.write(data)
    w.close()
async def main():
    s = await asyncio.start_server(serve, "203.0.113.80", 7, backlog=4000)
    await s.serve_forever()
asyncio.run(main())
END
spawn inet /usr/bin/python3 "$T/echo.py"
within 10 hears inet 7
start_smolserve --max-connections 0 || exit 1
on client timeout 500 /usr/bin/python3 "$SW_ROOT/tests/lib/load.py" $SSHD 2222 \
    "$KEY" "$SESSIONS" "$CHANNELS" $WWW 7 "$pid_smolserve" >"$T/load" 2>"$T/load.err"
figure() { sed -n "s/^$1 //p" "$T/load"; }
is "$(figure sessions)" "$SESSIONS" "sessions"
is "$(figure channels)" $((SESSIONS * CHANNELS)) "channels"
is "$(figure answers)" $((SESSIONS * CHANNELS)) "each of them carries bytes"
diag "$(cat "$T/load")"
diag "$(sort "$T/load.err" | uniq -c | head -n 5)"
diag "processor time: $(awk '{ print ($14 + $15) / 100 }' \
    "/proc/$pid_smolserve/stat") s"
ok "less than 24 KiB for a session" \
    awk -v k="$(figure session_kib)" 'BEGIN { exit !(k < 24) }'
stop_smolserve
is $? 0 "it ends in good order"
tap_end
