#!/bin/sh
# Every fuzz target survives its corpus and a few seeded random inputs.
B=${B:-build/default}
set -- "$B"/tests/fuzz/*_fuzz
[ -x "$1" ] || { echo "1..0 # SKIP no fuzz target is built"; exit 0; }
echo "1..$#"
n=0
for bin; do
	n=$((n + 1))
	name=$(basename "$bin" _fuzz)
	set --
	[ -d "tests/fuzz/corpus/$name" ] && set -- tests/fuzz/corpus/"$name"/*
	if "$bin" "$@" >/dev/null 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
	fi
done
