#!/bin/sh
# The example unit under a real systemd: in a container of systemd-nspawn whose
# root is this machine's, with an overlay for what changes and no network but
# loopback.  Needs root; fail2ban there too, if it is installed.

SW_ROOT=${SW_ROOT:-$(cd "${0%/*}" && while [ ! -d tests/lib ]; do cd ..; done
    pwd)}
B=${B:-build/default}
case $B in /*) ;; *) B=$SW_ROOT/$B;; esac
. "$SW_ROOT/tests/lib/tap.sh"
PATH=$PATH:/usr/sbin:/sbin

if [ -z "$SW_INSIDE" ]; then
	[ -x "$B/smolserve" ] || skip_all "smolserve is not built"
	[ "$(id -u)" = 0 ] || skip_all "only root can start a container"
	command -v systemd-nspawn >/dev/null && [ -x /lib/systemd/systemd ] ||
		skip_all "systemd-container is not installed"
	T=$(mktemp -d "${TMPDIR:-/tmp}/smolwrap-test.XXXXXX") || exit 1
	trap 'rm -rf "$T"' EXIT
	trap 'kill -KILL "$child" 2>/dev/null; exit 130' INT TERM HUP
	export SW_ROOT B T
	SW_INSIDE=1 timeout -s KILL 200 unshare -mpf --propagation private \
	    --kill-child --mount-proc sh "$0" "$@" &
	child=$!
	wait $child
	exit $?
fi

mount -t tmpfs tmpfs "$T" && mkdir "$T/up" "$T/work" "$T/root" &&
    mount -t overlay -o "lowerdir=/,upperdir=$T/up,workdir=$T/work" overlay \
	"$T/root" 2>/dev/null || skip_all "no overlay file system here"
mount -t tmpfs tmpfs /run
R=$T/root

# As the manual says: the program, a key, the configuration, the unit.
install -d "$R/usr/local/sbin" "$R/etc/smolserve" "$R/test"
install -m755 "$B/smolserve" "$R/usr/local/sbin/"
cp "$SW_ROOT/examples/smolserve.service" "$R/etc/systemd/system/"
cp "$SW_ROOT/examples/smolserve.conf" "$R/etc/smolserve/"
ssh-keygen -q -t ed25519 -N '' -f "$R/test/key"
ssh-keygen -q -t ed25519 -N '' -f "$R/test/stranger"
cp "$R/test/key.pub" "$R/etc/smolserve/authorized_keys"
echo 'allow 192.0.2.0/24' >>"$R/etc/smolserve/smolserve.conf"
if command -v fail2ban-server >/dev/null; then
	cp "$SW_ROOT/examples/fail2ban-smolserve.conf" \
	    "$R/etc/fail2ban/filter.d/smolserve.conf"
	cp "$SW_ROOT/examples/fail2ban-jail.conf" \
	    "$R/etc/fail2ban/jail.d/smolserve.conf"
	# Of this test: no packet filter, and the client is this machine.
	printf '[DEFAULT]\nbanaction = dummy\nignoreself = false\n' \
	    >"$R/etc/fail2ban/jail.d/zz-test.conf"
	rm -f "$R/etc/fail2ban/jail.d/defaults-debian.conf"
fi

# What is tried inside; each line of /test/result is NAME VALUE.
cat >"$R/test/run" <<'END'
#!/bin/sh
exec 3>/test/result 2>/test/log
say() { echo "$*" >&3; }
show() { systemctl show -P "$1" smolserve; }
within() { n=$(($1 * 10)); shift
	until "$@" >/dev/null 2>&1; do
		n=$((n - 1)); [ $n -gt 0 ] || return 1; sleep 0.1; done; }
client() { k=$1; shift
	timeout 20 ssh -F none -p 2222 -b 192.0.2.9 -i "/test/$k" \
	    -o IdentitiesOnly=yes -o UserKnownHostsFile=/test/known \
	    -o StrictHostKeyChecking="${strict:-yes}" "$@" me@192.0.2.1; }
trap 'journalctl -o cat -u smolserve >/test/journal
    systemctl poweroff --force' EXIT
ip link set lo up
ip address add 192.0.2.1/32 dev lo
ip address add 192.0.2.9/32 dev lo
systemctl start smolserve; started=$?; say start $started
[ $started = 0 ] || exit
say active "$(show ActiveState)/$(show SubState)"
say user "$(ps -o user= -p "$(show MainPID)")"
say state "$(stat -Lc %a /var/lib/smolserve/host_key)"
say seccomp "$(grep -c '^Seccomp:.*2$' "/proc/$(show MainPID)/status")"
strict=accept-new
say serves "$(client key -W 192.0.2.1:2222 </dev/null)"
strict=yes
cat /test/stranger.pub >>/etc/smolserve/authorized_keys
systemctl reload smolserve; say reload $?
within 10 client stranger -W 192.0.2.1:2222
say reloaded "$(client stranger -W 192.0.2.1:2222 </dev/null)"
cp /test/key.pub /etc/smolserve/authorized_keys
systemctl reload smolserve
before=$(cat /test/known)
systemctl restart smolserve; say restart $?
say again "$(client key -W 192.0.2.1:2222 </dev/null)"
kill -KILL "$(show MainPID)"
say revived "$(within 10 client key -W 192.0.2.1:2222 && echo yes)"
say restarts "$(show NRestarts)"
# A transfer is under way when it is stopped.
python3 -c '
import socket
s = socket.create_server(("192.0.2.1", 5000))
c, _ = s.accept()
for _ in range(200):
    c.sendall(b"x" * 100000)
    if _ == 20: open("/test/under-way", "w")
' &
within 10 grep -q ':1388 .* 0A' /proc/net/tcp
(client key -W 192.0.2.1:5000 </dev/null | (sleep 1; wc -c) >/test/got) &
job=$!
within 10 test -e /test/under-way
systemctl stop smolserve; say stop $?
wait $job
say whole "$(cat /test/got)"
say result "$(show Result)"
# What cannot start is told.
echo nonsense >>/etc/smolserve/smolserve.conf
systemctl start smolserve; say bad $?
say bad_result "$(show Result)"
sed -i '$d' /etc/smolserve/smolserve.conf
systemctl reset-failed smolserve; systemctl start smolserve
if [ -e /etc/fail2ban/jail.d/smolserve.conf ]; then
	systemctl start fail2ban
	within 20 fail2ban-client status smolserve
	for i in 1 2 3 4 5 6; do client stranger -N; done
	within 20 sh -c 'fail2ban-client status smolserve | grep -q 192.0.2.9'
	say banned "$(fail2ban-client get smolserve banip)"
fi
END
chmod 755 "$R/test/run"
cat >"$R/etc/systemd/system/try.target" <<-END
	[Unit]
	Requires=try.service
	After=try.service
END
cat >"$R/etc/systemd/system/try.service" <<-END
	[Unit]
	After=systemd-journald.service systemd-tmpfiles-setup.service
	Wants=systemd-journald.service systemd-tmpfiles-setup.service
	[Service]
	ExecStart=/test/run
	TimeoutStartSec=120
END
timeout 150 systemd-nspawn -q -D "$R" --register=no --keep-unit \
    --private-network --machine=smolserve-test --boot \
    systemd.unit=try.target >"$T/console" 2>&1 </dev/null
[ -e "$R/test/result" ] || {
	diag "$(tail -n 5 "$T/console")"
	skip_all "no container of systemd's can start here"
}
said() { sed -n "s/^$1 //p" "$R/test/result"; }
is "$(said start)" 0 "systemctl start"
is "$(said active)" active/running "it is up when systemctl says so"
is "$(said user)" smolserve "as a user of its own"
is "$(said state)" 600 "the host key is in the state folder"
is "$(said seccomp)" 1 "under both filters"
like "$(said serves)" "SSH-2.0-smolserve*" "it serves"
is "$(said reload)" 0 "systemctl reload"
like "$(said reloaded)" "SSH-2.0-smolserve*" "a new key is let in"
is "$(said restart)" 0 "systemctl restart"
like "$(said again)" "SSH-2.0-smolserve*" "with the same host key"
is "$(said revived) $(said restarts)" "yes 1" "it is started again when killed"
is "$(said stop) $(said result)" "0 success" "systemctl stop"
is "$(said whole)" 20000000 "a transfer under way is whole"
is "$(said bad) $(said bad_result)" "1 exit-code" \
    "a bad configuration fails systemctl start, and is not tried again"
if command -v fail2ban-server >/dev/null; then
	is "$(said banned)" 192.0.2.9 "fail2ban's jail bans who tries a wrong key"
else
	skip "fail2ban is not installed" "fail2ban's jail"
fi
[ "$tap_bad" = 0 ] || diag "$(tail -n 20 "$R/test/log"; tail -n 40 "$R/test/journal")"
tap_end
