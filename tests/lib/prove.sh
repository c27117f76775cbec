#!/bin/sh
# tests/lib/prove.sh TEST... - what `make check` runs.
#
# Several at a time under prove, the long ones first: most of them wait more
# than they work.  What failed in the crowd is run once more, alone and in full;
# the last lines say which tests needed that, because a test that passes the
# second time is a fault too: its own, or the product's.

state=$B/prove.state
jobs=$(($(nproc) * 2))
[ "$jobs" -le 8 ] || jobs=8
export CMOCKA_MESSAGE_OUTPUT=TAP

with_state() { prove --statefile="$state" "$@"; }

with_state --timer -j"$jobs" --failures --comments --state=save "$@" && exit 0
# Nothing to repeat: prove itself gave up.
failed=$(with_state --state=failed --dry) && [ -n "$failed" ] || exit 1
echo "Once more, alone and in full, for faults of crowding:"
with_state --timer -v --state=failed,save
status=$?
still=$(with_state --state=failed --dry | tr '\n' ' ')
echo
echo "Tests that failed in the first pass:"
for t in $failed; do
	case " $still" in
	*" $t "*) echo "  FAILED TWICE: $t" ;;
	*) echo "  PASSED ONLY THE SECOND TIME: $t" ;;
	esac
done
exit $status
