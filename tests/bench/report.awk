# report.awk META SPAWNED DATA - a table on stdout, lines for programs in `out`.
function median(list, n, at) {
	if (n == 0)
		return 0
	at = int((n + 1) / 2)
	return n % 2 ? list[at] : (list[at] + list[at + 1]) / 2
}
function sort(list, n, i, j, v) {
	for (i = 2; i <= n; i++) {
		v = list[i]
		for (j = i - 1; j >= 1 && list[j] > v; j--)
			list[j + 1] = list[j]
		list[j + 1] = v
	}
}
function number(v) {
	if (v >= 100 || v <= -100 || v == int(v))
		return sprintf("%.0f", v)
	return v >= 10 ? sprintf("%.1f", v) : sprintf("%.2f", v)
}
function row(name, who, value, low, high, ratio, rlow, rhigh) {
	printf "| %s | %s | %s %s | %s-%s | %s | %s | %s |\n", name, who,
	    number(value), unit[name], number(low), number(high),
	    ratio == "" ? "" : sprintf("%.2f", ratio),
	    rlow == "" ? "" : sprintf("%.2f-%.2f", rlow, rhigh),
	    who == "smolwrap" || who == "preload" ? aim[name] : ""
	printf "%s/%s %s %s %s\n", name, who, value, unit[name],
	    ratio == "" ? "-" : sprintf("%.3f", ratio) >out
}
BEGIN { FS = "\t" }
FILENAME ~ /meta$/ {
	unit[$1] = $2; base[$1] = $3; aim[$1] = $4; order[++metrics] = $1
	next
}
{ FS = " "; $0 = $0 }
FILENAME ~ /spawned$/ {
	from[$1, ++lines[$1]] = $0
	next
}
{
	if (!(($1, $2) in seen)) {
		seen[$1, $2] = 1
		who[$1, ++whos[$1]] = $2
	}
	value[$1, $2, $3] = $4
	if ($3 > rounds[$1])
		rounds[$1] = $3
}
END {
	print "| what | by | median | min-max | ratio | min-max | aim |"
	print "|---|---|---|---|---|---|---|"
	for (m = 1; m <= metrics; m++) {
		name = order[m]
		for (i = lines[name]; i >= 1; i--) {
			split(from[name, i], f, " ")
			row(name, f[2], f[3] / f[7], f[4] / f[7],
			    f[5] / f[7], f[6])
		}
		for (w = 1; w <= whos[name]; w++) {
			n = r = 0
			b = base[name]
			for (i = 1; i <= rounds[name]; i++) {
				if (!((name, who[name, w], i) in value))
					continue
				v[++n] = value[name, who[name, w], i]
				if (b != "" && value[name, b, i] > 0)
					q[++r] = v[n] / value[name, b, i]
			}
			sort(v, n)
			sort(q, r)
			if (r > 0)
				row(name, who[name, w], median(v, n), v[1],
				    v[n], median(q, r), q[1], q[r])
			else
				row(name, who[name, w], median(v, n), v[1],
				    v[n])
		}
	}
}
