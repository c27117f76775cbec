#!/bin/sh
# What programs are refused is told once, in the log, without any name; and
# internet sockets that others pass in.

. "${0%/*}/../lib/net.sh"

hosts && services small || exit 1
product || skip_all "smolwrap is not built"
PY=/usr/bin/python3
[ -x $PY ] || skip_all "python3 is not installed"

# noted COMMAND...: runs it wrapped; its output in $T/out, the log in $T/log.
noted() {
	rm -f "$T/log"
	# shellcheck disable=SC2086 # VIA is a list of words
	on client env SMOLWRAP_LOG=warn SMOLWRAP_LOG_FILE="$T/log" \
	    "$B/smolwrap" $OPTIONS $VIA -- "$@" >"$T/out" 2>"$T/err"
	noted_status=$?
	within 5 no_sessions
	return $noted_status
}
lines() { grep -c "$1" "$T/log" 2>/dev/null; }
OPTIONS=

noted $PY -c "
import socket
for i in range(3):
    try: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
    except OSError as e: print(e.errno)
s = socket.socket()
try: s.setsockopt(socket.SOL_SOCKET, 9999, 1)
except OSError as e: print(e.errno)
u = socket.socket(socket.AF_UNIX)
try: u.connect('/run/nscd/socket')
except OSError as e: print(e.errno)
"
is "$(tr '\n' ' ' <"$T/out")" "1 1 1 92 2 " "refusals look like the kernel's"
is "$(lines 'no tunnel carries')" 1 "a refused family is noted, once"
is "$(lines 'option that is not known')" 1 "an unknown option is noted"
is "$(lines 'local service')" 1 "a refused local service is noted"
is "$(lines nscd)" 0 "and not named"

# Without an address, by a call that is the kernel's alone: in the stack of the
# program, and on loopback.
for there in "thread 53:$WWW" "session 53:$WWW" "session 7:127.0.0.1"; do
	OPTIONS="--stack ${there% *}" there=${there#* }
	noted $PY -c "
import os, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b'x', ('${there#*:}', ${there%%:*}))
for i in range(2): print(os.write(s.fileno(), b'lost'))
"
	is "$(tr '\n' ' ' <"$T/out")" "4 4 " "a datagram to nobody, ${there#*:}"
	is "$(lines 'it was dropped')" 1 "is noted, once"
done
OPTIONS=
noted $PY -c "
import socket
for i in range(2):
    try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('$WWW', 7))
    except OSError as e: print(e.errno)
"
is "$(tr '\n' ' ' <"$T/out")" "101 101 " "UDP that no stock server carries"
is "$(lines 'carries DNS alone')" 1 "is noted, once"
# shellcheck disable=SC2086
like "$(on client "$B/smolwrap" -v $VIA -- $PY -c "import socket
try: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
except OSError as e: print(e.errno)" 2>&1)" "*a program asked for a socket*" \
    "-v shows what is noted"

OPTIONS=--no-loopback noted sh -c "
	for i in 1 2 3; do $PY -c 'import socket
try: socket.create_connection((\"127.0.0.1\", 7))
except OSError as e: print(e.errno)'; done"
is "$(tr '\n' ' ' <"$T/out")" "13 13 13 " "loopback is refused"
is "$(lines 'refused a destination')" 1 "which is noted once for many processes"

noted env -i $PY -c "print('ran')"
is "$(cat "$T/out")" ran "a program with an empty environment runs"
is "$(lines 'environment without')" 1 "and that it was put back is noted"
noted true
is "$(wc -l 2>/dev/null <"$T/log" || echo 0)" 0 "nothing is noted without a cause"

# --- programs that the library cannot enter -----------------------------------
noted sh -c '"$0" 10.9.0.1 7; "$0" 10.9.0.1 7; exec "$0" 10.9.0.1 7' \
    "$B/tests/leak/static"
is "$(lines 'cannot enter')" 1 "a static program is noted, once"
noted "$B/smolwrap" true; : >>"$T/log"
is "$(lines 'cannot enter')" 0 "the launcher inside the launcher is not"
# shellcheck disable=SC2086
on client script -qec "$B/smolwrap $VIA -- sh -c '
    $B/tests/leak/static 10.9.0.1 7; $B/tests/leak/static 10.9.0.1 7'" \
    /dev/null >"$T/out" 2>"$T/err" </dev/null
is "$(grep -c '"static" is static and has no.*"smolwrap --isolate always bash"' \
    "$T/out")" 1 "and told to a person at a terminal, with what to do"
# shellcheck disable=SC2086
on client script -qec "$B/smolwrap $VIA -- sh -c '
    $B/smolwrap $B/tests/leak/static 10.9.0.1 7'" \
    /dev/null >"$T/out" 2>"$T/err" </dev/null
like "$(cat "$T/out")" \
    '*cannot be isolated: the program that started it*"smolwrap --isolate always"*' \
    "the launcher inside one that is not isolated says so"
if command -v hey >/dev/null; then
	noted sh -c "hey -n 1 -c 1 http://$WWW/ >/dev/null; :"
	is "$(lines 'cannot enter')" 1 "a dynamic Go program is noted, too"
else
	skip "hey is not installed" "a dynamic Go program"
fi
# One that names another C library's loader, which here is ours by that name.
printf '#include <stdio.h>\n#include <stdlib.h>\nint main(void)\n{\n%s}\n' \
    'puts(getenv("LD_PRELOAD") ? "with it" : "without");' >"$T/libc.c"
ln -s "$(readlink -f /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1 \
    2>/dev/null | head -n 1)" "$T/ld-musl-test.so.1"
if ${CC:-cc} "$T/libc.c" -o "$T/libc" \
    "-Wl,--dynamic-linker=$T/ld-musl-test.so.1" 2>"$T/err"; then
	noted sh -c "$T/libc; :"
	is "$(cat "$T/out")" without \
	    "a program of another C library is started without ours"
	is "$(lines 'cannot enter')" 1 "which is noted"
else
	skip "no compiler" "a program of another C library"
	skip "no compiler" "which is noted"
fi

# --- what the kernel would reach for it ----------------------------------------
MOUNT='import ctypes; c = ctypes.CDLL(None, use_errno=True)
print(c.mount(b"10.9.0.1:/x", b"/mnt", b"nfs", 0, None), ctypes.get_errno())
print(c.syscall(ctypes.c_long(430), b"cifs", 0), ctypes.get_errno())
print(c.mount(b"none", b"/mnt", b"tmpfs", 0, None))'
noted unshare -m $PY -c "$MOUNT"
is "$(tr '\n' ' ' <"$T/out")" "-1 1 -1 1 0 " \
    "network file systems are refused, others mounted"
is "$(lines 'network file system')" 1 "which is noted"
if isolation; then
	OPTIONS='--isolate always' noted unshare -m $PY -c "$MOUNT"
	: >>"$T/log"
	is "$(lines 'network file system')" 0 "isolated, they are the kernel's"
else
	skip "no network namespaces or TUN devices here" "isolated"
fi

# --- those of its kind that run outside ---------------------------------------
on client ssh -fNM -S "$T/outside" tester@$SSHD
noted ssh -S "$T/outside" -O check nobody
ok "a shared connection outside the tunnel is not used" test $? -ne 0
is "$(lines 'kept from')" 1 "which is noted"
ok "and it is still there" on client ssh -S "$T/outside" -O exit nobody
noted sh -c 'ssh -fNM -S "$0" "$1"; ssh -S "$0" -O exit nobody' \
    "$T/inside" tester@$SSHD
is "$?" 0 "one that was made inside is used"
# Agents are no such thing: by SSH_AUTH_SOCK, by a path that says so.
on client ssh-agent -a "$T/keys" >/dev/null
on client env SSH_AUTH_SOCK="$T/keys" ssh-add -q "$KEY"
mkdir "$T/nothing"
for how in "SSH_AUTH_SOCK=$T/keys" "SSH_AUTH_SOCK="; do
	ln -sf "$T/keys" "$T/an-agent"
	noted env "$how" ssh -v -F none -i "$T/nothing/no" \
	    -o IdentityAgent="$(case $how in *=) echo "$T/an-agent" ;;
	    *) echo SSH_AUTH_SOCK ;; esac)" -o UserKnownHostsFile="$KNOWN" \
	    -o BatchMode=yes tester@$SSHD true
	is $? 0 "an agent outside is asked, ${how%%=*} being \"${how##*[=/]}\""
done
rm -f "$T/outside"
noted $PY -c '
import ctypes, socket, sys
ctypes.CDLL(None).prctl(15, b"tmux: client")
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.close()
t = socket.socket(socket.AF_UNIX); print(t.connect_ex(sys.argv[1]))' "$T/outside"
is "$(cat "$T/out")" 111 "where nobody listens, nobody does"

# --- descriptors that others pass -------------------------------------------
cat >"$T/pass.py" <<'END'
import os, socket, sys, array
at, kind = sys.argv[1:]
server = socket.socket(socket.AF_UNIX)
server.bind(at + ".new"); server.listen()
os.rename(at + ".new", at)
if kind == "udp":
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
else:
    s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
while True:
    c = server.accept()[0]
    c.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
        array.array("i", [s.fileno()]))])
END
cat >"$T/take.py" <<'END'
import os, socket, sys
before = len(os.listdir("/proc/self/fd"))
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
try:
    fds = socket.recv_fds(s, 10, 4)[1]
    print("got", len(fds))
except OSError as e:
    print("errno", e.errno)
    s.close()
    print("open", len(os.listdir("/proc/self/fd")) - before)
END
spawn client $PY "$T/pass.py" "$T/udp" udp
spawn client $PY "$T/pass.py" "$T/listener" listener
within 5 test -S "$T/udp" && within 5 test -S "$T/listener"
noted $PY "$T/take.py" "$T/udp"
is "$(cat "$T/out")" "got 1" "an internet socket may be passed in"
is "$(lines 'was passed an internet socket')" 1 "which is noted"
OPTIONS=--strict noted $PY "$T/take.py" "$T/udp"
is "$(tr '\n' ' ' <"$T/out")" "errno 13 open 0 " \
    "--strict closes it, and the call fails" || diag "$(cat "$T/err")"
OPTIONS=--strict noted $PY "$T/take.py" "$T/listener"
is "$(cat "$T/out")" "got 1" "one that this machine alone reaches is let in"
is "$(lines 'was passed')" 0 "and is no news"
tap_end
