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

compare() { compare_by key "$@"; }
compare_groups() { compare_by group "$@"; }

compare_by() {
	awk -v by="$1" -v differs="$4" -v wrapped="$3" '
	function expected(k, v,   i) {
		for (i = 1; i <= n; i++)
			if (k ~ key[i] && (value[i] == "*" || value[i] == v))
				return why[i]
		return ""
	}
	function rest(l) { sub(/^[^ ]* ?/, "", l); return l }
	function test(name, why) {
		printf "%sok %d - %s\n%s", why == "" ? "" : "not ", ++t,
		    name, why
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
		print "1.." t
	}' "$2"
}
