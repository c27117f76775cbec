#!/bin/sh
# Bulk and number: 1 GiB each way with every byte checked, 1,000 connections at
# once, 10,000 in a row, and what they leave behind in the session.
# BULK_BYTES, BULK_PARALLEL and BULK_SERIAL change the sizes.

TEST_SECONDS=${TEST_SECONDS:-900}
. "${0%/*}/../lib/net.sh"

BYTES=${BULK_BYTES:-1073741824}
PARALLEL=${BULK_PARALLEL:-1000} SERIAL=${BULK_SERIAL:-10000}
MANY=$LIB/many

plan 14
hosts && services small dns || exit 1
watch client

# figures DESCRIPTION PATTERN COMMAND...
figures() {
	what=$1 want=$2; shift 2
	got=$("$@" 2>"$T/err")
	like "$got" "$want" "$what: $got" || diag "$(tail -n 5 "$T/err")"
}

# What a session process holds: descriptors and resident KB, summed.
session_holds() {
	fds=0 kb=0
	for p in $(sessions); do
		fds=$((fds + $(find "/proc/$p/fd" 2>/dev/null | wc -l)))
		kb=$((kb + $(awk '/VmRSS/ { print $2 }' "/proc/$p/status")))
	done
}

figures "bare, down" "good*" on server "$MANY" down $WWW "$BYTES"
figures "bare, up" "good*" on server "$MANY" up $WWW "$BYTES"
figures "bare, parallel" "good $PARALLEL of*" \
    on server "$MANY" parallel $WWW "$PARALLEL" 20000
figures "bare, serial" "good $SERIAL of*" \
    on server "$MANY" serial $WWW "$SERIAL"
product || {
	for _ in 5 6 7 8 9 10 11 12 13 14; do
		skip "smolwrap is not built" "wrapped"
	done
	tap_end
	exit
}
figures "wrapped, down" "good*" wrapped "$MANY" down $WWW "$BYTES"
figures "wrapped, up" "good*" wrapped "$MANY" up $WWW "$BYTES"
figures "wrapped, both ways at once" "good*good*" wrapped sh -c \
    '"$0" down $WWW 100000000 & "$0" up $WWW 100000000; wait' "$MANY"
figures "wrapped, parallel" "good $PARALLEL of*" \
    wrapped "$MANY" parallel $WWW "$PARALLEL" 20000
: >"$T/go"
# The heap finds its size in the first: as many again must not need more.
wrapped sh -c '"$0" serial $WWW '"$SERIAL"'; : >"$1.first"
	i=0; while [ -e "$1" ] && [ $i -lt 300 ]; do
		sleep 0.1; i=$((i + 1)); done
	"$0" serial $WWW '"$SERIAL"'; : >"$1.second"
	i=0; while [ ! -e "$1" ] && [ $i -lt 300 ]; do
		sleep 0.1; i=$((i + 1)); done' \
    "$MANY" "$T/go" >"$T/serial" 2>"$T/err" &
within 600 test -e "$T/go.first"
sleep 1
session_holds
fds_before=$fds kb_before=$kb
rm "$T/go"
within 600 test -e "$T/go.second"
sleep 1
session_holds
: >"$T/go"
wait $!
like "$(sed -n 1p "$T/serial")" "good *" \
    "wrapped, the first $SERIAL: $(sed -n 1p "$T/serial")" ||
	diag "$(tail -n 3 "$T/err")"
like "$(sed -n 2p "$T/serial")" "good $SERIAL of *descriptors +0,*" \
    "wrapped, serial: $(sed -n 2p "$T/serial")" ||
	diag "$(tail -n 3 "$T/err")"
ok "the session holds no more descriptors: $fds_before, then $fds" \
    test "$fds" -le $((fds_before + 4))
ok "the session has not grown: $kb_before KB, then $kb KB" \
    test "$kb" -le $((kb_before + 2048))
is "$(strays client)" "" "the client sent SSH and no more"
ok "no session is left" within 10 no_sessions
tap_end
