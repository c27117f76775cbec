# shellcheck shell=sh disable=SC2034,SC2154 # sourced, and set through eval
# tests/lib/row.sh - one program of the catalogue, four times over.
# Sourced after net.sh, by scripts that are lists of rows.
#
# row NAME PROGRAM PORT EXPECTED COMMAND
#	COMMAND is for `sh -c`, with $H (a host name), $P (a port), $WWW, $CA
#	and the folder $D to write to. Its output must match the shell pattern
#	EXPECTED, and its status be the same, run on the server's host (which sees the internet) and run
#	wrapped on the client's. Then, unless PORT is -, wrapped and bare must
#	fail alike (the same exit status) where P refuses, fail where H is in no
#	DNS, and wrapped must end soon when the tunnel is cut while it waits for
#	an answer.
# A missing PROGRAM skips the row, natively and wrapped alike.
#
# Rows run only if their name has the word $ROW in it, when that is set.
# ROW_OVER=mix: over a mixnet instead of SSH, and without the faults.

CA=$T/ca.crt D=$T/scratch
export CA D
ROW_SECONDS=$((${ROW_SECONDS:-60} * ${SLOW:-1}))
[ "$ROW_OVER" != mix ] || {
	. "$SW_ROOT/tests/lib/mixnet.sh"
	ROW_QUICK=1 ROW_SECONDS=$((100 * ${SLOW:-1}))
}

row_run() {	# HOST-RUNNER HOST PORT COMMAND; output in $T/out, status in $?
	rm -rf "$D"; mkdir -p "$D"
	if [ "$1" = bare ]; then
		on server timeout -k 2 "$ROW_SECONDS" env H="$2" P="$3" \
		    sh -c "$4" >"$T/out" 2>"$T/err" </dev/null
	else
		# The launcher execs, so it is timed like the program.
		# shellcheck disable=SC2086
		on client timeout -k 2 "$ROW_SECONDS" env H="$2" P="$3" \
		    "$B/smolwrap" $VIA -- sh -c "$4" \
		    >"$T/out" 2>"$T/err" </dev/null
	fi
}

row_said() {
	diag "status $1; stdout, then stderr:"
	diag "$(head -c 400 "$T/out" | tr -d '\000' | head -n 6)"
	diag "$(head -c 1200 "$T/err" | tr -d '\000' | tail -n 6)"
}

row_matches() {	# RUNNER STATUS EXPECTED NAME [WANTED-STATUS]
	# shellcheck disable=SC2254
	case $(head -c 4000 "$T/out" | tr -d '\000') in
	$3) if [ "$2" = "${5:-$2}" ]; then
			pass "$4, $1"
			return 0
		fi ;;
	esac
	fail "$4, $1"
	row_said "$2"
	return 1
}

# Does the row's connection stand, at the peer that never says a word?
row_waits() {
	kill -0 $row_job 2>/dev/null || return 0	# it gave up by itself
	on inet awk '$4 == "01" && substr($2, length($2) - 4) == ":138A" {
		found = 1 } END { exit !found }' /proc/net/tcp /proc/net/tcp6
}

# The SSH server goes too, or a program that tries again would wait again.
row_cut() {	# NAME COMMAND
	# Longer than we look: what `timeout` ends has not ended by itself.
	ROW_SECONDS=$((120 * ${SLOW:-1})) row_run wrapped www.example.test 5002 "$2" &
	row_job=$!
	within 40 row_waits || diag "no connection to port 5002 was seen"
	sleep 0.2
	stop_sshd server
	row_left=$((600 * ${SLOW:-1}))
	while [ $row_left -gt 0 ] && kill -0 $row_job 2>/dev/null; do
		row_left=$((row_left - 1))
		sleep 0.1
	done
	if [ $row_left -gt 0 ]; then
		wait $row_job
		pass "$1, wrapped, tunnel cut: ended with status $?"
	else
		wait $row_job
		fail "$1, wrapped, tunnel cut: hangs"
		row_said $?
	fi
	start_sshd server
}

row() {
	case $1 in *"$ROW"*) ;; *) return 0 ;; esac
	if ! command -v "$2" >/dev/null; then
		skip "$2 is not installed" "$1"
		return 0
	fi
	[ "$ROW_OVER" != mix ] || [ -n "$pid_mixnet" ] || start_mixnet ||
		skip_all "no mixnet"
	row_port=$3
	[ "$3" != - ] || row_port=0
	row_run bare www.example.test "$row_port" "$5"
	row_want=$?
	[ $row_want -ne 124 ] || { fail "$1, bare: hangs"; return 0; }
	row_matches bare $row_want "$4" "$1" || return 0
	product || { skip "smolwrap is not built" "$1, wrapped"; return 0; }
	row_run wrapped www.example.test "$row_port" "$5"
	row_matches wrapped $? "$4" "$1" $row_want
	[ "$3" != - ] && [ -z "$ROW_QUICK" ] || return 0

	row_run bare www.example.test 5999 "$5"
	row_want=$?
	row_run wrapped www.example.test 5999 "$5"
	is $? $row_want "$1, wrapped, refused port" || row_said "-"

	case $5 in
	*\$H*) ;;
	*) row_cut "$1" "$5"; return 0 ;;
	esac
	row_run wrapped neverland.test "$row_port" "$5"
	row_got=$?
	if [ $row_got -ne 0 ] && [ $row_got -ne 124 ] &&
	    [ $row_got -ne 137 ]; then
		pass "$1, wrapped, unknown name: status $row_got"
	else
		fail "$1, wrapped, unknown name: status $row_got"
		row_said $row_got
	fi
	row_cut "$1" "$5"
}
