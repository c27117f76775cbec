#!/bin/sh
# tests/lib/sanitized.sh TEST... - prove.sh for a build $B with a sanitizer in it.
#
# What a sanitizer finds is in $B/reports, whatever process it was in and where
# that one's standard error went.  One report fails the run even if every test
# passes.
set -u
reports=$PWD/$B/reports
rm -rf "$reports"
mkdir -p "$reports"
chmod 1777 "$reports"		# smolserve may have become another user
# A fault is ours to report, not cmocka's.
export ASAN_OPTIONS="log_path=$reports/asan:handle_segv=2"
export TSAN_OPTIONS="log_path=$reports/tsan"
export UBSAN_OPTIONS="log_path=$reports/ubsan:print_stacktrace=1"
tests/lib/prove.sh "$@"
status=$?

set -- "$reports"/*
[ -e "$1" ] || exit $status
echo "Reports, whole in $B/reports:"
grep -hE '^SUMMARY|runtime error' "$@" | sort | uniq -c
exit 1
