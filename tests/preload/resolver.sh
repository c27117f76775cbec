#!/bin/sh
# resolver.sh - every resolver call answers as libc's own does.
#
# The same probe runs twice in a private network and file system view: bare,
# with dnsmasq serving the names, and under the library with a session that
# knows the same names. The printed lines are compared; the few that may
# differ are listed in `deviation` with the reason.
SW_ROOT=$(cd "${0%/*}/../.." && pwd)
B=${B:-build/default}
case $B in /*) ;; *) B=$SW_ROOT/$B ;; esac
. "$SW_ROOT/tests/lib/tap.sh"

PATH=$PATH:/usr/sbin:/sbin
if [ -z "$RESOLVER_INSIDE" ]; then
	for need in unshare ip dnsmasq; do
		command -v $need >/dev/null || skip_all "$need is not installed"
	done
	unshare -rnmp --fork --mount-proc true 2>/dev/null ||
		skip_all "no unprivileged namespaces here"
	T=$(mktemp -d "${TMPDIR:-/tmp}/smolwrap-test.XXXXXX") || exit 1
	trap 'rm -rf "$T"' EXIT
	export T B
	RESOLVER_INSIDE=1 timeout -s KILL 120 \
	    unshare -rnmp --fork --kill-child --mount-proc sh "$0"
	exit $?
fi

LIBRARY=${LIBRARY:-$B/libsmolwrap.so}
probe=$B/tests/probes/resolver
calls=$B/tests/probes/calls
export LC_ALL=C
unset LD_PRELOAD RES_OPTIONS LOCALDOMAIN HOSTALIASES

cat >"$T/hosts" <<-END
	127.0.0.1	localhost probehost
	::1		localhost ip6-localhost # a note
	192.0.2.7	hosted.example.test hosted db#touching
	# 192.0.2.8	not.example.test
	192.0.2.9	both.example.test
	2001:db8::9	both.example.test second.example.test
	fe80::1		linklocal.example.test
	bad.address	broken.line
END
printf 'loopback 127.0.0.0 lonet\nlink-local 169.254\n' >"$T/networks"
echo "nameserver 127.0.0.1" >"$T/resolv.conf"
printf 'hosts: files dns\nnetworks: files\nservices: files\n%s\n' \
    'protocols: files' >"$T/nsswitch.conf"
for f in hosts networks resolv.conf nsswitch.conf; do
	[ -e /etc/$f ] || continue
	mount --bind "$T/$f" /etc/$f
done
for d in /run/nscd /var/run/nscd; do
	[ ! -d $d ] || mount -t tmpfs none $d
done
ip link set lo up
ip addr add 10.9.0.2/24 dev lo
ip addr add fd00:9::2/64 dev lo nodad
ip link add dummy0 type dummy 2>/dev/null ||
	ip link add dummy0 type veth peer name dummy1
ip addr add 10.8.0.2/24 dev dummy0
ip addr add fd00:8::2/64 dev dummy0 nodad
ip link set dummy0 up
[ ! -e /sys/class/net/dummy1 ] || ip link set dummy1 up
ip route add default via 10.8.0.1 2>/dev/null
ip -6 route add default via fd00:8::1 2>/dev/null

cat >"$T/dnsmasq.conf" <<-END
	no-resolv
	no-hosts
	no-daemon
	user=root
	group=root
	pid-file=
	local=/#/
	listen-address=127.0.0.1
	bind-interfaces
	log-facility=$T/dns-log
	host-record=www.example.test,203.0.113.80,2001:db8::80
	host-record=v4.example.test,203.0.113.4
	host-record=v6.example.test,2001:db8::6
	host-record=many.example.test,203.0.113.1
	txt-record=empty.example.test,nothing
	cname=alias.example.test,www.example.test
END
dnsmasq -C "$T/dnsmasq.conf" 2>/dev/null &
n=0
until getent ahosts v4.example.test >/dev/null 2>&1; do
	n=$((n + 1))
	[ $n -lt 50 ] || { echo "Bail out! dnsmasq does not answer"; exit 1; }
	sleep 0.1
done

# What may differ, and why:
# - "many" has several addresses of a kind, whose order is nobody's promise;
# - libc reads "::1 localhost" as one more 127.0.0.1, we do not;
# - names under localhost are this machine for us (RFC 6761);
# - a mapped loopback address is found in the hosts file by us;
# - libc asks for room (ERANGE) even when there is no answer to put there.
deviation() {
	sed -e 's/\( \[[^]]*\]\)\1*/\1/g' \
	    -e 's/ localhost\] \[[^]]*127.0.0.1[^]]*\]$/ localhost]/' \
	    -e '/"a.localhost"/d' \
	    -e '/^gethost.*localhost/s/ 127.0.0.1 127.0.0.1/ 127.0.0.1/' \
	    -e '/^gethost.*localhost/s/ alias ip6-localhost//' \
	    -e '/ small .* \(34\|0\) none/d' -e '/"many.example/d' \
	    -e '/getnameinfo.*::ffff:127/d'
}

$probe 2>&1 | deviation >"$T/bare"
"$B/tests/lib/fake_session" "$LIBRARY" -l "$T/log" "$probe" 2>&1 |
	deviation >"$T/wrapped"
for part in getaddrinfo getnameinfo 'gethostby' 'gethostent' 'get*net' \
    innetgr res_; do
	grep "^$part" "$T/bare" >"$T/bare.part"
	grep "^$part" "$T/wrapped" >"$T/wrapped.part"
	ok "$part answers as libc's does ($(wc -l <"$T/bare.part") cases)" \
		diff "$T/bare.part" "$T/wrapped.part"
done
# The calls around descriptors need a name that exists as well.
"$calls" >"$T/bare.part" 2>&1
"$B/tests/lib/fake_session" "$LIBRARY" "$calls" >"$T/wrapped.part" 2>&1
ok "syscall, close, dup2, getaddrinfo_a do as libc's ($(wc -l \
    <"$T/bare.part") cases)" diff "$T/bare.part" "$T/wrapped.part"
[ -z "$KEEP" ] || cp "$T/bare" "$T/wrapped" "$T/log" "$KEEP/"

# Only these may have been asked for: fully qualified, and not of this machine.
is "$(awk '$1 != "reverse" && NF == 3 && ($2 !~ /\./ ||
    $2 ~ /\.(local|onion|localhost)$/)' "$T/log")" "" \
    "no single label, .local or .onion left"
tap_end
