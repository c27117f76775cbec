#!/bin/sh
# As tests/net/serve_stealth.sh, for what takes a minute: how long nginx and
# smolserve wait for who says nothing, or not all.

. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/smolserve.sh"
. "$SW_ROOT/tests/lib/stealth.sh"

[ -x "$B/smolserve" ] || skip_all "smolserve is not built"
hosts && start_twins || exit 1
differ=$(probe_twins slow)
diag "$(cut -c1-60 "$T/ours"; sed 's/.* after/after/' "$T/ours")"
# It might become SSH: that takes a second to know.
is "$(printf '%s\n' "$differ" | grep -vx 'TLS')" "" "both wait as long" ||
	diag "$(diff "$T/real" "$T/ours" | cut -c1-300)"
is "$(diff "$T/real" "$T/ours" | grep -c '^<')" 1 "but for half an SSH"
like "$(sed -n '/half an SSH/s/.* after/after/p' "$T/ours")" "after 1 s" \
    "which is answered within a second"
tap_end
