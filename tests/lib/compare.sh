# shellcheck shell=sh disable=SC2034,SC2154 # sourced, and set through eval
# tests/lib/compare.sh - sets two reports of a probe side by side.
#
# A report is lines "KEY VALUE". DIFFERENCES is a file of lines "KEY VALUE
# REASON", where KEY may hold * for anything and VALUE be *: what the wrapped
# program may see instead, and why. Anything else that differs is a failure.
#
# compare NATIVE WRAPPED DIFFERENCES		a test for each key
# compare_groups NATIVE WRAPPED DIFFERENCES	a test for each group of keys,
#						named by all before the last -
#
# A stack runs in the session or on a thread; nobody may see which:
#
# report COMMAND...		its reports, "$T/session" and "$T/thread"; what
#				it runs by `wrapped` has its stack there
# compare_both key|group DIFFERENCES	the two with "$T/native"

compare() { compare_alone key "$@"; }
compare_groups() { compare_alone group "$@"; }

report() {
	for STACK in session thread; do
		"$@" >"$T/$STACK" 2>"$T/err" || diag "$STACK: status $?"
		diag "$(cat "$T/err")"
	done
	STACK=
}

compare_alone() {
	compare_by "$@" 0 ""
	echo "1..$(cat "$T/compared")"
}
compare_both() {
	compare_by "$1" "$T/native" "$T/session" "$2" 0 "session: "
	compare_by "$1" "$T/native" "$T/thread" "$2" "$(cat "$T/compared")" \
	    "thread: "
	echo "1..$(cat "$T/compared")"
}

# compare_by key|group NATIVE WRAPPED DIFFERENCES TESTS-SO-FAR NAME
compare_by() {
	awk -v by="$1" -v differs="$4" -v wrapped="$3" -v t="$5" -v name="$6" \
	    -v total="$T/compared" '
	function expected(k, v,   i) {
		for (i = 1; i <= n; i++)
			if (k ~ key[i] && (value[i] == "*" || value[i] == v))
				return why[i]
		return ""
	}
	function rest(l) { sub(/^[^ ]* ?/, "", l); return l }
	function test(what, why) {
		printf "%sok %d - %s%s\n%s", why == "" ? "" : "not ", ++t,
		    name, what, why
		why = ""
	}
	BEGIN {
		while ((getline l < differs) > 0) {
			if (l ~ /^#/ || split(l, f, " ") < 3) continue
			value[++n] = f[2]; key[n] = f[1]
			gsub(/[.+?()|]/, "\\\\&", key[n])
			gsub(/\*/, ".*", key[n]); key[n] = "^" key[n] "$"
			sub(/^[^ \t]+[ \t]+[^ \t]+[ \t]+/, "", l); why[n] = l
		}
		while ((getline l < wrapped) > 0) {
			k = l; sub(/ .*/, "", k); got[k] = rest(l); seen[k] = 1
		}
	}
	{
		k = $1; v = rest($0); bad = known = ""; asked[k] = 1
		if (!(k in seen))
			bad = "# " k ": kernel " v ", wrapped: no answer\n"
		else if (got[k] != v && (known = expected(k, got[k])) == "")
			bad = "# " k ": kernel " v ", wrapped " got[k] "\n"
		if (by == "key") {
			test(k " " got[k] (known == "" ? "" : " (" known ")"),
			    bad)
			next
		}
		g = k; sub(/-[^-]*$/, "", g)
		if (g != group && group != "") {
			test(group " (" cells " cells)", all); all = ""
			cells = 0
		}
		group = g; cells++; all = all bad
	}
	END {
		if (group != "")
			test(group " (" cells " cells)", all)
		for (k in seen)
			if (!(k in asked) && expected(k, got[k]) == "")
				test(k, "# " k ": kernel no answer, wrapped " \
				    got[k] "\n")
		print t >total
	}' "$2"
}
