# tests/probes/compare.sh - sets two reports of a probe side by side.
#
# compare NATIVE WRAPPED DIFFERENCES: a test for each line "KEY VALUE" of
# NATIVE. WRAPPED must have the same, or what DIFFERENCES ("KEY VALUE REASON",
# # comments; KEY may end in *, VALUE may be * ) says, with the reason.

compare() {
	awk -v differs="$3" -v wrapped="$2" '
	function expect(k, v,   i) {
		for (i = 1; i <= n; i++)
			if ((k == key[i] || (star[i] &&
			    index(k, key[i]) == 1)) &&
			    (value[i] == "*" || value[i] == v))
				return why[i]
		return ""
	}
	BEGIN {
		while ((getline l < differs) > 0) {
			if (l ~ /^#/ || split(l, f, " ") < 3) continue
			key[++n] = f[1]; value[n] = f[2]
			star[n] = sub(/\*$/, "", key[n])
			sub(/^[^ \t]+[ \t]+[^ \t]+[ \t]+/, "", l); why[n] = l
		}
		while ((getline l < wrapped) > 0) {
			k = l; sub(/ .*/, "", k); sub(/^[^ ]* ?/, "", l)
			got[k] = l; seen[k] = 1
		}
	}
	{
		k = $1; v = $0; sub(/^[^ ]* ?/, "", v)
		t++
		if (!(k in seen)) {
			print "not ok", t, "-", k
			print "# kernel:  " v; print "# wrapped: no answer"
		} else if (got[k] == v)
			print "ok", t, "-", k, v
		else if ((w = expect(k, got[k])) != "")
			print "ok", t, "-", k, got[k], "(" w ")"
		else {
			print "not ok", t, "-", k
			print "# kernel:  " v; print "# wrapped: " got[k]
		}
	}
	END { print "1.." t }' "$1"
}
