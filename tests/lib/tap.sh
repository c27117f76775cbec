# shellcheck shell=sh disable=SC2034,SC2154 # sourced, and set through eval
# tests/lib/tap.sh - the Test Anything Protocol in a dozen lines of shell.
# Source it. `ok` and `fails` run a command; its output becomes a diagnosis
# when the test goes the wrong way.

tap_n=0 tap_bad=0 tap_plan=

plan() { tap_plan=$1; echo "1..$1"; }
# Nothing of this file can be tested here; with MUST_RUN set, that is an error.
skip_all() {
	[ -z "$MUST_RUN" ] || { echo "${0##*/}: $*" >&2; exit 1; }
	echo "1..0 # SKIP $*"
	exit 0
}
diag() { printf '%s\n' "$*" | sed 's/^/# /'; }
pass() { tap_n=$((tap_n + 1)); echo "ok $tap_n - $*"; }
fail() {
	tap_n=$((tap_n + 1)) tap_bad=$((tap_bad + 1))
	echo "not ok $tap_n - $*"
}
# skip WHY DESCRIPTION
skip() { tap_n=$((tap_n + 1)); echo "ok $tap_n - $2 # SKIP $1"; }
# is GOT WANTED DESCRIPTION
is() {
	if [ "$1" = "$2" ]; then pass "$3"; return 0; fi
	fail "$3"
	diag "got:    $1"
	diag "wanted: $2"
	return 1
}
# like GOT PATTERN DESCRIPTION; the pattern is the shell's
like() {
	# shellcheck disable=SC2254 # the pattern is meant to be one
	case $1 in $2) pass "$3"; return 0;; esac
	fail "$3"
	diag "got:    $1"
	diag "wanted: $2"
	return 1
}
# ok DESCRIPTION COMMAND...
ok() {
	tap_what=$1; shift
	if tap_out=$("$@" 2>&1); then pass "$tap_what"; return 0; fi
	fail "$tap_what"
	diag "exit status $?: $*"
	diag "$tap_out" | head -n 20
	return 1
}
# fails DESCRIPTION COMMAND...
fails() {
	tap_what=$1; shift
	if ! tap_out=$("$@" 2>&1); then pass "$tap_what"; return 0; fi
	fail "$tap_what"
	diag "did not fail: $*"
	diag "$tap_out" | head -n 20
	return 1
}
# within SECONDS COMMAND...: tries it ten times a second until it succeeds; a
# slow or busy machine has three times as long, a build SLOW times as slow as
# others (a sanitizer's) that much longer again.
within() {
	tap_left=$(($1 * 30 * ${SLOW:-1})); shift
	until "$@" >/dev/null 2>&1; do
		tap_left=$((tap_left - 1))
		[ $tap_left -gt 0 ] || return 1
		sleep 0.1
	done
}
# The last line of a test. Without a plan at the top it prints one here.
tap_end() {
	[ -n "$tap_plan" ] || echo "1..$tap_n"
	[ "$tap_bad" -eq 0 ]
}
