#!/bin/sh
# To who does not speak SSH smolserve's TLS port is an nginx: the same odd requests
# and handshakes to both, and the same answers, to the byte but for dates.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"
. "$SW_ROOT/tests/lib/stealth.sh"

[ -x "$B/smolserve" ] || skip_all "smolserve is not built"
hosts && start_twins || exit 1
differ=$(probe_twins)
n=$(wc -l <"$T/real")
ok "some two hundred probes had their answers" [ "$n" -gt 230 ]
# nginx 1.22 leaves a second request after a 412 unanswered.
is "$(printf '%s\n' "$differ" | grep -vx 'match keep')" "" \
    "nothing tells them apart" ||
	diag "$(cut -c1-500 "$T/diff")"
tap_end
