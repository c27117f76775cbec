#!/bin/sh
# exports.sh - the library shows exactly the reviewed names, depends on libc
# alone and keeps its hardening.
SW_ROOT=$(cd "${0%/*}/../.." && pwd)
B=${B:-build/default}
case $B in /*) ;; *) B=$SW_ROOT/$B ;; esac
. "$SW_ROOT/tests/lib/tap.sh"

LIBRARY=${LIBRARY:-$B/libsmolwrap.so}
command -v readelf >/dev/null || skip_all "readelf is not installed"
T=$(mktemp -d "${TMPDIR:-/tmp}/smolwrap-test.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT
export LC_ALL=C

plan 10
nm -D --defined-only "$LIBRARY" | awk '{ print $3 }' | sort >"$T/defined"
grep -v '^#' "$SW_ROOT/tests/preload/exports.txt" | sort >"$T/reviewed"
ok "the defined names are the reviewed ones" diff "$T/reviewed" "$T/defined"

sed -n 's/^	\([a-z_0-9A-Z]*\);$/\1/p' "$SW_ROOT/preload/exports.map" |
	sort >"$T/map"
ok "the version script says the same" diff "$T/reviewed" "$T/map"

readelf -dW "$LIBRARY" >"$T/dynamic"
is "$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' "$T/dynamic" |
    grep -v '^ld-linux')" libc.so.6 "nothing is needed but libc"
readelf -lW "$LIBRARY" >"$T/segments"
is "$(awk '$1 == "GNU_STACK" { print $7 }' "$T/segments")" RW \
    "the stack is not executable"
ok "relocations are read-only" grep -q GNU_RELRO "$T/segments"
# Binding is lazy, as libc's own: see the Makefile.
is "$(grep -o -w -e BIND_NOW -e NOW -e NODELETE "$T/dynamic" |
    sort -u | tr '\n' ' ')" "NODELETE " \
    "libc's functions are bound at the first call; unloading is refused"
# Whatever else defines such a name, our own calls must not reach it.
readelf -rW "$LIBRARY" | awk '$5 ~ /^[a-z_]/ { sub(/@.*/, "", $5); print $5 }' |
	sort -u >"$T/relocated"
ok "some names are left to the loader" grep -qx memcpy "$T/relocated"
is "$(comm -12 "$T/relocated" "$T/defined" | tr '\n' ' ')" "" \
    "none of them is one that the library defines"
# Searched for in every library in vain, at each start.
is "$(nm -D --undefined-only "$LIBRARY" | awk '{ print $2 }' |
    grep -E '^(_ITM_|__gmon_start__|_Jv_)' | tr '\n' ' ')" "" \
    "the C runtime's start files are not in it"
# Each of these allocates or takes locks at a time of the loader's choosing.
nm -D --undefined-only "$LIBRARY" | awk '{ sub(/@.*/, "", $2); print $2 }' |
	grep -E '^(dl(sym|open|vsym)|pthread_.*|__tls_get_addr|exit)$' >"$T/bad"
is "$(tr '\n' ' ' <"$T/bad")" "" "no loader call, no thread-local storage"
tap_end
