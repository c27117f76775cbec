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
# Faults are reported to us, not by cmocka; SIGILL is UBSan's.  Who asked for
# memory that leaks is known through libraries without frame pointers, too.
export ASAN_OPTIONS="log_path=$reports/asan:handle_segv=2:handle_sigill=2\
:fast_unwind_on_malloc=0"
export TSAN_OPTIONS="log_path=$reports/tsan"
export SANITIZED=yes
tests/lib/prove.sh "$@"
status=$?

set -- "$reports"/*
[ -e "$1" ] || exit $status
echo "Reports, whole in $B/reports:"
grep -h '^SUMMARY' "$@" | sort | uniq -c
exit 1
