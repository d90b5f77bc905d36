# shellcheck shell=bash disable=SC2154
# The stages: each measures one promise, prints its table and its gates. Loaded by run.

# ---- arm: time to armed, and resident size then ----

tree() { # N: N directories below t, 100 in each that has any
	rm -rf t && mkdir t
	local n=$1
	seq 0 $((n / 100 - 1)) | awk '{ printf "t/%d/%d\n", $1 / 100, $1 }' | xargs mkdir -p
	seq 0 $((n - 1)) | awk '{ printf "t/%d/%d/%d\n", $1 / 10000, $1 / 100, $1 }' | xargs mkdir -p
}

arm() { # TOOL MARK COMMAND...: see armed.c
	local tool=$1 word ms kb
	shift
	read -r word ms kb < <("$bin/armed" "$@") && [ "$word" = armed ] || return 0
	note "$tool" ms "$ms"
	note "$tool" kB "$kb"
}
arm_ours() { # TOOL ARGS...
	local tool=$1
	shift
	rm -f ready
	arm "$tool" "$work/ready" "$ev" --no-guard --ready-file "$work/ready" file t "$@"
}
arm_inotifywait() {
	! have inotifywait || arm inotifywait established inotifywait -mr -e create,modify,close_write,delete,move t
}
arm_watchman() { # Its watch is armed when it answers a query of the whole tree.
	have watchman || return 0
	watchman_up
	local began=${EPOCHREALTIME/./}
	wm watch "$work/t" >wm.out
	wm since "$work/t" n:arm >>wm.out
	note watchman ms $(((${EPOCHREALTIME/./} - began) / 1000))
	note watchman kB "$(rss "$(<wm.pid)")"
	ended
}

# What another user owns may be exchanged while it is armed: each directory is watched as it was opened.
arm_others() {
	chown -R nobody t
	for ((r = 0; r < rounds; r++)); do
		arm floor_nobody armed "$bin/floor" arm t
		arm_ours evwatch_nobody
	done
	for tool in floor_nobody evwatch_nobody; do show $tool ms ms floor_nobody; done
	gate_ratio "armed on $case of another user: of the inotify floor's time" evwatch_nobody floor_nobody ms 1.4
}

stage_arm() {
	local tool
	tree "$1"
	for ((r = 0; r < rounds; r++)); do
		arm floor armed "$bin/floor" arm t
		arm_ours evwatch
		arm_inotifywait
		arm fanotify_floor armed "$bin/floor" mark t
		! fanotify_works || arm_ours fanotify --fanotify
		[ $r -gt 0 ] || arm_watchman
	done
	case="$1 directories"
	echo "armed on $case, and resident size then"
	for tool in floor evwatch inotifywait watchman fanotify_floor fanotify; do
		show $tool ms ms floor "$(has $tool kB && echo "$(median $tool kB) kB")"
	done
	if [ "$1" = 100000 ]; then
		gate_ratio "armed on $case: of the inotify floor's time" evwatch floor ms 1.15
		gate "armed on $case: kB resident" "$(median evwatch kB)" at-most 12288
		[ "$(id -u)" != 0 ] || arm_others
	fi
	! has fanotify ms || gate "armed on $case with --fanotify: ms" "$(median fanotify ms)" at-most 15
	! has fanotify kB || gate "armed on $case with --fanotify: kB resident" "$(median fanotify kB)" at-most 3072
	rm -rf t
}
stage_arm1k() { stage_arm 1000; }
stage_arm10k() { stage_arm 10000; }
stage_arm100k() { stage_arm 100000; }

# ---- latency: from write(2) to the command's first instruction ----

measure() { # TOOL N GAP_US
	local p50 p99 missed
	rm -f stamps
	runner "$1" || return 0
	read -r _ p50 _ p99 _ missed _ < <("$bin/latency" d stamps "$2" "$3")
	ended
	note "$1" p50 "$p50"
	note "$1" p99 "$p99"
	note "$1" missed "$missed"
}
show_latency() { # TOOL FLOOR
	show "$1" p50 ms "$2" "$(has "$1" p99 && echo "p99 $(median "$1" p99), no run $(total "$1" missed)")"
}

# With the smallest delay that can be set.
stage_latency() {
	local tool
	rm -rf d && mkdir d && : >d/f
	for ((r = 0; r < rounds * 3; r++)); do
		for tool in floor evwatch_0 fanotify_floor fanotify_0 inotifywait; do measure $tool 100 3000; done
	done
	for ((r = 0; r < rounds; r++)); do
		for tool in watchman fswatch_0.1; do measure $tool 6 200000; done
	done
	echo "from write(2) to the command's first instruction, the smallest delay set"
	for tool in floor evwatch_0 inotifywait watchman fswatch_0.1 fanotify_floor; do show_latency $tool floor; done
	show_latency fanotify_0 fanotify_floor
	gate_ratio "--debounce 0: p50 of the inotify floor's" evwatch_0 floor p50 1.15
	! has fanotify_0 p50 || gate_ratio "--fanotify --debounce 0: p50 of the fanotify floor's" \
		fanotify_0 fanotify_floor p50 1.15
}

# As it comes, for a lone write: 600 ms after the one before.
stage_defaults() {
	local tool
	rm -rf d && mkdir d && : >d/f
	for ((r = 0; r < rounds; r++)); do
		for tool in evwatch fanotify entr; do measure $tool 6 600000; done
		for tool in fswatch chokidar; do [ $r -gt 2 ] || measure $tool 4 600000; done
	done
	echo "the same with default settings, a lone write"
	for tool in evwatch fanotify entr fswatch chokidar; do show_latency $tool evwatch; done
	gate "by default: p50 in ms" "$(median evwatch p50)" at-most 3
}

# The next write while a tool still gathers or starts again.
stage_gaps() {
	local tool gap of
	rm -rf d && mkdir d && : >d/f
	for gap in 35000 41000 46000 52000; do
		measure evwatch 55 $gap
		for tool in inotifywait entr chokidar; do measure $tool 8 $gap; done # each that is missed takes a second
	done
	echo "the next write 35 to 52 ms after a run: not followed by a run"
	for tool in evwatch inotifywait entr chokidar; do
		has $tool missed || { printf '  %-26s missing\n' $tool; continue; }
		[ $tool = evwatch ] && of=220 || of=32
		printf '  %-26s %s of %s\n' $tool "$(total $tool missed)" $of
		echo "gaps,,$tool,no run,$(total $tool missed),of $of,,,," >>"$csv"
	done
	gate "gaps: of 220 writes not followed by a run" "$(total evwatch missed)" equals 0
}

# ---- storm, trees: nothing is lost, nothing told twice ----

create_all() { cd "$1" && seq 25000 | xargs -n 5000 touch; }
change_all() { cd "$1" && for i in {1..25000}; do echo x >"$i"; done; }
delete_all() { cd "$1" && seq 25000 | xargs rm; }
storm() { create_all "$1" && change_all . && delete_all .; }
export -f storm create_all change_all delete_all

settled() { # PATTERN COUNT: waits for so many, until nothing comes any more
	local was=-1 now
	for _ in {1..40}; do
		now=$(grep -ci "$1" out || true)
		[ "$now" -lt "$2" ] && [ "$now" != "$was" ] || return 0
		was=$now
		sleep 0.5
	done
}
different() { grep -i "$1" out | sort -u | wc -l; }

stage_storm() {
	local tool c m d
	echo "50,000 files created, changed and deleted by two processes"
	for tool in evwatch fanotify inotifywait; do
		rm -rf s && mkdir -p s/a s/b
		lister $tool create,modify,delete || { printf '  %-26s missing\n' $tool; continue; }
		bash -c 'storm s/a & storm s/b & wait'
		settled '^delete' 50000
		ended
		c=$(different ^create) m=$(different ^modify) d=$(different ^delete)
		printf '  %-26s created %s changed %s deleted %s\n' $tool "$c" "$m" "$d"
		echo "storm,,$tool,created changed deleted,$c $m $d,paths,,,," >>"$csv"
		[ $tool = inotifywait ] || gate "storm, $tool: created, changed, deleted" "$c $m $d" equals "50000 50000 50000"
	done
	for tool in chokidar fswatch; do
		rm -rf s && mkdir -p s/a s/b
		lister $tool || { printf '  %-26s missing\n' $tool; continue; }
		bash -c 'create_all s/a & create_all s/b & wait'
		settled 's/[ab]/[0-9]' 50000
		kill -0 "${pids[0]}" 2>/dev/null && d= || d=', and died'
		ended
		c=$(grep -o 's/[ab]/[0-9]*' out | sort -u | wc -l)
		printf '  %-26s created %s%s\n' $tool "$c" "$d"
		echo "storm,,$tool,created,$c,paths,,,," >>"$csv"
	done
}

stage_trees() {
	local tool all once i f
	echo "10,000 files in new deep trees, written at once"
	for tool in evwatch fanotify inotifywait chokidar fswatch; do
		rm -rf s && mkdir s
		lister $tool create || { printf '  %-26s missing\n' $tool; continue; }
		for i in {1..100}; do
			mkdir -p s/$i/{a,b,c,d,e}/x/y && for f in s/$i/{a,b,c,d,e}/x/y/{1..20}; do : >"$f"; done
		done
		settled '/x/y/[0-9]' 10000
		ended
		all=$(grep -c '/x/y/[0-9]' out || true)
		once=$(grep -o 's/[0-9]*/./x/y/[0-9]*' out | sort -u | wc -l)
		printf '  %-26s told %s times, %s files\n' $tool "$all" "$once"
		echo "trees,,$tool,told and files,$all $once,of 10000,,,," >>"$csv"
		case $tool in
		evwatch | fanotify) gate "trees, $tool: times told, files told" "$all $once" equals "10000 10000" ;;
		esac
	done
}

# ---- late: what work on large trees does to another rule's `every 10ms` ----

late_start() { # ARGS...: a rule that ticks, and those of ARGS; beside it one that ticks alone
	rm -f ready
	started alone "$ev" --no-guard --json every 10ms --missed all
	started out "$ev" --no-guard --ready-file "$work/ready" -e 't: every 10ms --json --missed all' "$@"
	ticker=${pids[1]}
	until_true test -e ready
	since=$EPOCHREALTIME
}
# late_ticks FILE: "TICKS P99 MAX" in ms, of those that were due since `since`.
late_ticks() {
	awk -v since="$since" '
		function value(name) { return match($0, "\"" name "\":[0-9.]+") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3) : -1 }
		/"event":"tick"/ && value("scheduled") >= since { printf "%.3f\n", (value("time") - value("scheduled")) * 1000 }' "$1" |
		sort -g | awk '{ v[NR] = $1 } END { if (NR) print NR, v[int(NR * 0.99 + 0.999999)], v[NR] }'
}
late_show() { # CASE: after it settled
	local ticks='' alone=''
	ended
	read -r ticks p99 most < <(late_ticks out) || true
	read -r _ _ alone < <(late_ticks alone) || true
	printf '  %-26s p99 %s ms, at most %s ms, of %s ticks; alone at most %s ms\n' "$1" "$p99" "$most" "$ticks" "$alone"
	echo "late,$1,evwatch,p99,$p99,ms,,,," >>"$csv"
	echo "late,$1,evwatch,at most,$most,ms,alone,$alone,," >>"$csv"
}
late_end() {
	local p99='' most=''
	late_show "$1"
	gate "late, $1: ms at p99" "$p99" at-most 20
	gate "late, $1: ms at most" "$most" at-most 100
}

late_overflow() {
	late_start -e 'f: file t'
	kill -STOP "$ticker"
	seq 40000 | (cd t/0/0/0 && xargs touch)
	since=$EPOCHREALTIME # what was due before that was late by what stopped it
	kill -CONT "$ticker"
	until_true grep -q overflow out || echo "  no overflow"
	sleep 2
	late_end "a rescan after an overflow"
	(cd t/0/0/0 && seq 40000 | xargs rm)
}
late_poll() {
	late_start -e 'f: file t --poll 1s'
	sleep 6
	late_end "--poll 1s"
}
late_follow() {
	late_start -e 'f: file --follow / --one-file-system'
	sleep 4
	late_end "--follow /"
}
late_deleted() {
	late_start -e 'f: file t --events delete'
	seq 0 99999 | awk '{ printf "t/%d/%d/%d\n", $1 / 10000, $1 / 100, $1 }' | xargs rmdir
	sleep 1
	local p99='' most=''
	late_show "100,000 directories that are deleted in order" # no promise is made of that
	gate "late: deleted directories that are reported" "$(grep -c ^delete out)" equals 100000
}
late_moved() {
	mkdir -p src
	find t -mindepth 3 | head -3000 | awk '{ for (i = 0; i < 100; i++) print $0 "/" i }' | xargs touch
	late_start -e 'f: file src'
	mv t src/
	sleep 5
	late_end "a tree of 300,000 files that is moved in"
	rm -rf src
}

late_reload() {
	echo '# none yet' >more.rules
	late_start -f more.rules
	echo 'f: file t' >more.rules
	kill -HUP "$ticker"
	until_true grep -q 'rules read again: . unchanged, 1 new' out.err
	late_end "a reload that adds them"
}
late_leaves() {
	echo 'f: file t' >more.rules
	late_start -f more.rules
	echo '# none any more' >more.rules
	kill -HUP "$ticker"
	until_true grep -q 'rules read again: . unchanged, 0 new' out.err
	sleep 3
	late_end "a reload after which they leave"
}
# With a command nothing is printed meanwhile.
late_away() {
	late_start -e 'f: file t -- true'
	mv t away
	sleep 5
	late_end "a root that is moved away"
	mv away t
}
late_unmounted() {
	mkdir m
	mount -t tmpfs none m
	mv t m/t
	late_start -e 'f: file m/t -- true'
	umount -l m
	sleep 5
	late_end "a root that is unmounted"
	rmdir m
	tree 100000
}
late_removed() {
	late_start -e 'f: file t -- true'
	rm -rf t
	sleep 3
	late_end "a tree that is removed"
}

stage_late() {
	local ticker since
	local case
	tree 100000
	echo "another rule's every 10ms beside 100,000 directories"
	for case in ${LATE:-reload leaves away unmounted overflow poll follow moved removed deleted}; do
		[ -d t ] || tree 100000
		"late_$case"
	done
}

# ---- idle: what waiting costs ----

# group PID: the process and all below it.
group() {
	echo "$1"
	local child
	for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do group "$child"; done
}
# cost PID: "SWITCHES NS", context switches and time on a CPU of it and all below it, all threads.
cost() {
	local p
	for p in $(group "$1"); do
		cat /proc/"$p"/task/*/status /proc/"$p"/task/*/schedstat 2>/dev/null
	done | awk '/ctxt_switches/ { n += $2 } NF == 3 && /^[0-9]/ { ns += $1 } END { printf "%d %.0f\n", n, ns }'
}
idle_ours() { # NAME ARGS...: one more that waits
	local name=$1
	shift
	ours "$@" -- true
	mv ready "ready.$name"
	names+=("$name")
}
idle_peer() { # NAME
	local n=${#pids[@]}
	runner "$1" || return 0
	[ ${#pids[@]} -gt "$n" ] && names+=("$1")
}

# All of them wait at once; what they have to do after a change is over by then.
stage_idle() {
	local seconds=${IDLE:-20} names=() before=() after=() i name was now ns_was ns b
	rm -rf d && mkdir -p d/in && : >d/f
	for b in epoll io_uring poll select; do
		EVWATCH_BACKEND=$b idle_ours "evwatch_$b" d
	done
	! fanotify_works || idle_ours fanotify d --fanotify
	for name in inotifywait entr fswatch chokidar watchman; do idle_peer $name; done
	echo x >d/f
	sleep 5
	for i in "${!names[@]}"; do before[i]=$(cost "${pids[i]}"); done
	sleep "$seconds"
	for i in "${!names[@]}"; do after[i]=$(cost "${pids[i]}"); done # Before anything is written beside d.
	echo "waiting for $seconds s: context switches, ms of CPU (all processes of it)"
	for i in "${!names[@]}"; do
		name=${names[i]}
		read -r was ns_was now ns <<<"${before[i]} ${after[i]}"
		note "$name" switches $((now - was))
		note "$name" cpu "$(awk -v ns=$((ns - ns_was)) 'BEGIN { print ns / 1e6 }')"
		printf '  %-26s %8s %10s ms\n' "$name" "$(median "$name" switches)" "$(median "$name" cpu)"
		echo "idle,$seconds s,$name,switches,$(median "$name" switches),,,,," >>"$csv"
		echo "idle,$seconds s,$name,CPU,$(median "$name" cpu),ms,,,," >>"$csv"
		[[ $name != evwatch* && $name != fanotify ]] ||
			gate "waiting, $name: context switches" "$(median "$name" switches)" equals 0
	done
	ended
}
