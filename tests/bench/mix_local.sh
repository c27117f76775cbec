#!/bin/sh
# shellcheck disable=SC2034,SC2154 # net.sh's, and set through eval
# tests/bench/mix_local.sh - downloads through `smolnode local`, real processes
# on three hosts, against what a profile's slots can carry and against the
# published Rust client on the same network.
#
#	tests/bench/mix_local.sh [PROFILE...]	default fast raw
#	SECONDS_EACH=n		of each download (default 15)
#	LINK_DELAY_MS=n		on the client's link, each way (default none)
#
# The page comes by TLS, as in tests/interop, whose program `flows` is run if
# `make interop` has built it: it downloads 1 MiB by one flow.  A rate counts
# from a flow's first byte; the ceilings are those of nym-ipr.md 6.4 and 6.5.
# "cpu" is processor time for each megabyte: of the client's session, and of
# all six nodes and the exit together.
FLOWS=${FLOWS:-${0%/*}/../../build/interop/target/release/flows}
case $FLOWS in /*) ;; *) FLOWS=$PWD/$FLOWS ;; esac
export TEST_SECONDS="${TEST_SECONDS:-900}" FLOWS
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/mixnet.sh"
SECONDS_EACH=${SECONDS_EACH:-15}
TLS="--cacert $T/ca.crt --resolve www.example.test:443:$WWW"
URL=https://www.example.test

cpu() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }
session() { grep -ls '^smolwrap-sess' /proc/[0-9]*/comm | cut -d/ -f3 |
    head -n 1; }

# One line for each of COUNT downloads at once: bytes, seconds since the first.
download() {
	d_i=0 d_jobs=
	while [ $((d_i += 1)) -le "$1" ]; do
		# shellcheck disable=SC2086 # TLS is words
		on client "$B/smolwrap" -s "$m_profile" -- curl -s -o /dev/null \
		    -m "$SECONDS_EACH" $TLS -w '%{size_download} %{time_total}
%{time_starttransfer}
' "$URL/big" >"$T/d$d_i" &
		d_jobs="$d_jobs $!"
	done
	# shellcheck disable=SC2086
	wait $d_jobs
	d_i=0
	while [ $((d_i += 1)) -le "$1" ]; do
		tr '\n' ' ' <"$T/d$d_i"
		echo
	done | awk '{ rate += $1 / ($2 - $3) / 1000; bytes += $1 }
		END { printf "%.1f %d\n", rate, bytes }'
}

# Milliseconds from the start of a connection to the page's first byte: TCP,
# TLS and a request, three times to the server and back.
first_byte() {
	f_i=0
	while [ $((f_i += 1)) -le 7 ]; do
		# shellcheck disable=SC2086
		on client "$B/smolwrap" -s "$m_profile" -- curl -s -o /dev/null $TLS \
		    -w '%{time_starttransfer}\n' "$URL/"
	done | sort -n | awk 'NR == 4 { printf "%.0f\n", $1 * 1000 }'
}

ceiling() {
	case $1 in default) echo 207 ;; fast) echo 1035 ;; *) echo 0 ;; esac
}

row() {
	m_session=$(session)
	m_s=$(cpu "$m_session") m_n=$(cpu "$m_node")
	# shellcheck disable=SC2046 # two words
	set -- "$1" "$2" "$3" $(download "$2")
	awk -v p="$1" -v n="$2" -v first="$3" -v rate="$4" -v bytes="$5" \
	    -v top="$(ceiling "$1")" -v s="$(($(cpu "$m_session") - m_s))" \
	    -v node="$(($(cpu "$m_node") - m_n))" 'BEGIN {
		mb = bytes > 0 ? bytes / 1e6 : 1
		printf "%-8s %2d flows %8.1f KB/s", p, n, rate
		if (top > 0)
			printf "  %.2f of the ceiling", rate / top
		printf "  cpu %.2f + %.2f s/MB", s / 100 / mb, node / 100 / mb
		if (first != "")
			printf "  first byte %s ms", first
		printf "\n"
	}'
	[ "$1/$2" != default/1 ] || m_default=$4
}

if ! hosts || ! services dns web || ! start_mixnet -d 8000; then
	echo "mix_local: no hosts, no servers or no network" >&2
	exit 1
fi
truncate -s 1G "$T/www/big"
m_node=$(grep -ls '^smolnode' /proc/[0-9]*/comm | cut -d/ -f3 | head -n 1)
[ $# -gt 0 ] || set -- default fast raw
echo "smolnode local: $(nproc) processors, load $(cut -d' ' -f1 \
    /proc/loadavg), ${LINK_DELAY_MS:-0} ms on the client's link each way"
m_default=
for m_profile in "$@"; do
	on client timeout 60 "$B/smolwrap" up -s "$m_profile" --via "mix:$T/net.json" \
	    --traffic "$m_profile" || exit 1
	m_first=$(first_byte)
	row "$m_profile" 1 "$m_first"
	row "$m_profile" 8 ""
	on client "$B/smolwrap" down -s "$m_profile"
done
if [ ! -x "$FLOWS" ]; then
	echo "(smolmix 1.21.6 beside it: make interop)"
	exit 0
fi
export CONFIGURED=true NYM_API="http://$SSHD:8000/" RUST_LOG=off
export NYM_APIS="[{\"url\":\"http://$SSHD:8000/\",\"front_hosts\":null}]"
spawn inet "$FLOWS" --echo "$WWW:9443" "$T/www.crt" "$T/www.key"
on client timeout 300 "$FLOWS" "$(sed -n 's/^exit //p' "$T/mixnet")" \
    "$T/ca.crt" "$WWW" 2>/dev/null >"$T/flows"
sed -n 's/.*download.*, \([0-9.]*\) KB.s$/\1/p' "$T/flows" |
    awk -v ours="$m_default" '{
	printf "smolmix   1 flow  %8.1f KB/s", $1
	if (ours > 0)
		printf "; ours, default: %.1f times that", ours / $1
	printf "\n"
}'
