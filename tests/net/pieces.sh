#!/bin/sh
# Log-ins over connections that arrive in pieces: single bytes, odd lengths,
# pauses at any place; and over iroh, whose packets get lost. All succeed.
# LOGINS is their number for each way, SEED draws the pieces.

LINK_LOSS_PERMILLE=${LINK_LOSS_PERMILLE:-10}
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"
. "$SW_ROOT/tests/lib/ways.sh"

hosts && services dns web || exit 1
product && [ -x "$B/smolserve" ] || skip_all "smolwrap is not built"
start_ways || exit 1
# stunnel 5.68 ends connections whose records come in small pieces ("transfer()
# loop executes not transferring any data"): another program stands for it here.
spawn server socat "OPENSSL-LISTEN:444,cert=$T/www.crt,key=$T/www.key,verify=0,fork,reuseaddr" \
    TCP:127.0.0.1:22
within 10 hears server 444 || exit 1
SW=$B/smolwrap LOGINS=${LOGINS:-6} AT_ONCE=8

# broken PORT [TARGET]: what it leads to is to be had in pieces at 20000 + PORT.
broken() {
	spawn server "$LIB/dribble" -s "${SEED:-$1}" $((20000 + $1)) \
	    $SSHD "${2:-$1}"
	within 5 hears server $((20000 + $1))
}
broken 443 444
for port in 22 2222 8443 $WAY_SOCKS $WAY_HTTP; do
	broken "$port"
done
for known in "$KNOWN" "$T/serve_known"; do
	sed -n "s/^${SSHD}[^ ]* /[$SSHD]:20022,[$SSHD]:20443,[$SSHD]:28443 /p
	    s/^\[$SSHD]:2222 /[$SSHD]:22222 /p" "$known" >"$T/more"
	cat "$T/more" >>"$known"
done

# in_pieces WAY: its words, by the ports above; the proxy's or the server's, as
# the way has one or not.
in_pieces() {
	case $1 in
	*-socks | *-http) way "$1" | sed "s/:$WAY_SOCKS\$/:$((20000 + WAY_SOCKS))/
	    s/:$WAY_HTTP\$/:$((20000 + WAY_HTTP))/; s/:443\( \|\$\)/:444\1/" ;;
	iroh*) way "$1" ;;
	*) way "$1" | sed "s/:22\( \|\$\)/:20022\1/
	    s/:443\( \|\$\)/:20443\1/
	    s/:2222\( \|\$\)/:22222\1/
	    s/:8443\( \|\$\)/:28443\1/" ;;
	esac
}

# One log-in, and some bytes through it; its number is $1.
one() {
	number=$1; shift
	got=$(on client timeout 60 "$SW" "$@" -- curl -sS -m 50 \
	    http://$WWW/ 2>"$T/err.$number")
	[ "$got" = "$page" ] && : >"$T/good.$number"
}
page=$(cat "$T/www/index.html")

for name in $WAYS; do
	rm -f "$T"/good.* "$T"/err.*
	n=0
	while [ $n -lt "$LOGINS" ]; do
		jobs_now=
		while [ $n -lt "$LOGINS" ] &&
		    [ "$(echo "$jobs_now" | wc -w)" -lt $AT_ONCE ]; do
			n=$((n + 1))
			# shellcheck disable=SC2046 # a list of words
			one $n $(in_pieces "$name") &
			jobs_now="$jobs_now $!"
		done
		# shellcheck disable=SC2086 # a list
		wait $jobs_now
	done
	is "$(find "$T" -maxdepth 1 -name 'good.*' | wc -l)" "$LOGINS" \
	    "$name: $LOGINS log-ins" || diag "$(sort "$T"/err.* | uniq -c |
	    sort -rn | head -n 5)"
done
tap_end
