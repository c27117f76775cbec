# shellcheck shell=sh disable=SC2034,SC2154 # sourced, and set through eval
# tests/lib/mixnet.sh - a mix network for the hosts of net.sh. Sourced after it.
#
# start_mixnet [OPTION...]	all nodes on server, with these options of
#	smolnode local; the exit sees inet. Sets VIA to it.
# stop_mixnet [SIGNAL]
# mix_strays	what left client besides packets to its entry gateway
#
# The client reaches server alone, and talks to one port of it: the entry's.

# ENTRY: the address of the entry gateway's websocket, WSS: its port over TLS.
start_mixnet() {
	rm -f "$T/net.json" "$T/mixnet"
	# shellcheck disable=SC2016
	spawn server sh -c 'node=$1 out=$2; shift 2
	    exec "$node" local -e -a 10.9.0.1 "$@" >"$out" 2>&1' - \
	    "$B/smolnode" "$T/mixnet" -t "$T/net.json" "$@"
	pid_mixnet=$!
	within 10 grep -qs '^topology' "$T/mixnet" || {
		diag "$(cat "$T/mixnet")"
		return 1
	}
	ENTRY=$(sed -n 's,^websocket ws://,,p' "$T/mixnet")
	WSS=$(sed -n 's,^websocket wss://.*:,,p' "$T/mixnet")
	VIA="--via mix:$T/net.json --traffic ${MIX_TRAFFIC:-raw}"
}

stop_mixnet() {
	kill "-${1:-TERM}" "$pid_mixnet"
	wait "$pid_mixnet" 2>/dev/null
	:
}

mix_strays() {
	seen client | awk -v port="${ENTRY##*:}" '
		!($1 == "tcp" && $2 == "10.9.0.1" && $3 == port) &&
		$1 != "arp" && !($1 == "icmp6" && $3 >= 133 && $3 <= 143)'
}
