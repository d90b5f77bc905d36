#!/usr/bin/env bats
# file: the real binary, watching real trees.

setup() {
	evwatch="${EVWATCH:-$BATS_TEST_DIRNAME/../build/evwatch}"
	dir=$(mktemp -d "${BATS_TEST_TMPDIR:-/tmp}/file.XXXXXX")
	cd "$dir" || return 1
	pids=()
}

teardown() {
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	[ -z "${storm_dir:-}" ] || rm -rf "$storm_dir"
	[ -z "${limit_file:-}" ] || printf '%s\n' "$limit_was" >"$limit_file"
	cd / && rm -rf "$dir"
}

# Starts evwatch with its output in $dir/out and waits until it is armed.
watch() {
	rm -f "$dir/ready"
	"$evwatch" --ready-file "$dir/ready" "$@" >"$dir/out" 2>"$dir/err" 3>&- &
	pids+=($!)
	until_true test -e "$dir/ready"
}

# Waits until the command succeeds, 20 s at most.
until_true() {
	local deadline=$((SECONDS + 20))
	while ! "$@"; do
		if ((SECONDS > deadline)); then
			echo "never: $*"
			head -40 "$dir/out" "$dir/err"
			return 1
		fi
		sleep 0.02
	done
}

has_line() { grep -qxF -e "$1" "$dir/out"; }
lacks_line() { ! grep -qxF -e "$1" "$dir/out"; }
told() { grep -q -e "$1" "$dir/err"; }
lines_are() { [ "$(wc -l <"$dir/out")" -ge "$1" ]; }

each_backend() {
	local backend
	for backend in epoll io_uring poll select; do
		"$evwatch" -b "$backend" -n after 1s >/dev/null 2>&1 || continue
		export EVWATCH_BACKEND=$backend
		mkdir -p "$dir/$backend" && cd "$dir/$backend" || return 1
		echo "on $backend"
		"$@" # not in a condition: its failures must count
		kill "${pids[@]}"
		wait "${pids[@]}" || true
		pids=()
	done
	cd "$dir" || return 1
}

# Sets an inotify limit for this test; tests that do so are serialised.
limit() {
	limit_file=/proc/sys/fs/inotify/$1
	[ -w "$limit_file" ] || skip "$limit_file cannot be set here"
	exec 9>/tmp/evwatch-test-sysctl.lock
	flock 9
	limit_was=$(<"$limit_file")
	printf '%s\n' "$2" >"$limit_file" 2>/dev/null || skip "$limit_file cannot be set here"
}

# The paths that are there after all events of $dir/out (made by --format '%e %s %o').
replay() {
	awk '$1 == "create" || $1 == "modify" || $1 == "close_write" { there[$2] = 1 }
	     $1 == "move" { delete there[$3]; there[$2] = 1 }
	     $1 == "delete" { delete there[$2] }
	     END { for (p in there) print p }' "$dir/out" | sort
}
state_is_told() { [ "$(replay)" = "$(find "$1" -mindepth 1 | sort)" ]; }

everyday() {
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

@test "what happens in a tree is told, in new directories and moves too" {
	each_backend everyday
}

rounds() {
	mkdir src
	watch file src
	for i in {1..50}; do
		mkdir -p "src/$i/a/b/c/d" && : >"src/$i/a/b/c/d/f" && : >"src/$i/a/g"
	done
	: >src/last
	until_true has_line "create src/last"
	for i in {1..50}; do
		for f in "src/$i/a/b/c/d/f" "src/$i/a/g"; do
			[ "$(grep -cxF "create $f" "$dir/out")" = 1 ] || return 1
		done
	done
}

@test "files written at once in new deep trees are all reported, each once, over 200 rounds" {
	each_backend rounds
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

@test "--match, --ignore, --type and --depth choose, and filters do not keep from entering" {
	mkdir -p src/skip
	watch file src --match '*.c' --ignore skip --ignore 'x/**/no.c' --type f --depth 4
	mkdir -p src/x/y/z/deeper
	: >src/x/y/yes.c
	: >src/x/y/no.c
	: >src/x/y/z/deeper/no.c
	: >src/skip/no.c
	: >src/plain.txt
	: >src/last.c
	until_true has_line "create src/last.c"
	has_line "create src/x/y/yes.c"
	! grep -e no.c -e plain -e 'skip$' -e 'src/x$' "$dir/out"
}

@test "what moves out of what is matched is deleted, what moves in is created" {
	mkdir src
	: >src/a.c
	watch file src --match '*.c'
	mv src/a.c src/a.txt
	until_true has_line "delete src/a.c"
	mv src/a.txt src/b.c
	until_true has_line "create src/b.c"
}

@test "--existing reports what is there" {
	mkdir -p src/a
	: >src/a/f
	watch file src --existing --type f
	until_true has_line "create src/a/f"
	lacks_line "create src/a"
}

@test "--paths-from takes a list from standard input" {
	: >'a b'
	: >c
	printf 'a b\0c\0' | "$evwatch" --ready-file ready file --paths-from - -0 >out 2>err 3>&- &
	pids+=($!)
	until_true test -e ready
	echo 1 >'a b'
	until_true grep -qaF 'a b' out
}

@test "names with any byte come whole, in JSON valid, and are never executed" {
	mkdir src
	watch file src --events create --json
	odd=$'src/-e $(touch pwned) `touch pwned`\n"\'\\ \x1b[31m\xff'
	: >"$odd"
	long=src/$(printf 'n%.0s' {1..255})
	: >"$long"
	until_true grep -qF "$long" out
	grep -F "$(printf '%s' "$odd" | base64 -w0)" out
	[ "$(wc -l <out)" = 2 ]
	[ ! -e pwned ]
	if command -v python3 >/dev/null; then
		python3 -c 'import json, sys; [json.loads(l) for l in sys.stdin]' <out
	fi
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

polled() {
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

@test "--poll sees what is created, changed and deleted" {
	each_backend polled
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

# In a shell of its own: bats traces each command of this one.
storm() {
	bash -c 'one() {
			seq 25000 | xargs touch
			for i in {1..25000}; do echo >"$i"; done
			seq 1 2 25000 | xargs rm
		}
		(cd src/a && one) & (cd src/b && one) & wait' 3>&-
}

@test "after a storm that overflows the queue the reported state equals the tree's" {
	limit max_queued_events 128
	[ -w /dev/shm ] && mkdir "/dev/shm/${dir##*/}" && storm_dir=/dev/shm/${dir##*/} && cd "$storm_dir"
	mkdir -p src/a src/b
	: >src/a/before
	watch file src --existing --format '%e %s %o'
	storm
	rm src/a/before
	: >src/last
	until_true state_is_told src
	told "overflowed"
	grep -q "^overflow src" "$dir/out"
}

@test "what a rescan found to be gone is not told of afterwards" {
	command -v strace >/dev/null || skip "no strace"
	limit max_queued_events 128
	mkdir src
	: >src/gone
	watch --no-guard file src
	# Its reading of directories is slowed, so that the file changes and goes while one is read.
	strace -qq -o trace -e trace=getdents64 -e inject=getdents64:delay_enter=700000 -p "${pids[0]}" 3>&- &
	pids+=($!)
	until_true grep -q "^TracerPid:.[1-9]" "/proc/${pids[0]}/status"
	reads() { ls -l "/proc/${pids[0]}/fd" | grep -q "/$1$"; }
	mkdir src/new
	until_true reads src/new
	seq -f src/%g 300 | xargs touch
	until_true reads src
	echo 1 >src/gone
	rm src/gone
	: >src/last
	until_true grep -q "src/last$" out
	until_true grep -q "^overflow src" out
	[ "$(grep "src/gone$" out)" = "delete src/gone" ]
}

@test "where watches run out the limit is named, and the rest is polled" {
	limit max_user_watches "$(($(cat /proc/sys/fs/inotify/max_user_watches) / 100000 + 8))"
	mkdir -p src/{1..40}/sub
	watch file src
	told "fs.inotify.max_user_watches is [0-9]*; [0-9]* directories are watched, [0-9]* more are polled"
	told "sysctl fs.inotify.max_user_watches="
	for i in {1..40}; do : >"src/$i/sub/f"; done
	for i in {1..40}; do until_true has_line "create src/$i/sub/f"; done
}

# Every path, by what evwatch says with --existing --gitignore, and by what git says.
agree() {
	"$evwatch" -w 300ms file . --gitignore --existing --events create --format '%s\n' |
		sed 's|^\./||' | sort >"$dir/ours"
	git ls-files -co --exclude-standard | sort >"$dir/files"
	find . -mindepth 1 -name .git -prune -o -type d -printf '%P\n' | while read -r d; do
		git check-ignore -q "$d" || echo "$d"
	done >"$dir/dirs"
	sort "$dir/files" "$dir/dirs" | diff "$dir/ours" -
}

@test "--gitignore ignores what git check-ignore says, and nothing else" {
	command -v git >/dev/null || skip "no git"
	export HOME=$dir/home XDG_CONFIG_HOME=
	mkdir -p home/.config/git work && cd work
	echo '*.global' >../home/.config/git/ignore
	git init -q .
	echo '*.excluded' >.git/info/exclude
	printf '%s\n' '# comment' '*.o' '!keep.o' '/top' 'build/' 'doc/*.txt' 'a/**/z' '**/deep' \
		'foo/**' '\#hash' '\!bang' 'sp\ ' 'tr   ' 'q?x' '[a-c]set' '[!a-c]not' \
		'[[:digit:]]num' 'in/side/' '*~' 'x**y' 'esc\*' >.gitignore
	mkdir -p build/sub doc/sub a/b/c foo/bar in/side sub/build sub/doc n/top keep
	printf '!*.o\n/local\nbuild\n' >sub/.gitignore
	for f in a.o keep.o sub/b.o sub/keep.o top n/top/f build/f build/sub/f sub/build/g \
		doc/a.txt doc/sub/b.txt doc/c.md sub/doc/d.txt a/z a/b/z a/b/c/z a/b/y deep n/deep \
		foo/f foo/bar/g '#hash' '!bang' 'sp ' tr qax qx aset dset anot dnot 1num xnum \
		in/side/f in/f keep~ xaby xy 'esc*' escx local sub/local sub/x.global x.excluded; do
		: >"$f"
	done
	agree
}

@test "waiting costs no wake-up" {
	command -v strace >/dev/null || skip "no strace"
	mkdir -p src/in
	watch --no-guard file src/in # nothing happens beside it either
	timeout 3 strace -f -o "$dir/trace" -p "${pids[0]}" 2>/dev/null || true
	[ "$(grep -vc -e '<unfinished' -e detached -e 'resumed' "$dir/trace")" -le 1 ]
}
