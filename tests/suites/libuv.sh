#!/bin/sh
# libuv's own tests, bare and wrapped, on the loopback of a host whose only way
# out is the SSH server. Its source is Debian's (scripts/deps source).
TEST_SECONDS=${TEST_SECONDS:-3600}
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/compare.sh"

LIBUV=${LIBUV:-$SW_ROOT/build/src/libuv}
RUN=$LIBUV/build/uv_run_tests
[ -x "$RUN" ] || skip_all "libuv is not built: make suites"
hosts && services small dns || exit 1
product || skip_all "smolwrap is not built"

# "ok 12 - name" becomes "libuv.tcp-name ok"; a group for each first word.
report() {
	sed -n -e 's/^\(not \)\{0,1\}ok [0-9]* - \([^ ]*\)\(.*\)/\2 \1ok\3/p' |
	    awk '{ v = $0 ~ /# SKIP/ ? "skipped" : $2 == "not" ? "failure" : "ok"
		g = $1; sub(/_.*/, "", g); gsub(/-/, "_", $1)
		print "libuv." g "-" $1, v }' | sort -u
}

# The tests look for files beside them.
# Some tests dial these and want no answer: here nobody gives one.
for dark in 8.8.8.8 1.2.3.4; do
	on client ip route add $dark via $SSHD
	on server ip route add $dark via $DARK
done

# It refuses to run as root, which we are in this namespace: one more, then.
run() {
	cd "$LIBUV" && "$@" unshare -U --map-user=1000 --map-group=1000 \
	    env UV_TEST_TIMEOUT_MULTIPLIER=3 timeout -k 5 1200 "$RUN"
}
(run on client) >"$T/bare.log" 2>&1 </dev/null
diag "bare: status $?"
(run wrapped) >"$T/wrapped.log" 2>&1 </dev/null
diag "wrapped: status $?"
for side in bare wrapped; do report <"$T/$side.log" >"$T/$side"; done
if [ -n "$KEEP" ]; then mkdir -p "$KEEP"; cp "$T"/bare* "$T"/wrapped* "$KEEP"; fi
compare_groups "$T/bare" "$T/wrapped" "$SW_ROOT/tests/suites/libuv.differs"
