#!/bin/sh
# tests/bench/run.sh - what smolwrap costs, beside what one could run instead.
#
#	tests/bench/run.sh [PART...]	PART: bulk far requests first start
#					memory many ways setup mix; all by
#					default
#	WRAITH=PROGRAM	wraith, if it is not in PATH (github.com/alkimiadev)
#	FULL=1		longer runs: 1 GiB, more rounds
#	OUT=FILE	where the figures go (default $B/bench.txt)
#
# Every figure comes from a round in which each contender had its turn, every
# second round in the opposite order; so load on the machine meets all alike,
# and ratios are taken within a round before the median is. Nothing here
# passes or fails: a benchmark that does is switched off on the first slow day.
#
# The hosts are those of tests/lib/net.sh. `direct` runs on the host that sshd
# runs on. All of SSH uses one cipher. OUT has a line for each figure:
#	PART/CONTENDER VALUE UNIT RATIO
SW_ROOT=${SW_ROOT:-$(cd "${0%/*}/../.." && pwd)}
B=${B:-build/default}
case $B in /*) ;; *) B=$SW_ROOT/$B;; esac
OUT=${OUT:-$B/bench.txt}
TEST_SECONDS=${TEST_SECONDS:-1800}
BENCH=$B/tests/bench
CIPHER=aes256-gcm@openssh.com
NAME=www.example.test
export OUT TEST_SECONDS BENCH

. "$SW_ROOT/tests/lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"
. "$SW_ROOT/tests/lib/ways.sh"

if [ -n "${FULL:-}" ]; then
	rounds=9 bytes=1073741824 far_rounds=5 far_bytes=268435456
	requests=2000 starts=2000 many=1000 sequence=10000
else
	rounds=5 bytes=268435456 far_rounds=3 far_bytes=67108864
	requests=500 starts=500 many=1000 sequence=10000
fi
: >"$T/data"
: >"$T/meta"

say() { printf '%s\n' "$*" >&2; }

# metric NAME UNIT BASE AIM: declares what `record` will speak of.
metric() { printf '%s\t%s\t%s\t%s\n' "$@" >>"$T/meta"; }

# record METRIC CONTENDER ROUND VALUE
record() {
	[ -n "$4" ] || return 0
	printf '%s %s %s %s\n' "$@" >>"$T/data"
}

# turns ROUND NAME...: the names, backwards in every second round.
turns() {
	t_odd=$(($1 % 2)); shift
	t_list=
	for t_name in "$@"; do
		if [ $t_odd = 1 ]; then t_list="$t_list $t_name"
		else t_list="$t_name $t_list"; fi
	done
	echo "$t_list"
}

has() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1; }

# wrapper CONTENDER: the words to put before a command.
wrapper() {
	case $1 in
	torsocks) echo "torsocks -a 127.0.0.1 -P 1080" ;;
	proxychains4) echo "proxychains4 -q -f $T/proxychains.conf" ;;
	smolwrap) echo "$B/smolwrap -s bench" ;;
	esac
}

# through CONTENDER COMMAND...: runs it so that its connections go that way.
through() {
	t_way=$1; shift
	t_host=client
	[ "$t_way" != direct ] || t_host=server
	# shellcheck disable=SC2046 # words
	on $t_host $(wrapper "$t_way") "$@"
}

# url CONTENDER: what curl is to fetch from, and how.
url() {
	case $1 in
	ssh-L) echo "http://127.0.0.1:8080" ;;
	ssh-D) echo "--socks5-hostname 127.0.0.1:1080 http://$WWW" ;;
	*) echo "http://$WWW" ;;
	esac
}

# ssh -L, ssh -D and a session of ours, all to that port of the server.
tunnels() {
	t_port=$1
	spawn client ssh -N -p "$t_port" -c $CIPHER \
	    -L "127.0.0.1:8080:$WWW:80" -L "127.0.0.1:8007:$WWW:7" \
	    -L "127.0.0.1:9007:$NAME:7" $SSHD
	pid_ssh_L=$!
	spawn client ssh -N -p "$t_port" -c $CIPHER -D 127.0.0.1:1080 $SSHD
	pid_ssh_D=$!
	if ! within 20 hears client 9007 || ! within 20 hears client 1080; then
		say "bench: ssh did not come up"
		cat "$T/client-ssh.log" >&2
		exit 1
	fi
	smol=
	# shellcheck disable=SC2086 # VIA is a list of words
	if [ ! -x "$B/smolwrap" ]; then
		say "bench: $B/smolwrap is not built; baselines only"
	elif ! on client timeout 30 "$B/smolwrap" up -s bench \
	    --via "ssh://tester@$SSHD:$t_port" $IDENTITY >"$T/up.log" 2>&1 ||
	    ! through smolwrap timeout 30 curl -sf -o /dev/null \
	    "http://$WWW/1"; then
		say "bench: no session; baselines only: $(cat "$T/up.log")"
	else
		smol=smolwrap
	fi
}

tunnels_end() {
	[ -z "$smol" ] || on client "$B/smolwrap" down -s bench
	kill "$pid_ssh_L" "$pid_ssh_D"
	wait "$pid_ssh_L" "$pid_ssh_D" 2>/dev/null
	: >"$T/client-ssh.log"
}

# Processor time, in hundredths of a second, of all that we ever started: we
# are alone in this process namespace.
ticks() {
	cat /proc/[0-9]*/stat 2>/dev/null |
	    awk '{ sub(/.*\) /, ""); n += $12 + $13 + $14 + $15 }
	END { print n }'
}

# moved DIRECTION CONTENDER ROUND BYTES CURL-ARGUMENT...: one transfer.
moved() {
	v_what=$1 v_way=$2 v_round=$3 v_bytes=$4; shift 4
	v_before=$(ticks)
	v_speed=$(through "$v_way" curl -s -o /dev/null -m 120 "$@")
	v_after=$(ticks)
	[ "${v_speed%.*}" -gt 0 ] || return 0
	record "$v_what" "$v_way" "$v_round" \
	    "$(awk "BEGIN { print $v_speed / 1e6 }")"
	record "cpu-$v_what" "$v_way" "$v_round" "$(awk "BEGIN {
	    print ($v_after - $v_before) * 1e7 / $v_bytes }")"
}

# bulk METRIC-SUFFIX ROUNDS BYTES CONTENDER...
bulk() {
	b_suffix=$1 b_rounds=$2 b_bytes=$3; shift 3
	truncate -s "$b_bytes" "$T/body"
	b_i=0
	while [ $((b_i += 1)) -le "$b_rounds" ]; do
		for b_way in $(turns $b_i "$@"); do
			# shellcheck disable=SC2046
			moved "download$b_suffix" "$b_way" $b_i "$b_bytes" \
			    -w '%{speed_download}' $(url "$b_way")/"$b_bytes"
			# shellcheck disable=SC2046
			moved "upload$b_suffix" "$b_way" $b_i "$b_bytes" \
			    -w '%{speed_upload}' -H Expect: -T "$T/body" \
			    $(url "$b_way")/
		done
	done
}

part_bulk() {
	metric download MB/s ssh-L "smolwrap >= 1.0"
	metric upload MB/s ssh-L "smolwrap >= 1.0"
	metric cpu-download core-s/GB ssh-L ""
	metric cpu-upload core-s/GB ssh-L ""
	# shellcheck disable=SC2086
	bulk "" $rounds $bytes direct ssh-L ssh-D $others $smol
}

# The ceiling shows that the relay is not what the others are held up by.
part_far() {
	metric download-100ms MB/s ssh-L "smolwrap >= 2.0"
	# The server grants 2 MiB for each channel: nobody gets further.
	metric upload-100ms MB/s ssh-L ""
	metric relay-100ms MB/s relay ""
	spawn server "$BENCH/delay" 50 2222 127.0.0.1:22
	pid_delay=$!
	spawn server "$BENCH/delay" 50 2280 $WWW:80
	pid_ceiling=$!
	within 5 hears server 2222 && within 5 hears server 2280
	tunnels_end
	tunnels 2222
	# shellcheck disable=SC2086
	bulk -100ms $far_rounds $far_bytes ssh-L ssh-D $smol
	record relay-100ms relay 1 "$(on client "$BENCH/requests" \
	    -n $((bytes * 4)) bulk $SSHD 2280)"
	tunnels_end
	kill "$pid_delay" "$pid_ceiling"
	tunnels 22
}

# few METRIC FIELD MODE COUNT [-l]: rounds of one client program that makes
# many connections. The name is used wherever a contender can carry it.
few() {
	f_metric=$1 f_field=$2 f_mode=$3 f_count=$4 f_host=$5 f_i=0
	while [ $((f_i += 1)) -le $rounds ]; do
		# shellcheck disable=SC2086
		for f_way in $(turns $f_i direct ssh-L ssh-D $smol); do
			f_args="$f_host $([ "$f_mode" = first ] && echo 7 ||
			    echo 80)"
			f_socks=
			case $f_way/$f_host/$f_mode in
			ssh-L/"$NAME"/first) f_args="127.0.0.1 9007" ;;
			ssh-L/*/first) f_args="127.0.0.1 8007" ;;
			ssh-L/*) f_args="127.0.0.1 8080" ;;
			ssh-D/*) f_socks="-s 127.0.0.1:1080" ;;
			esac
			# shellcheck disable=SC2086
			record "$f_metric" "$f_way" $f_i "$(through "$f_way" \
			    "$BENCH/requests" $f_socks -n "$f_count" \
			    "$f_mode" $f_args | awk "{ print \$$f_field }")"
		done
	done
}

part_requests() {
	metric requests 1/s ssh-L ""
	few requests 1 get $requests $WWW
	metric curl-process ms ssh-L ""
	# shellcheck disable=SC2046,SC2086
	on client "$BENCH/spawn" -n 40 -w 2 -- \
	    ssh-L curl -s $(url ssh-L)/100 -- \
	    ssh-D curl -s $(url ssh-D)/100 \
	    $(for w in $others $smol; do
		echo "-- $w $(wrapper "$w") curl -s http://$WWW/100"
	    done) | spawned curl-process 1000
}

# spawned METRIC SCALE: what `spawn` prints, as one round with its own ratios.
spawned() {
	while read -r s_name s_wall s_low s_high s_ratio s_cpu s_cpu_ratio; do
		printf '%s %s %s %s %s %s %s\n' "$1" "$s_name" "$s_wall" \
		    "$s_low" "$s_high" "$s_ratio" "$2" >>"$T/spawned"
		: "$s_cpu" "$s_cpu_ratio"
	done
}

# From before the connection to its first echoed byte, in a process that runs
# already. ssh answers connect() itself and asks the server later; smolwrap's
# returns when the target has answered. By name, the server looks the name up
# for each channel of either; smolwrap's client asks the session besides, as
# its program asked for an address.
part_first() {
	metric first-byte us ssh-L "smolwrap <= 0.7"
	few first-byte 1 first 300 $WWW
	metric first-byte-by-name us ssh-L "smolwrap <= 0.7"
	few first-byte-by-name 1 first 300 $NAME
}

part_start() {
	metric start us bare "preload <= 1.10; smolwrap <= env + 200 us"
	s_lib=$B/libsmolwrap.so
	s_more=
	if [ -n "$smol" ]; then
		s_env=$(on client "$B/smolwrap" -s bench env |
		    grep -E '^(LD_PRELOAD|SMOLWRAP_)' | tr '\n' ' ')
		s_more="-- preload ${s_env:-LD_PRELOAD=$s_lib} true"
	elif [ -f "$s_lib" ]; then
		s_more="-- preload LD_PRELOAD=$s_lib true"
	fi
	# shellcheck disable=SC2046,SC2086
	on client "$BENCH/spawn" -n $starts -- bare true -- env env true \
	    $s_more \
	    $(for w in $others $smol; do
		echo "-- $w $(wrapper "$w") true"
	    done) | spawned start 1
}

# pss PID...: kilobytes, shared pages in proportion.
pss() {
	for p_pid in "$@"; do
		cat "/proc/$p_pid/smaps_rollup" 2>/dev/null
	done | awk '/^Pss:/ { n += $2 } END { print n + 0 }'
}
rss() {
	for p_pid in "$@"; do
		cat "/proc/$p_pid/smaps_rollup" 2>/dev/null
	done | awk '/^Rss:/ { n += $2 } END { print n + 0 }'
}
fds() { find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l; }

# held CONTENDER COUNT HOST PORT [SOCKS]: a client with COUNT idle connections;
# sets h_client, its memory, and calls `measure`.
held() {
	h_way=$1 h_count=$2; shift 2
	mkfifo "$T/hold" "$T/ready"
	through "$h_way" "$BENCH/requests" -n "$h_count" idle "$@" \
	    <"$T/hold" >"$T/ready" 2>"$T/held.log" &
	h_job=$!
	exec 3>"$T/hold"
	h_pid=
	read -r _ h_pid <"$T/ready"
	rm "$T/hold" "$T/ready"
	if [ -n "$h_pid" ]; then
		sleep 0.3
		h_pss=$(pss "$h_pid") h_rss=$(rss "$h_pid")
		h_session=$(pss "$h_relay")
	else
		say "bench: memory: $h_way $h_count: $(cat "$T/held.log")"
		h_pss='' h_rss='' h_session=''
	fi
	exec 3>&-
	wait "$h_job"
}

part_memory() {
	metric memory-client-rss KiB direct ""
	metric memory-client-pss KiB direct ""
	metric memory-relay-pss KiB ssh-L ""
	metric memory-client-each-of-100 KiB "" ""
	metric memory-client-each-of-$many KiB "" ""
	metric memory-relay-each-of-100 KiB ssh-L ""
	metric memory-relay-each-of-$many KiB ssh-L ""
	for m_way in direct ssh-L $smol; do
		m_args="$WWW 7" h_relay=
		case $m_way in
		ssh-L) m_args="127.0.0.1 8007" h_relay=$pid_ssh_L ;;
		smolwrap) h_relay=$(session_pid) ;;
		esac
		# shellcheck disable=SC2086
		held "$m_way" 1 $m_args
		m_client=$h_pss m_relay=$h_session
		record memory-client-rss "$m_way" 1 "$h_rss"
		record memory-client-pss "$m_way" 1 "$h_pss"
		[ -z "$h_relay" ] ||
			record memory-relay-pss "$m_way" 1 "$h_session"
		for m_n in 100 $many; do
			# shellcheck disable=SC2086
			held "$m_way" "$m_n" $m_args
			[ -n "$h_pss" ] || continue
			record "memory-client-each-of-$m_n" "$m_way" 1 "$(
			    each "$h_pss" "$m_client" "$m_n")"
			[ -z "$h_relay" ] || record \
			    "memory-relay-each-of-$m_n" "$m_way" 1 "$(
			    each "$h_session" "$m_relay" "$m_n")"
		done
	done
}
each() { awk -v a="$1" -v b="$2" -v n="$3" 'BEGIN {
	printf "%.2f", (a - b) / (n - 1) }'; }

# The one session in our process namespace.
session_pid() { grep -ls '^smolwrap-sess' /proc/[0-9]*/comm | cut -d/ -f3 |
    head -n 1; }

part_many() {
	metric parallel-$many s ssh-L ""
	metric parallel-$many-good connections "" ""
	metric sequence-$sequence 1/s ssh-L ""
	metric session-growth-pss KiB "" ""
	metric session-growth-fds descriptors "" ""
	m_i=0
	while [ $((m_i += 1)) -le 3 ]; do
		# shellcheck disable=SC2086
		for m_way in $(turns $m_i direct ssh-L $smol); do
			m_args="$WWW 80"
			[ "$m_way" != ssh-L ] || m_args="127.0.0.1 8080"
			# shellcheck disable=SC2086
			m_got=$(through "$m_way" timeout 100 \
			    "$BENCH/requests" -n $many par $m_args)
			# shellcheck disable=SC2086
			set -- $m_got
			record parallel-$many "$m_way" $m_i "${2:-}"
			record parallel-$many-good "$m_way" $m_i "${3:-0}"
		done
	done
	m_pid=$([ -z "$smol" ] || session_pid)
	m_pss=$(pss "$m_pid") m_fds=$(fds "${m_pid:-none}")
	for m_way in direct ssh-L $smol; do
		m_args="$WWW 80"
		m_count=$sequence
		case $m_way in
		ssh-L)	# a rate needs no more, and it stalls often
			m_args="127.0.0.1 8080" m_count=2000 ;;
		esac
		# shellcheck disable=SC2086
		record sequence-$sequence "$m_way" 1 "$(through "$m_way" \
		    timeout 200 "$BENCH/requests" -n $m_count get $m_args |
		    awk '{ print $1 }')"
	done
	[ -n "$m_pid" ] || return 0
	sleep 1
	record session-growth-pss smolwrap 1 $(($(pss "$m_pid") - m_pss))
	record session-growth-fds smolwrap 1 $(($(fds "$m_pid") - m_fds))
}

# ---- every transport to every server -------------------------------------
# All contenders are used through their SOCKS5 ports, so that what differs is
# the way to the server.  `set-up` is a process of its own from its start to the
# first byte that came back, log-in included.

# way_up NAME PORT: a proxy on that port of client; how to end it in w_end.
way_up() {
	w_end=
	case $1 in
	ssh-D)
		spawn client ssh -N -p 22 -c $CIPHER -D "127.0.0.1:$2" $SSHD
		w_end=$! ;;
	stunnel+ssh-D)
		spawn client ssh -N -p 2443 -c $CIPHER -D "127.0.0.1:$2" \
		    -o HostKeyAlias=$SSHD 127.0.0.1
		w_end=$! ;;
	wraith-*)
		w_kind=${1#wraith-}
		# shellcheck disable=SC2046 # words
		spawn client "$WRAITH" connect --server "$SSHD:$(
		    wraith_port "$w_kind")" --transport "$w_kind" \
		    $([ "$w_kind" != tls ] || echo --insecure) \
		    --identity "$KEY" --socks5 "127.0.0.1:$2"
		w_end=$! ;;
	*)
		# shellcheck disable=SC2046 # words
		on client timeout 60 "$B/smolwrap" up -s "way-$2" $(way "$1") \
		    --socks "$2" >"$T/up.log" 2>&1 ;;
	esac
	within 20 hears client "$2" || {
		say "bench: $1 did not come up: $(tail -n 2 "$T/up.log" \
		    "$T"/client-*.log)"
		return 1
	}
}
way_down() {
	if [ -n "$w_end" ]; then
		kill "$w_end"; wait "$w_end" 2>/dev/null
	else
		on client "$B/smolwrap" down -s "way-$1"
	fi
}
wraith_port() { [ "$1" = tls ] && echo 9443 || echo 9022; }

# wraith's own server, which knows one transport for each process; what of it
# works is in w_wraith.  (Built with iroh as well, it panics over TLS.)
start_wraith() {
	w_wraith=
	WRAITH=${WRAITH:-$(command -v wraith)}
	if [ -z "$WRAITH" ] || [ ! -x "$WRAITH" ]; then
		say "bench: wraith is not built: no rows of it (WRAITH=PROGRAM)"
		return 0
	fi
	spawn server "$WRAITH" serve --key "$T/host_key" \
	    --authorized-keys "$T/authorized_keys" --listen "$SSHD:9022"
	! within 10 hears server 9022 || w_wraith=wraith-tcp
	spawn server "$WRAITH" serve --key "$T/host_key" \
	    --authorized-keys "$T/authorized_keys" --listen "$SSHD:9443" \
	    --transport tls --tls-cert "$T/www.crt" --tls-key "$T/www.key"
	if within 5 on client timeout 5 openssl s_client \
	    -connect "$SSHD:9443" </dev/null; then
		w_wraith="$w_wraith wraith-tls"
	else
		say "bench: this wraith has no TLS: no rows of that"
	fi
}

# one_byte NAME: the command of a `set-up`.
one_byte() {
	case $1 in
	ssh-W) echo "ssh -c $CIPHER -W $WWW:7 $SSHD" ;;
	stunnel+ssh-W) echo "ssh -c $CIPHER -p 2443 -o HostKeyAlias=$SSHD" \
	    "-W $WWW:7 127.0.0.1" ;;
	*) echo "$B/smolwrap $(way "$1" | tr '\n' ' ') nc -N $WWW 7" ;;
	esac
}

# once_ways: the servers and proxies of tests/lib/ways.sh, and stunnel's client.
once_ways() {
	[ -z "${w_ways:-}" ] || return 0
	start_ways || return 1
	w_ways=$(echo "$WAYS" | tr ' ' '\n' | grep -v -e -http)
	w_stunnel=
	command -v stunnel >/dev/null || return 0
	printf '%s\n' "foreground = yes" "pid =" "debug = notice" \
	    "client = yes" "[ssh]" "accept = 127.0.0.1:2443" \
	    "connect = $SSHD:443" "CAfile = $T/ca.crt" \
	    "verifyChain = yes" >"$T/stunnel-client.conf"
	spawn client stunnel "$T/stunnel-client.conf"
	within 10 hears client 2443
	w_stunnel=stunnel+ssh
}

part_ways() {
	[ -n "$smol" ] && once_ways || return 0
	metric ways-download MB/s ssh-D ""
	metric ways-upload MB/s ssh-D ""
	metric cpu-ways-download core-s/GB ssh-D ""
	metric cpu-ways-upload core-s/GB ssh-D ""
	w_others="ssh-D ${w_stunnel:+$w_stunnel-D}"
	start_wraith
	w_others="$w_others $w_wraith"
	truncate -s $((bytes / 2)) "$T/body"
	w_i=0
	while [ $((w_i += 1)) -le 3 ]; do
		w_port=1100
		# shellcheck disable=SC2086 # lists
		for w_way in $(turns $w_i $w_others $w_ways); do
			w_port=$((w_port + 1))
			way_up "$w_way" $w_port || continue
			through_proxy "$w_way" $w_i $w_port
			way_down $w_port
		done
	done
}

part_setup() {
	[ -n "$smol" ] && once_ways || return 0
	metric set-up ms ssh-W ""
	echo 'printf x | timeout 60 "$@" >/dev/null' >"$T/one-byte"
	# shellcheck disable=SC2046 # lists
	on client "$BENCH/spawn" -n 15 -w 1 -- $(
	    for w_way in ssh-W ${w_stunnel:+$w_stunnel-W} $w_ways; do
		echo "$w_way sh $T/one-byte $(one_byte "$w_way") --"
	    done | sed '$s/ --$//') | spawned set-up 1000
}

# through_proxy CONTENDER ROUND PORT
through_proxy() {
	moved ways-download "$1" "$2" $((bytes / 2)) -w '%{speed_download}' \
	    --socks5-hostname "127.0.0.1:$3" "http://$WWW/$((bytes / 2))"
	moved ways-upload "$1" "$2" $((bytes / 2)) -w '%{speed_upload}' \
	    --socks5-hostname "127.0.0.1:$3" -H Expect: -T "$T/body" \
	    "http://$WWW/"
}

# The mixnet: Sphinx in units of X25519, and TCP through a whole network in
# virtual time, against what each profile's slots can carry.
part_mix() {
	m_rust=$SW_ROOT/build/interop/target/release/sphinx_speed
	if [ -x "$m_rust" ]; then
		"$BENCH/mix_sphinx" -r "$m_rust"
	else
		"$BENCH/mix_sphinx"
		echo "(sphinx-packet 0.6.0 beside it: make bench-rust)"
	fi
	"$BENCH/mix_goodput" -s 10
}

# Medians, least and most, and the paired ratios, for people and for programs.
report() {
	touch "$T/spawned"
	awk -v out="$OUT" -f "$SW_ROOT/tests/bench/report.awk" \
	    "$T/meta" "$T/spawned" "$T/data"
}

# shellcheck disable=SC3045 # dash and bash have it
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -H -n)"
say "bench: $(uname -m), $(nproc) processors, load $(cut -d' ' -f1-3 \
    /proc/loadavg), $(date -u +%FT%TZ)"
hosts && services dns || exit 1
# One cipher for all, by the server's word.
# shellcheck disable=SC2154 # set through eval in start_sshd
kill "$pid_sshd_server"
wait "$pid_sshd_server" 2>/dev/null
start_sshd server "Ciphers $CIPHER"
spawn inet "$BENCH/far"
within 5 hears inet 80 && within 5 hears inet 7
IDENTITY=${VIA#--via * }
printf '%s\n' strict_chain proxy_dns "[ProxyList]" \
    "socks5 127.0.0.1 1080" >"$T/proxychains.conf"
others=
has torsocks && others="$others torsocks"
has proxychains4 && others="$others proxychains4"

tunnels 22
[ $# -gt 0 ] || set -- bulk far requests first start memory many ways setup mix
for part in "$@"; do
	say "bench: $part (at $(cut -d. -f1 /proc/uptime) s)"
	"part_$part"
done
tunnels_end
report
