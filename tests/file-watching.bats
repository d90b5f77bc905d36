#!/usr/bin/env bats
# file: trees, roots, moves and links; nothing is lost, nothing is told twice.
load trees

@test "what happens in a tree is told, in new directories and moves too" {
	mkdir src
	watch file src
	echo hi >src/a
	until_true has_line "close_write src/a"
	mkdir -p src/x/y
	echo deep >src/x/y/z
	until_true has_line "close_write src/x/y/z"
	mv src/a src/b
	until_true has_line "move src/b"
	rm -r src/x
	until_true has_line "delete src/x"
	has_line "create src/a"
	has_line "create src/x/y/z"
	has_line "delete src/x/y/z"
}

@test "files written at once in new deep trees are all reported, each once, over 200 rounds" {
	mkdir src
	watch file src
	for i in {1..200}; do
		mkdir -p "src/$i/a/b/c/d" && : >"src/$i/a/b/c/d/f" && : >"src/$i/a/g"
	done
	: >src/last
	until_true has_line "create src/last"
	grep '^create .*/[fg]$' out | sort | uniq -c | awk '$1 != 1 { exit 1 } END { exit NR != 400 }'
}

@test "a watched path may be missing, and come, and go, and come again" {
	watch file later/on/f
	mkdir -p later/on
	echo 1 >later/on/f
	until_true has_line "create later/on/f"
	rm -r later
	until_true has_line "delete later/on/f"
	: >"$dir/out"
	mkdir -p later/on
	echo 1 >later/on/f
	until_true has_line "create later/on/f"
}

# The directories come one after the other, each while the one below it is found missing.
@test "a missing path is seen whenever its directories come" {
	local i
	cc -shared -fPIC -D_GNU_SOURCE -o slow.so "$BATS_TEST_DIRNAME/shim/slow_watch.c" -ldl
	export LD_PRELOAD=$PWD/slow.so ASAN_OPTIONS=verify_asan_link_order=0:$ASAN_OPTIONS
	watch file later/on/and/on/f
	unset LD_PRELOAD
	for ((i = 0; i < 5; i++)); do
		for d in later later/on later/on/and later/on/and/on; do
			mkdir $d
			sleep 0.01
		done
		echo 1 >later/on/and/on/f
		until_true has_line "create later/on/and/on/f"
		rm -r later
		until_true has_line "delete later/on/and/on/f"
		: >"$dir/out"
	done
}

@test "a path below a file is waited for, not spun on" {
	: >later
	watch file later/on/f
	rm later
	mkdir -p later/on
	echo 1 >later/on/f
	until_true has_line "create later/on/f"
}

saves() {
	local target=$1 n=0
	watch file "$target" -- 'echo "$EVWATCH_EVENT $*"'
	for i in 1 2 3 4 5; do
		echo "$i" >src/.new
		mv -f src/.new src/f
		n=$((n + 1))
		until_true lines_are "$n"
		mv src/f src/f~ && { echo "$i" && chmod 644 src/f; } >src/f && rm src/f~
		n=$((n + 1))
		until_true lines_are "$n"
	done
	! grep -vxF -e "modify src/f" "$dir/out"
}

@test "a watched file may be saved by rename, as often as one likes, and each save is one modify" {
	mkdir src
	echo 0 >src/f
	saves src/f
}

@test "an in-place save with sed -i is one modify when the directory is watched" {
	mkdir src
	echo 0 >src/f
	watch file src -- 'echo "$EVWATCH_EVENT $*"'
	for i in 1 2 3 4 5; do
		sed -i "s/.*/$i/" src/f
		until_true lines_are "$i"
	done
	! grep -vxF -e "modify src/f" "$dir/out"
}

@test "a burst of files is handed to one run, and changes during a run to the next" {
	mkdir src
	watch file src -- 'echo $#; sort=$(printf "%s\n" "$@" | sort | tail -1); echo "$sort"
		until [ -e '"$dir"'/go ]; do sleep 0.02; done'
	: >src/first
	until_true has_line src/first
	seq -f src/%g 300 | xargs touch
	: >go
	until_true has_line 300
}

@test "changes are merged to their net effect" {
	mkdir src
	echo 0 >src/old
	watch file src --debounce 300ms -- 'echo "$EVWATCH_EVENT $*"'
	: >src/temp
	rm src/temp
	rm src/old
	echo 1 >src/old
	until_true lines_are 1
	[ "$(cat "$dir/out")" = "modify src/old" ]
}

@test "a directory near PATH_MAX is watched and its paths come whole" {
	mkdir src
	long=$(printf 'd%.0s' {1..250})
	(cd src && for i in {1..15}; do mkdir "$long" && cd "$long" || exit 1; done)
	watch file src --events create
	path=src
	for i in {1..15}; do path=$path/$long; done
	: >"$path/file"
	until_true has_line "create $path/file"
}

@test "links are followed with --follow, and loops of links end" {
	mkdir -p src other/in
	ln -s ../other src/link
	ln -s ../../src other/in/loop
	watch file src --follow
	: >src/link/in/f
	until_true has_line "create src/link/in/f"
	[ "$(wc -l <"$dir/out")" -le 2 ]
}

@test "a moved directory keeps being watched, and its paths are right afterwards" {
	mkdir -p src/a/b/c away
	watch file src
	mv src/a src/z
	: >src/z/b/c/f
	until_true has_line "create src/z/b/c/f"
	mv src/z away/
	until_true has_line "delete src/z"
	: >away/z/b/c/not
	mv away/z src/back
	until_true has_line "create src/back/b/c/f"
	: >src/back/b/c/g
	until_true has_line "create src/back/b/c/g"
	! grep away "$dir/out"
}

@test "a rule that triggers itself is named with its cure, and slowed down" {
	mkdir src
	watch file src -- 'echo x >>src/log; echo run'
	: >src/start
	until_true told "triggers itself: its command changes src/log.*--ignore 'log'"
	echo more >src/other
	n=$(wc -l <out)
	until_true lines_are $((n + 1))
	[ "$n" -lt 12 ]
}

@test "--poll sees what is created, changed and deleted" {
	mkdir -p src/d
	: >src/old
	watch file src --poll 20ms
	: >src/d/f
	until_true has_line "create src/d/f"
	echo changed >src/old
	until_true has_line "modify src/old"
	rm src/old
	until_true has_line "delete src/old"
}

@test "--fanotify tells the same with one mark" {
	mkdir -p src/old
	"$evwatch" -w 10ms file src --fanotify 2>err || skip "$(head -1 err)"
	watch file src --fanotify --ignore skip --format '%e %s %o'
	mkdir -p src/a/b src/skip
	echo 1 >src/a/b/f
	: >src/skip/f
	until_true grep -qF "close_write src/a/b/f" out
	mv src/a/b/f src/old/g
	until_true has_line "move src/old/g src/a/b/f"
	mv src/a src/z
	: >src/z/b/h
	until_true grep -qF "create src/z/b/h" out
	mv src/z .
	until_true grep -qF "delete src/z" out
	rm src/old/g
	until_true grep -qF "delete src/old/g" out
	! grep skip/ out
}

@test "--fanotify reports what is there, and what is in a directory that moves in" {
	mkdir -p src/old/skip in/a/b
	"$evwatch" -w 10ms file src --fanotify 2>err || skip "$(head -1 err)"
	: >src/old/f
	: >src/old/skip/f
	: >in/a/b/g
	watch file src --fanotify --existing --ignore skip --events create
	mv in/a src/a
	: >src/a/b/h
	until_true has_line "create src/a/b/h"
	[ "$(sort out | tr '\n' ,)" = "create src/a,create src/a/b,create src/a/b/g,create src/a/b/h,create src/old,create src/old/f," ]
}

@test "waiting costs no wake-up" {
	command -v strace >/dev/null || skip "no strace"
	mkdir -p src/in
	watch --no-guard file src/in # nothing happens beside it either
	timeout 3 strace -f -o "$dir/trace" -p "${pids[0]}" 2>/dev/null || true
	[ "$(grep -vc -e '<unfinished' -e detached -e 'resumed' "$dir/trace")" -le 1 ]
}
