# shellcheck shell=sh disable=SC2034,SC2154 # sourced, and set through eval
# tests/lib/net.sh - hosts in network namespaces, for tests under prove.
#
# Source it first thing: it starts the calling script again inside namespaces
# of its own (user, network, mount, process), as root or as an ordinary user,
# or says "1..0 # SKIP" where the kernel forbids that. All that a test starts
# dies with the process namespace; all that it writes is in $T, which goes too.
#
#	hosts			makes client, server and inet; starts sshd
#	services NAME...	starts servers on inet: dns web echo ssh ...
#	on HOST COMMAND...	runs a command there
#	spawn HOST COMMAND...	the same in the background; its pid is $!
#	wrapped COMMAND...	smolwrap --via the ssh server, on client
#
#	client 10.9.0.2 ---- 10.9.0.1 server 203.0.113.1 ---- inet 203.0.113.80
#	                                2001:db8::1      ----  2001:db8::80
#
# client has no route but to 10.9.0.1, and its resolver is not reachable.
# server forwards no packet; sshd there runs as an ordinary user, `tester`.
# Only inet's dnsmasq knows any name. With LINK_DELAY_MS, LINK_LOSS_PERMILLE or
# LINK_RATE_KBIT set before `hosts`, the client's link goes through our relay.

SW_ROOT=${SW_ROOT:-$(cd "${0%/*}" && while [ ! -d tests/lib ]; do cd ..; done
    pwd)}
B=${B:-build/default}
case $B in /*) ;; *) B=$SW_ROOT/$B;; esac
LIB=${LIB:-$B/tests/lib}

. "$SW_ROOT/tests/lib/tap.sh"

# descendants PID: its children, theirs, and so on.
descendants() {
	cat /proc/[0-9]*/stat 2>/dev/null | sed 's/(.*)/-/' | awk -v up="$1" '
		{ parent[$1] = $4 }
		END { for (p in parent)
			for (q = parent[p]; q > 1; q = parent[q])
				if (q == up) { print p; break } }'
}

if [ -z "$SW_INSIDE" ]; then
	for net_need in unshare nsenter ip sshd ssh-keygen; do
		PATH=$PATH:/usr/sbin:/sbin command -v $net_need >/dev/null ||
			skip_all "$net_need is not installed"
	done
	[ -x "$LIB/serve" ] || skip_all "$LIB/serve is not built"
	unshare -rnmpf --kill-child --mount-proc true 2>/dev/null ||
		skip_all "no unprivileged namespaces here"
	T=$(mktemp -d "${TMPDIR:-/tmp}/smolwrap-test.XXXXXX") || exit 1
	trap 'rm -rf "$T"' EXIT
	# In the background, so that a signal to this shell acts at once.
	trap 'kill -KILL $(descendants $net_child) $net_child; exit 130' \
	    INT TERM HUP
	export T SW_ROOT B LIB
	SW_INSIDE=1 timeout -s KILL "$((${TEST_SECONDS:-600} * ${SLOW:-1}))" \
	    unshare -rnmpf --kill-child --mount-proc sh "$0" "$@" &
	net_child=$!
	wait $net_child
	exit $?
fi

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C HOME="$T/home" TMPDIR="$T/tmp" XDG_RUNTIME_DIR="$T/run"
unset MAKEFLAGS MFLAGS MAKELEVEL SSH_AUTH_SOCK LD_PRELOAD http_proxy https_proxy all_proxy no_proxy \
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
mkdir -p "$HOME" "$TMPDIR" "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"

# The fixed addresses, for tests to use.
SSHD=10.9.0.1 WWW=203.0.113.80 WWW6=2001:db8::80
DARK=203.0.113.98	# swallows every packet
NOBODY=203.0.113.97	# there is no such host
KEY=$T/user_key KNOWN=$T/known_hosts
export SSHD WWW WWW6 DARK NOBODY KEY KNOWN
VIA="--via ssh://tester@$SSHD -i $KEY --known-hosts $KNOWN"

# files_for HOST: the system files a host sees in place of the machine's own.
files_for() {
	d=$T/etc-$1
	mkdir -p "$d"
	cat >"$d/passwd" <<-END
		root:x:0:0:root:$T/home:/bin/sh
		tester:x:1000:1000:tester:$T/tester:/bin/sh
		sshd:x:102:65534::/run/sshd:/usr/sbin/nologin
		nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
	END
	printf 'root:x:0:\ntester:x:1000:\nnogroup:x:65534:\n' >"$d/group"
	printf '127.0.0.1 localhost %s\n::1 localhost\n' "$1" >"$d/hosts"
	printf 'passwd: files\ngroup: files\nhosts: files dns\n%s\n' \
	    'services: files' >"$d/nsswitch.conf"
	case $1 in
	client) echo "nameserver 192.0.2.53" ;;
	*) echo "nameserver $WWW" ;;
	esac >"$d/resolv.conf"
	echo "options timeout:2 attempts:1" >>"$d/resolv.conf"
	return 0
}

# host NAME: a network and mount namespace, held by a process of its own.
host() {
	files_for "$1"
	mkfifo "$T/$1.up"
	unshare -n -m sh -c '
		mount -t tmpfs -o mode=755 run /run || exit 1
		for f in passwd group hosts nsswitch.conf resolv.conf; do
			real=$(realpath -m "/etc/$f")
			[ -e "$real" ] || {
				mkdir -p "${real%/*}"; : >"$real"
			}
			mount --bind "$1/$f" "$real" || exit 1
		done
		mkdir -p /run/sshd /run/lock
		ip link set lo up
		echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start
		echo up >"$2"
		exec sleep 7200' host "$T/etc-$1" "$T/$1.up" \
		>"$T/$1.log" 2>&1 </dev/null &
	eval "net_pid_$1=$!"
	read -r net_up <"$T/$1.up"
	rm "$T/$1.up"
	[ "$net_up" = up ]
}

on() {
	eval "net_pid=\$net_pid_$1"; shift
	# shellcheck disable=SC2016 # for the inner shell
	nsenter -t "$net_pid" -n -m -- \
	    sh -c 'cd "$0" && exec "$@"' "$PWD" "$@"
}

# $! is the command's own pid: every step on the way is an exec.
spawn() {
	eval "net_pid=\$net_pid_$1"; net_host=$1; shift
	# shellcheck disable=SC2016
	nsenter -t "$net_pid" -n -m -- \
	    sh -c 'cd "$0" && exec "$@"' "$PWD" "$@" \
	    >>"$T/$net_host-$(basename "$1").log" 2>&1 </dev/null &
}

# hears HOST PORT: something listens there on TCP.
hears() {
	on "$1" awk -v p="$(printf ':%04X' "$2")" '
		$4 == "0A" && substr($2, length($2) - 4) == p { found = 1 }
		END { exit !found }' /proc/net/tcp /proc/net/tcp6
}

keys() {
	ssh-keygen -q -t ed25519 -N '' -f "$T/host_key" -C host
	ssh-keygen -q -t ed25519 -N '' -f "$KEY" -C user
	mkdir -p "$T/tester" "$HOME/.ssh"
	cp "$KEY.pub" "$T/authorized_keys"
	for h in 10.9.0.1 203.0.113.80 www.example.test "[10.9.0.1]:2222"; do
		echo "$h $(cat "$T/host_key.pub")"
	done >"$KNOWN"
	cp "$KNOWN" "$HOME/.ssh/known_hosts"
	cp "$KEY" "$HOME/.ssh/id_ed25519"
	printf 'User tester\nStrictHostKeyChecking yes\n' >"$HOME/.ssh/config"
	printf 'UserKnownHostsFile %s\nIdentityFile %s\n' \
	    "$KNOWN" "$KEY" >>"$HOME/.ssh/config"
	chmod -R go= "$HOME/.ssh"
}

# A throw-away authority and a certificate for the names of inet.
certificates() {
	(cd "$T" && openssl req -x509 -newkey ec -pkeyopt \
	    ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=test CA" \
	    -keyout ca.key -out ca.crt &&
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -subj "/CN=www.example.test" -keyout www.key -out www.csr &&
	printf 'subjectAltName=DNS:www.example.test,DNS:*.example.test,%s\n' \
	    "IP:$WWW,IP:$WWW6" >www.ext &&
	openssl x509 -req -in www.csr -CA ca.crt -CAkey ca.key \
	    -CAcreateserial -days 2 -extfile www.ext -out www.crt) \
	    >"$T/openssl.log" 2>&1
}

# sshd refuses to run its privilege separation when uid 0 alone is mapped
# (the `sshd` user cannot be entered). So it runs in one more user namespace
# as an ordinary user, where it asks for no other identity than its own.
start_sshd() {
	sshd_host=$1; shift
	{
		printf '%s\n' "HostKey $T/host_key" "UsePAM no" \
		    "StrictModes no" "PidFile none" "LogLevel INFO" \
		    "AuthorizedKeysFile $T/authorized_keys" \
		    "PasswordAuthentication no" "MaxStartups 500" \
		    "MaxSessions 1000" "Subsystem sftp internal-sftp" \
		    "GatewayPorts clientspecified" "UseDNS no"
		printf '%s\n' "$@"
	} >"$T/sshd_config-$sshd_host"
	spawn "$sshd_host" unshare -U --map-user=1000 --map-group=1000 \
	    /usr/sbin/sshd -D -e -f "$T/sshd_config-$sshd_host"
	eval "pid_sshd_$sshd_host=$!"
	within 10 hears "$sshd_host" 22
}

hosts() {
	keys
	certificates || { diag "$(cat "$T/openssl.log")"; return 1; }
	host client && host server && host inet || {
		diag "$(cat "$T"/client.log "$T"/server.log "$T"/inet.log)"
		return 1
	}
	# shellcheck disable=SC2154 # set through eval in host()
	if [ -n "$LINK_DELAY_MS$LINK_LOSS_PERMILLE$LINK_RATE_KBIT" ]; then
		(: <>/dev/net/tun) 2>/dev/null ||
			skip_all "/dev/net/tun is not to be opened here"
		"$LIB/relay" -d "${LINK_DELAY_MS:-0}" \
		    -l "${LINK_LOSS_PERMILLE:-0}" -r "${LINK_RATE_KBIT:-0}" \
		    "$net_pid_client:eth0" "$net_pid_server:eth0" \
		    >"$T/relay.log" 2>&1 &
		pid_relay=$!
		within 5 on server ip link show eth0
	else
		ip link add name ca type veth peer name sa &&
		ip link set ca netns "$net_pid_client" name eth0 &&
		ip link set sa netns "$net_pid_server" name eth0
	fi || return 1
	ip link add name sb type veth peer name ia &&
	ip link set sb netns "$net_pid_server" name eth1 &&
	ip link set ia netns "$net_pid_inet" name eth0 || return 1
	for net_h in client server inet; do
		on $net_h sh -c 'for i in /proc/sys/net/ipv6/conf/*/accept_dad
			do echo 0 >$i; done'
	done
	on client ip address add 10.9.0.2/24 dev eth0
	on client ip link set eth0 up
	on server ip address add 10.9.0.1/24 dev eth0
	on server ip address add 203.0.113.1/24 dev eth1
	on server ip address add 2001:db8::1/64 dev eth1 nodad
	on server ip link set eth0 up
	on server ip link set eth1 up
	on inet ip address add $WWW/24 dev eth0
	on inet ip address add 203.0.113.81/24 dev eth0
	on inet ip address add $WWW6/64 dev eth0 nodad
	on inet ip link set eth0 up
	net_mac=$(on inet ip -o link show eth0 |
	    sed 's/.*ether \([^ ]*\).*/\1/')
	on server ip neigh add $DARK lladdr "$net_mac" dev eth1
	start_sshd server
}

. "$SW_ROOT/tests/lib/services.sh"

product() { [ -x "$B/smolwrap" ] && [ -e "$B/libsmolwrap.so" ]; }

# May programs be isolated here (namespaces, and a TUN device for this user)?
isolation() { on client "$B/smolwrap" check | grep -q '^isolation yes'; }

wrapped() {
	# shellcheck disable=SC2086 # VIA is a list of words
	on client "$B/smolwrap" $VIA ${STACK:+--stack $STACK} -- "$@"
}

# sessions: the processes that hold a tunnel, on any host of this test.
sessions() {
	for p in /proc/[0-9]*; do
		case $(readlink "$p/exe" 2>/dev/null) in
		*/smolwrap | */smolwrap-session | */smolwrap-session-full) echo "${p#/proc/}" ;;
		esac
	done
}
no_sessions() { [ -z "$(sessions)" ]; }

# cut_tunnel [SIGNAL]: ends every SSH connection to server, not its sshd.
cut_tunnel() {
	# shellcheck disable=SC2154 # set by start_sshd
	net_kids=$(descendants "$pid_sshd_server")
	# shellcheck disable=SC2086
	[ -z "$net_kids" ] || kill "-${1:-TERM}" $net_kids 2>/dev/null
}

# stop_sshd HOST: ends it and every connection it has. It is stopped first: a
# connection that it is just taking would have a process that nobody has seen.
stop_sshd() {
	eval "net_pid=\$pid_sshd_$1"
	kill -STOP "$net_pid"
	# shellcheck disable=SC2046 # a list
	kill -KILL $(descendants "$net_pid") "$net_pid" 2>/dev/null
	wait "$net_pid" 2>/dev/null
}

# watch HOST [DEVICE]: counts what leaves; `seen` prints the counts so far:
# PROTOCOL DESTINATION PORT PACKETS BYTES, one a line.
watch() {
	spawn "$1" "$LIB/capture" "${2:-eth0}" "$T/seen-$1"
	eval "net_watch_$1=$!"
	within 5 test -e "$T/seen-$1"
}
seen() {
	rm -f "$T/seen-$1"
	eval "kill -USR1 \$net_watch_$1"
	within 5 test -e "$T/seen-$1" && cat "$T/seen-$1"
}
# strays HOST: what left it besides SSH to the server and the neighbour
# protocols; nothing is what every test wants.
strays() {
	seen "$1" | awk '!($1 == "tcp" && $2 == "10.9.0.1" && $3 == 22) &&
		$1 != "arp" && !($1 == "icmp6" && $3 >= 133 && $3 <= 143)'
}
