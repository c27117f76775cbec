#!/bin/sh
# CPython's own tests of sockets, bare and wrapped, on the loopback of a host
# whose only way out is the SSH server.
TEST_SECONDS=${TEST_SECONDS:-3600}
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/compare.sh"

# As on an ordinary machine; one test lists all numbers below the limit.
# shellcheck disable=SC3045 # dash knows it
ulimit -S -n 1024

PYTHON=/usr/bin/python3
MODULES=${MODULES:-test_socket test_ssl test_selectors test_epoll test_poll
    test_select test_httplib test_socketserver test_ftplib test_smtplib
    test_subprocess $(cd /usr/lib/python3.11/test &&
    ls test_asyncio/test_[!w]*.py test_asyncio/test_wait*.py |
    sed 's,/,.,; s/\.py//')}
$PYTHON -c 'import test.test_socket' 2>/dev/null ||
	skip_all "libpython3.11-testsuite is not installed"
hosts && services small dns || exit 1
product || skip_all "smolwrap is not built"

# run BARE|WRAPPED: each module in a process of its own, because one that
# hangs or dies must not hide the others.
run() {
	: >"$T/$1"
	for module in $MODULES; do
		rm -f "$T/results"
		(cd "$T/tmp" && $2 timeout -k 5 "${MODULE_SECONDS:-600}" \
		    $PYTHON "$SW_ROOT/tests/suites/unittests.py" "$T/results" \
		    "$module") >"$T/$1-$module.log" 2>&1 </dev/null
		diag "$1 $module: status $?, $(grep -h '^Ran ' \
		    "$T/$1-$module.log")"
		if [ -e "$T/results" ]; then
			cat "$T/results" >>"$T/$1"
			echo "$module-whole yes" >>"$T/$1"
		else
			echo "$module-whole no" >>"$T/$1"
		fi
	done
	sort -u -o "$T/$1" "$T/$1"
}

run bare "on client"
run wrapped wrapped
if [ -n "$KEEP" ]; then mkdir -p "$KEEP"; cp "$T"/bare* "$T"/wrapped* "$KEEP"; fi
compare_groups "$T/bare" "$T/wrapped" "$SW_ROOT/tests/suites/cpython.differs"
