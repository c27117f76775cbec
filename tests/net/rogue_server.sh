#!/bin/sh
# SSH servers that are silent, garble, flood, or send more than they may: the
# client ends in time, says why in one clean line, and keeps its memory.

. "${0%/*}/../lib/net.sh"

hosts || exit 1
product || skip_all "smolwrap is not built"
/usr/bin/python3 -c 'import paramiko' 2>/dev/null ||
	skip_all "paramiko is not installed"
SW=$B/smolwrap

# Before the log-in, and after it.
early="mute greeting kexinit auth garbage giant web talk"
late="overrun huge opens requests windows ghosts cut nasty dark"
port=3000 list=
for mode in $early $late; do
	port=$((port + 1))
	list="$list $mode:$port"
	eval "port_$mode=$port"
	echo "[$SSHD]:$port $(cat "$T/host_key.pub")" >>"$KNOWN"
done
# shellcheck disable=SC2086 # a list
spawn server /usr/bin/python3 "$SW_ROOT/tests/lib/rogue_server.py" $SSHD \
    "$T/host_key" $list
did() { grep -qE "^($1)\$" "$T/server-python3.log"; }
within 20 did ready || { diag "$(cat "$T/server-python3.log")"; exit 1; }

# via MODE: the words of smolwrap for that server.
via() {
	eval "echo --via ssh://tester@$SSHD:\$port_$1 -i $KEY \
	    --known-hosts $KNOWN"
}
# is_clean FILE: no control characters but newlines, no long line.
is_clean() {
	! LC_ALL=C grep -q '[^ -~]' "$1" && ! grep -q '.\{400\}' "$1"
}

# All at once: most of them take as long as our patience.
for mode in $early; do
	# shellcheck disable=SC2046
	(on client timeout 60 "$SW" $(via $mode) -- true >"$T/$mode.out" 2>&1
	echo $? >"$T/$mode.status") &
done
for mode in $early; do
	within 60 test -s "$T/$mode.status"
	is "$(cat "$T/$mode.status")" 125 "$mode: given up"
	is "$(grep -c '^smolwrap:' "$T/$mode.out")" 1 "  with a line" ||
		diag "$(cat "$T/$mode.out")"
	ok "  a clean one" is_clean "$T/$mode.out"
done

# held: kilobytes of the one session.
held() {
	awk '/^VmRSS/ { print $2 }' "/proc/$(sessions | head -n 1)/status"
}
is_steady() { [ "$(held)" = "$(sleep 0.3; held)" ]; }
connects() {
	on client timeout 20 "$SW" -s rogue perl -MIO::Socket::INET -e '
		$s = IO::Socket::INET->new("203.0.113.80:80") or die "$!\n";
		$| = 1; print "connected\n"; sleep 600' >"$T/program" 2>&1
}
for mode in $late; do
	# shellcheck disable=SC2046
	on client timeout 40 "$SW" up -s rogue $(via $mode) -R 9100:localhost:1 \
	    >"$T/up.out" 2>&1 || diag "$(cat "$T/up.out")"
	before=$(held)
	connects &				# connects, and then reads nothing
	program=$!
	case $mode in
	dark) ;;
	requests) ok "$mode: we put an end to it" within 180 did "cut $mode" ;;
	opens | windows) ok "$mode: all of it" within 180 did "did $mode" ;;
	*) ok "$mode: as much as we let it" within 180 did \
	    "did $mode|cut $mode" ;;
	esac
	within 5 is_steady
	after=$(held)
	status=$(on client timeout 10 "$SW" status -s rogue)
	like "$status" "state *" "$mode: the session lives"
	if [ -n "$SANITIZED" ]; then
		skip "a sanitizer keeps what is freed" "  with its memory"
	else
		ok "  with its memory ($before, then $after KiB)" \
		    [ $((${after:-999999} - before)) -lt 12288 ]
	fi
	echo "$status" >"$T/status"
	ok "  and says nothing unclean" is_clean "$T/status"
	on client timeout 10 "$SW" down -s rogue
	kill $program 2>/dev/null
	within 20 no_sessions
done
tap_end
