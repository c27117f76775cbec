#!/bin/sh
# The leak matrix: every way around an interposer that tests/leak/probe knows.
# Bare, each must reach its sink, or it would prove nothing. Wrapped, none may,
# and the client's host sends nothing but SSH. A sink believes only what comes
# from the client's own address: through the tunnel, traffic is welcome.
#
# `matrix.sh torsocks` or `matrix.sh proxychains4` counts the hits under those,
# over ssh -D, for comparison; it asserts nothing.

. "${0%/*}/../lib/net.sh"

PROBE=$B/tests/leak/probe SINK=$B/tests/leak/sink
A4=10.9.0.1 A6=fd00:9::1 FIRST=20000 LAST=20119

"$PROBE" list | awk -v p=$FIRST '{ print $1, $2, p++ }' >"$T/probes"

hosts && services dns || exit 1
on client ip address add fd00:9::2/64 dev eth0 nodad
on server ip address add $A6/64 dev eth0 nodad
printf 'nameserver %s\noptions timeout:1 attempts:1\n' $A4 \
    >"$T/etc-client/resolv.conf"
spawn server "$SINK" "$T/hits-net" net $FIRST $LAST
within 5 hears server $LAST
on client mkdir -p /run/nscd /run/systemd/resolve /run/user/0/podman
spawn client "$SINK" "$T/hits-unix" unix /run/nscd/socket \
    /run/systemd/resolve/io.systemd.Resolve /run/docker.sock \
    /run/snapd.socket /run/user/0/podman/podman.sock
spawn client "$SINK" "$T/hits-stub" stub
within 5 on client test -S /run/user/0/podman/podman.sock
watch client
# shellcheck disable=SC2154 # set by hosts
export LEAK_NETWORK="/proc/$net_pid_client/ns/net" LEAK_HELPERS="$T/helpers"
mkdir -m 700 "$LEAK_HELPERS"
on client ssh -fNM -S "$LEAK_HELPERS/ssh" tester@$SSHD
on client tmux -S "$LEAK_HELPERS/tmux" new -d 'sleep 7200' 2>/dev/null
: >"$T/base"

# run_all PREFIX...: every probe but the listeners, in one go; the listeners
# then, while the server's host tries to reach them.
run_all() {
	on client rm -rf "$T/out"
	mkdir -p "$T/out"
	: >"$T/hits-net"; : >"$T/hits-unix"; : >"$T/hits-stub"
	seen client >"$T/base"
	# shellcheck disable=SC2016
	on client "$@" sh -c '
		while read -r name sink port; do
			[ "$sink" = inbound ] ||
				"$0" "$name" "$2" "$3" "$port" \
				    >"$4/$name" 2>&1 </dev/null
		done <"$1"' "$PROBE" "$T/probes" $A4 $A6 "$T/out" \
	    >"$T/out/all" 2>&1
	strays_since >"$T/strays"
	while read -r name sink port; do
		[ "$sink" = inbound ] || continue
		on client "$@" "$PROBE" "$name" $A4 $A6 "$port" \
		    >"$T/out/$name" 2>&1 </dev/null &
		run=$!
		left=40
		while [ $left -gt 0 ] && kill -0 $run 2>/dev/null; do
			on server nc -z -w1 10.9.0.2 "$port" </dev/null &&
				echo "inbound $port" >>"$T/hits-net" && break
			left=$((left - 1))
			sleep 0.1
		done
		wait $run
	done <"$T/probes"
}

# What left the client since run_all began, besides SSH and neighbour talk.
strays_since() {
	strays client | awk -v base="$T/base" '
		BEGIN { while ((getline l < base) > 0) {
			split(l, f, " "); had[f[1], f[2], f[3]] = f[4] } }
		$4 > had[$1, $2, $3]'
}

# hit NAME SINK PORT
hit() {
	case $2 in
	port) grep -q "^port $3 from ::ffff:10.9.0.2$" "$T/hits-net" ||
		grep -q "^port $3 from fd00:9::2$" "$T/hits-net" ||
		grep -q "^[a-z]* [^ ]* $3 " "$T/strays" ;;
	name) high=$(($3 / 256)) low=$(($3 % 256))
		grep -Eq "^name (leak-$3\.|$low\.$high\.51\.198\.).* from \
::ffff:10.9.0.2$" "$T/hits-net" ||
		grep -q "nscd/socket leak-$3\." "$T/hits-unix" ;;
	inbound) grep -q "^inbound $3$" "$T/hits-net" ;;
	output) grep -q '^open$' "$T/out/$1" ;;
	lo) grep -q "^lo leak-$3\." "$T/hits-stub" ;;
	unix) case $1 in
		unix-nscd*) grep -q "nscd/socket by a probe" "$T/hits-unix" ;;
		unix-resolved) grep -q esolve "$T/hits-unix" ;;
		unix-podman) grep -q podman "$T/hits-unix" ;;
		unix-snapd) grep -q snapd "$T/hits-unix" ;;
		*) grep -q docker "$T/hits-unix" ;;
		esac ;;
	link) case $1 in
		udplite) grep -q "^ip136 " "$T/strays" ;;
		udp-multicast) grep -q "^udp 224.0.0.251 5353" "$T/strays" ;;
		udp-broadcast) grep -q "^udp 10.9.0.255 " "$T/strays" ;;
		icmp-raw) grep -q "^icmp $A4 8 " "$T/strays" ;;
		packet) grep -q "^link 0x88b5 " "$T/strays" ;;
		esac ;;
	esac
}

count_hits() {
	hits=0 which=
	while read -r name sink port; do
		hit "$name" "$sink" "$port" || continue
		hits=$((hits + 1)) which="$which $name"
	done <"$T/probes"
}

compare() {
	command -v "$1" >/dev/null || skip_all "$1 is not installed"
	spawn client ssh -N -D 1080 tester@$SSHD
	within 10 hears client 1080
	printf 'TorAddress 127.0.0.1\nTorPort 1080\n' >"$T/torsocks.conf"
	printf 'strict_chain\nproxy_dns\n[ProxyList]\nsocks5 %s\n' \
	    "127.0.0.1 1080" >"$T/proxychains.conf"
	case $1 in
	torsocks) run_all env TORSOCKS_CONF_FILE="$T/torsocks.conf" \
		torsocks env ;;	# "torsocks sh" would be a command of its own
	*) run_all "$1" -q -f "$T/proxychains.conf" ;;
	esac
	count_hits
	echo "# $1: $hits of $(wc -l <"$T/probes") probes reach a sink:$which"
	echo 1..1
	pass "counted"
}

case $1 in ?*) compare "$1"; exit ;; esac

plan $((3 * $(wc -l <"$T/probes") + 2))

run_all env
while read -r name sink port; do
	if hit "$name" "$sink" "$port"; then
		pass "bare $name reaches its sink"
	else case $name in
	udplite | vsock | mptcp | uring-* | static | \
	    request-key | helper-*)
		skip "this kernel or build has none" "bare $name" ;;
	*)
		fail "bare $name reaches its sink"
		diag "$(cat "$T/out/$name")" ;;
	esac fi
done <"$T/probes"

# nothing_reached HOW COMMAND...: no probe reaches its sink.
nothing_reached() {
	how=$1; shift
	run_all "$@"
	while read -r name sink port; do
		if ! [ -e "$T/out/$name" ]; then
			fail "$how $name did not run"
			diag "$(tail -n 3 "$T/out/all")"
		elif hit "$name" "$sink" "$port"; then
			fail "$how $name reaches nothing"
			diag "$(cat "$T/out/$name")"
		else
			pass "$how $name reaches nothing"
		fi
	done <"$T/probes"
	is "$(cat "$T/strays")" "" "$how, the client sent SSH and no more"
}

# skipped HOW WHY
skipped() {
	while read -r name sink port; do
		skip "$2" "$1 $name"
	done <"$T/probes"
	skip "$2" "$1, the client sent SSH and no more"
}

# shellcheck disable=SC2086 # a list of words
if product; then
	nothing_reached wrapped "$B/smolwrap" $VIA --
	if isolation; then
		nothing_reached isolated "$B/smolwrap" $VIA --isolate always --
	else
		skipped isolated "no network namespaces or TUN devices here"
	fi
else
	skipped wrapped "smolwrap is not built"
	skipped isolated "smolwrap is not built"
fi
tap_end
