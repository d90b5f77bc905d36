# shellcheck shell=bash disable=SC2154
# Figures of a stage: one file a tool and quantity (figure.TOOL.WHAT), one line a round. As all tools
# take their turn in each round, line N of two files can be compared: what the machine did then, it did
# to both. Loaded by run; wants $csv and $verdicts.

fresh() { rm -f figure.*; }
note() { echo "$3" >>"figure.$1.$2"; } # TOOL WHAT VALUE
has() { [ -s "figure.$1.$2" ]; }

# quartiles: of the numbers of standard input, "MEDIAN LOWER UPPER" (nearest rank).
quartiles() {
	sort -g | awk 'function at(q, i) { i = int(NR * q + 0.999999); return v[i < 1 ? 1 : i] }
		{ v[NR] = $1 } END { if (NR) print at(0.5), at(0.25), at(0.75) }'
}
median() { quartiles <"figure.$1.$2" | cut -d' ' -f1; } # TOOL WHAT
total() { awk '{ n += $1 } END { print n + 0 }' "figure.$1.$2"; }
# ratios TOOL FLOOR WHAT: the quartiles of the ratios of the rounds; nothing where the rounds differ.
ratios() {
	has "$2" "$3" && [ "$(wc -l <"figure.$1.$3")" = "$(wc -l <"figure.$2.$3")" ] || return 0
	paste "figure.$1.$3" "figure.$2.$3" | awk '$2 > 0 { printf "%.3f\n", $1 / $2 }' | quartiles
}

# show TOOL WHAT UNIT FLOOR [MORE]: a line of the table, and of the CSV.
show() {
	has "$1" "$2" || { printf '  %-26s missing\n' "$1"; return; }
	local m middle='' low='' high='' against=''
	m=$(median "$1" "$2")
	[ "$1" = "$4" ] || read -r middle low high < <(ratios "$1" "$4" "$2") || true
	[ -z "$middle" ] || against=$(printf '%6.2f x %s (%.2f to %.2f)' "$middle" "$4" "$low" "$high")
	printf '  %-26s %10.2f %-3s %-40s %s\n' "$1" "$m" "$3" "$against" "${5:-}"
	echo "$stage,${case:-},$1,$2,$m,$3,$4,$middle,$low,$high" >>"$csv"
}

# gate TEXT FIGURE at-most|equals LIMIT: said where it stands, and again at the end of the whole.
gate() {
	local verdict=met
	awk -v a="$2" -v b="$4" -v how="$3" \
		'BEGIN { exit !(a != "" && (how == "equals" ? a == b : a <= b)) }' || verdict=MISSED
	printf '%-7s %s: %s (%s %s)\n' "$verdict" "$1" "${2:-no figure}" "${3//-/ }" "$4" | tee -a "$verdicts"
}
gate_ratio() { # TEXT TOOL FLOOR WHAT LIMIT: the median of the rounds' ratios
	gate "$1" "$(ratios "$2" "$3" "$4" | cut -d' ' -f1)" at-most "$5"
}
