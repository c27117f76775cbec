#!/bin/sh
# Programs that no library can catch, in a network namespace of their own: they
# reach what the tunnel reaches, get its errors, and nothing else.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/mixnet.sh"

hosts && services small dns web || exit 1
product || skip_all "smolwrap is not built"
isolation || skip_all "no network namespaces or TUN devices here"
command -v busybox >/dev/null && busybox wget --help >/dev/null 2>&1 ||
    skip_all "no static busybox"
watch client

PAGE='<html><body>the page of www.example.test</body></html>'
get() { wrapped busybox wget -q -O - "$@"; }

# --- what works ----------------------------------------------------------------
is "$(get http://www.example.test/)" "$PAGE" "static wget, by name"
is "$(get http://$WWW/ | wc -c)" "$(printf '%s\n' "$PAGE" | wc -c)" \
    "static wget, by address"
is "$(get "http://[$WWW6]/")" "$PAGE" "static wget, IPv6"
like "$(wrapped busybox nslookup www.example.test)" "*198.18.*" \
    "static nslookup asks the session"
head -c 20000000 /dev/urandom >"$T/www/big"
is "$(get http://www.example.test/big | cksum)" "$(cksum <"$T/www/big")" \
    "20 MB come as they are"
spawn inet sh -c "nc -l -p 7777 >$T/got"
within 5 hears inet 7777
wrapped busybox nc $WWW 7777 <"$T/www/big"
ok "what was written before the end arrives" within 10 cmp -s "$T/got" "$T/www/big"
if command -v hey >/dev/null; then
	like "$(SSL_CERT_FILE=$T/ca.crt wrapped hey -n 200 -c 20 \
	    https://www.example.test/)" "*200 responses*" \
	    "Go, 200 requests over TLS by 20 at once"
else
	skip "hey is not installed" "Go, 200 requests"
fi
# shellcheck disable=SC2086 # VIA is a list of words
{
is "$(on client "$B/smolwrap" $VIA --isolate always -- sh -c \
    'busybox wget -q -O - http://www.example.test/; curl -s http://www.example.test/')" \
    "$PAGE
$PAGE" "a shell that was isolated: static and dynamic children"
is "$(on client "$B/smolwrap" $VIA --isolate always -- sh -c \
    "$B/smolwrap busybox wget -q -O - http://www.example.test/
    $B/smolwrap --isolate always curl -s http://www.example.test/")" \
    "$PAGE
$PAGE" "the launcher inside it: the namespace serves"
is "$(on client "$B/smolwrap" $VIA --isolate always -- sh -c \
    'ip -o link | wc -l; ip route get 10.9.0.1 | head -n 1 | cut -d" " -f3')" "2
smol0" "it sees one device besides lo, and its host's network by the tunnel only"
is "$(on client unshare -U --map-user=1000 --map-group=1000 \
    "$B/smolwrap" $VIA -- busybox sh -c \
    'id -u; busybox wget -q -O - http://www.example.test/')" "1000
$PAGE" "an ordinary user, who keeps the id"
}

# As cron's and others' children may have it, who want no news of their own.
# shellcheck disable=SC2016 # for the inner shell
is "$(on client env VIA="$VIA" SW="$B/smolwrap" sh -c 'trap "" CHLD
	$SW check | grep "^isolation"
	$SW $VIA busybox wget -q -O - http://www.example.test/
	$SW $VIA ip route')" "isolation yes
$PAGE
default dev tun0 proto static " "with SIGCHLD ignored"

# --- 32-bit programs -------------------------------------------------------------
# As their libc does it: socketcall(), whose arguments no filter sees.  Prints
# what port 13 says, or ends with the errno of socket() or connect().
cat >"$T/small.c" <<'EOF'
static int call(int nr, int a, const void *b, int c)
{
	int r;

	__asm__ volatile("int $0x80" : "=a"(r) :
	    "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return r;
}
void _start(void)
{
	/* AF_INET, port 13, 203.0.113.80 */
	static const unsigned char to[16] = { 2, 0, 0, 13, 203, 0, 113, 80 };
	const int new[3] = { 2, 1, 0 };
	char text[100];
	int fd = call(102, 1, new, 0), r = fd, n;

	if (fd >= 0) {
		const int there[3] = { fd, (int)to, sizeof(to) };

		r = call(102, 3, there, 0);
	}
	if (r == 0 && (n = call(3, fd, text, sizeof(text))) > 0)
		call(4, 1, text, n);
	call(1, -r, 0, 0);
}
EOF
if ${CC:-cc} -m32 -O1 -ffreestanding -fno-stack-protector -fno-pic -no-pie \
    -nostdlib -static "$T/small.c" -o "$T/small" 2>"$T/err" &&
    [ "$(on server "$T/small")" = today ]; then
	is "$(wrapped "$T/small")" today "a 32-bit program, isolated"
	# shellcheck disable=SC2086
	is "$(on client "$B/smolwrap" $VIA --isolate always -- \
	    sh -c "$T/small; curl -s http://www.example.test/")" "today
$PAGE" "and in a shell that was"
	wrapped sh -c "$T/small" >"$T/out" 2>&1
	is "$?: $(cat "$T/out")" "38: " "in one that was not it has no socket"
	# shellcheck disable=SC2086
	like "$(on client script -qec "$B/smolwrap $VIA sh -c $T/small" \
	    /dev/null </dev/null)" '*"small" is for another kind of machine and has no network here*' \
	    "which a person at a terminal is told"
	# shellcheck disable=SC2086
	like "$(on client "$B/smolwrap" $VIA --isolate never "$T/small" 2>&1)" \
	    "smolwrap: cannot wrap \"$T/small\": it is built for another kind*" \
	    "--isolate never: refused"
else
	skip "no 32-bit programs here" "a 32-bit program"
fi

# --- errors --------------------------------------------------------------------
like "$(get http://$WWW:81/ 2>&1)" "*Connection refused*" "a refused port"
like "$(get http://no.example.test/ 2>&1)" "*bad address*" "an unknown name"
on client mount --bind /dev/null /dev/net/tun
like "$(get http://$WWW/ 2>&1)" \
    "smolwrap: cannot wrap \"busybox\": it is statically linked*isolated:*" \
    "without TUN devices: one line that says why"
on client umount /dev/net/tun
# shellcheck disable=SC2086 # VIA is a list of words
like "$(on client "$B/smolwrap" $VIA --isolate never busybox true 2>&1)" \
    "smolwrap: cannot wrap*" "--isolate never: refused"

# other_etc COMMAND: by a shell on client, with a copy of /etc there to change.
other_etc() {
	# shellcheck disable=SC2016,SC2086 # the inner shell's; a list of words
	on client unshare -m sh -c '
		mkdir -p "$0" && cp -r "$1"/. "$0" && rm "$0/resolv.conf" &&
		mount --bind "$0" /etc && eval "$2"' "$T/etc-other" \
		"$T/etc-client" "$1" 2>&1
}
SW="$B/smolwrap $VIA busybox wget -q -O - http://www.example.test/"
like "$(other_etc "$SW; ls /etc/resolv.conf")" \
    "smolwrap: cannot wrap*resolv.conf*No such file*ls: *No such file*" \
    "no resolv.conf: an error, and none is made"
is "$(other_etc "mkdir -p /run/systemd/resolve
    echo nameserver 192.0.2.53 >/run/systemd/resolve/stub-resolv.conf
    ln -s /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
    $SW; cat /etc/resolv.conf")" "$PAGE
nameserver 192.0.2.53" "a resolv.conf among what is hidden: led, and left as it was"
is "$(wrapped busybox wget -q -O - http://www.example.test/ <&-)" "$PAGE" \
    "with standard input closed"

# --- services that would use the network for it ---------------------------------
SERVICES='/run/docker.sock /run/snapd.socket /run/nscd/socket
/run/user/0/podman/podman.sock'
on client mkdir -p /run/nscd /run/user/0/podman
# shellcheck disable=SC2086 # a list
spawn client "$B/tests/leak/sink" "$T/hits" unix $SERVICES
within 20 on client "$B/tests/leak/static" /run/user/0/podman/podman.sock
for service in $SERVICES; do
	ok "bare, $service answers a static program" \
	    on client "$B/tests/leak/static" "$service"
	like "$(wrapped "$B/tests/leak/static" "$service" 2>&1)" "static: *" \
	    "isolated, it does not"
done

# --- programs that go their own way ---------------------------------------------
# shellcheck disable=SC2016 # the inner shell's
wrapped busybox sh -c 'fd=${SMOLWRAP_CTL%%:*}; eval "exec $fd>&-"
	(sleep 1; exec busybox wget -q -O "$0" http://www.example.test/) &' \
	    "$T/late" >/dev/null 2>&1
ok "a daemon that closed what it did not know has a network" \
    within 15 grep -qs "the page of" "$T/late"
ok "and its session ends with it" within 15 no_sessions
# shellcheck disable=SC2086 # VIA is a list of words
spawn client "$B/smolwrap" $VIA --publish 8080 -- \
    busybox httpd -f -p 8080 -h "$T/www"
job=$!
ok "a static server is published" within 15 on server curl -sS -m 5 \
    -o "$T/published" http://127.0.0.1:8080/index.html
is "$(cat "$T/published")" "$PAGE" "and serves on the SSH server"
kill $job
ok "until it ends" within 15 no_sessions

# An environment that outlived its namespace is not believed.
# shellcheck disable=SC2086 # VIA is a list of words
like "$(on client env SMOLWRAP_CTL=99:1 SMOLWRAP_POLICY=isolated=1 \
    "$B/smolwrap" $VIA -- busybox ip -o link)" "*smol0*" \
    "it is the kernel who says that a program is isolated"

# interrupted NAME COMMAND...: a slow download while COMMAND does it.
interrupted() {
	what=$1; shift
	rm -f "$T/part"
	get http://www.example.test/slow >"$T/part" 2>"$T/err" &
	job=$!
	ok "$what: data flows before" within 10 test -s "$T/part"
	from=$(date +%s)
	"$@"
	wait $job
	status=$?
	ok "$what: the program fails (status $status)" test $status -ne 0
	ok "$what: within 20 s" test $(($(date +%s) - from)) -lt 20
}
# The session itself, not the guard beside the program.
kill_session() {
	for p in $(sessions); do
		case $(readlink "/proc/$p/exe") in
		*-session) kill -9 "$p" ;;
		esac
	done
}
interrupted "the ssh connection is killed" cut_tunnel KILL
interrupted "the session is killed" kill_session
ok "no session is left" within 10 no_sessions
is "$(pgrep -c smolwrap-guard)" 0 "and no guard"
is "$(strays client)" "" "all that time, the client sent SSH and no more"

# --- over the mixnet, with UDP ---------------------------------------------------
# shellcheck disable=SC2154 # set by watch
kill "$net_watch_client"; wait "$net_watch_client" 2>/dev/null
rm -f "$T/seen-client"
watch client
start_mixnet || exit 1
is "$(get http://www.example.test/)" "$PAGE" "mixnet: static wget, by name"
like "$(wrapped busybox nslookup www.example.test $WWW)" "*$WWW*" \
    "mixnet: static nslookup, by UDP to a server of its choice"
is "$(mix_strays)" "" "the client spoke to its entry gateway and no one else"
tap_end
