#!/bin/sh
# tests/lib/prove.sh TEST... - what `make check` runs.
#
# Several at a time under prove, the long ones first: most of them wait more
# than they work.  What failed in the crowd is run once more, alone; the last
# lines say which tests needed that, because a test that passes the second time
# is a fault too: its own, or the product's.
#
# A line is printed for each test.  All that it says, errors too, is in $B/said,
# and printed here when it fails.

state=$B/prove.state
said=$B/said
jobs=$(($(nproc) * 2))
[ "$jobs" -le 8 ] || jobs=8
export CMOCKA_MESSAGE_OUTPUT=TAP

# prove calls this file for each test.
if [ "$1" = --one ]; then
	shift
	log=$said/$(echo "$1" | tr / -)
	: >"$log"
	{ "$@" 2>>"$log"; echo $? >"$log.status"; } | tee -a "$log"
	exit "$(cat "$log.status")"
fi

with_state() { prove --statefile="$state" --exec "$0 --one" "$@"; }
# explain TEST...: what they said besides their passed steps, the last of it.
explain() {
	for t; do
		printf '\n--- %s said:\n' "$t"
		grep -v '^ok ' "$said/$(echo "$t" | tr / -)" | tail -n 60
	done
}

rm -rf "$said" "$state"
mkdir -p "$said"
with_state --timer -j"$jobs" --failures --state=save "$@" && exit 0
# Nothing to repeat: prove itself gave up.
failed=$(with_state --state=failed --dry) && [ -n "$failed" ] || exit 1
# shellcheck disable=SC2086 # a list
explain $failed
echo
echo "Once more, alone, for faults of crowding:"
with_state --timer --failures --state=failed,save
status=$?
still=$(with_state --state=failed --dry | tr '\n' ' ')
# shellcheck disable=SC2086 # a list
[ $status -eq 0 ] || explain $still
echo
echo "Tests that failed in the first pass:"
for t in $failed; do
	case " $still " in
	*" $t "*) echo "  FAILED TWICE: $t" ;;
	*) echo "  PASSED ONLY THE SECOND TIME: $t" ;;
	esac
done
exit $status
