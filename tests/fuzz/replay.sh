#!/bin/sh
# Every fuzz target survives its corpus and a few seeded random inputs.
B=${B:-build/default}
. tests/lib/tap.sh

set -- "$B"/tests/fuzz/*_fuzz
[ -x "$1" ] || skip_all "no fuzz target is built"
plan $#
for bin; do
	name=$(basename "$bin" _fuzz)
	set --
	[ -d "tests/fuzz/corpus/$name" ] && set -- tests/fuzz/corpus/"$name"/*
	ok "$name" "$bin" "$@"
done
tap_end
