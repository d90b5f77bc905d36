#!/usr/bin/env bats
# file: trees, roots, moves and links; nothing is lost, nothing is told twice.
load helper

@test "what happens in a tree is told, in new directories and moves too" {
	mkdir src
	start file src
	echo hi >src/a
	until_ok 'has_line "close_write src/a"'
	mkdir -p src/x/y
	echo deep >src/x/y/z
	until_ok 'has_line "close_write src/x/y/z"'
	mv src/a src/b
	until_ok 'has_line "move src/b"'
	rm -r src/x
	until_ok 'has_line "delete src/x"'
	has_line "create src/a"
	has_line "create src/x/y/z"
	has_line "delete src/x/y/z"
}

@test "a file that is found complete in a directory that came is reported as closed, too" {
	mkdir src elsewhere
	echo x >elsewhere/f
	start file src
	mv elsewhere src/
	until_ok 'has_line "close_write src/elsewhere/f"'
	[ "$(cat "$dir/out")" = $'create src/elsewhere\ncreate src/elsewhere/f\nclose_write src/elsewhere/f' ]
}

@test "files written at once in new deep trees are all reported, each once, over 200 rounds" {
	mkdir src
	start file src
	for i in {1..200}; do
		mkdir -p "src/$i/a/b/c/d" && : >"src/$i/a/b/c/d/f" && : >"src/$i/a/g"
	done
	: >src/last
	until_ok 'has_line "create src/last"'
	grep '^create .*/[fg]$' out | sort | uniq -c | awk '$1 != 1 { exit 1 } END { exit NR != 400 }'
}

@test "a watched path may be missing, and come, and go, and come again" {
	start file later/on/f
	mkdir -p later/on
	echo 1 >later/on/f
	until_ok 'has_line "create later/on/f"'
	rm -r later
	until_ok 'has_line "delete later/on/f"'
	: >"$dir/out"
	mkdir -p later/on
	echo 1 >later/on/f
	until_ok 'has_line "create later/on/f"'
}

# The directories come one after the other, each while the one below it is found missing.
@test "a missing path is seen whenever its directories come" {
	local i
	cc -shared -fPIC -D_GNU_SOURCE -o slow.so "$BATS_TEST_DIRNAME/shim/slow_watch.c" -ldl
	export LD_PRELOAD=$PWD/slow.so ASAN_OPTIONS=verify_asan_link_order=0:$ASAN_OPTIONS
	start file later/on/and/on/f
	unset LD_PRELOAD
	for ((i = 0; i < 5; i++)); do
		for d in later later/on later/on/and later/on/and/on; do
			mkdir $d
			sleep 0.01
		done
		echo 1 >later/on/and/on/f
		until_ok 'has_line "create later/on/and/on/f"'
		rm -r later
		until_ok 'has_line "delete later/on/and/on/f"'
		: >"$dir/out"
	done
}

@test "a path below a file is waited for, not spun on" {
	: >later
	start file later/on/f
	rm later
	mkdir -p later/on
	echo 1 >later/on/f
	until_ok 'has_line "create later/on/f"'
}

# As vim does, in one process: evwatch waits 25 ms for the new file.
save_with_backup() {
	python3 -c 'import os, sys
name = sys.argv[1]
os.rename(name, name + "~")
with open(name, "w") as f:
    f.write(sys.argv[2] + "\n")
os.unlink(name + "~")' "$1" "$2"
}

saves() {
	local target=$1 n=0
	start file "$target" -- 'echo "$EVWATCH_EVENT $*"'
	for i in 1 2 3 4 5; do
		echo "$i" >src/.new
		mv -f src/.new src/f
		n=$((n + 1))
		until_ok 'lines_are "$n"'
		save_with_backup src/f "$i"
		n=$((n + 1))
		until_ok 'lines_are "$n"'
	done
	! grep -vxF -e "modify src/f" "$dir/out" || false
}

@test "a watched file may be saved by rename, as often as one likes, and each save is one modify" {
	mkdir src
	echo 0 >src/f
	saves src/f
}

@test "an in-place save with sed -i is one modify when the directory is watched" {
	mkdir src
	echo 0 >src/f
	start file src -- 'echo "$EVWATCH_EVENT $*"'
	for i in 1 2 3 4 5; do
		sed -i "s/.*/$i/" src/f
		until_ok 'lines_are "$i"'
	done
	! grep -vxF -e "modify src/f" "$dir/out" || false
}

@test "a burst of files is handed to one run, and changes during a run to the next" {
	mkdir src
	start file src -- 'echo $#; sort=$(printf "%s\n" "$@" | sort | tail -1); echo "$sort"
		until [ -e '"$dir"'/go ]; do sleep 0.02; done'
	: >src/first
	until_ok 'has_line src/first'
	seq -f src/%g 300 | xargs touch
	: >go
	until_ok 'has_line 300'
}

@test "changes are merged to their net effect" {
	mkdir src
	echo 0 >src/old
	start file src --debounce 300ms -- 'echo "$EVWATCH_EVENT $*"'
	: >src/temp
	rm src/temp
	rm src/old
	echo 1 >src/old
	until_ok 'lines_are 1'
	[ "$(cat "$dir/out")" = "modify src/old" ]
}

@test "a directory near PATH_MAX is watched and its paths come whole" {
	mkdir src
	long=$(printf 'd%.0s' {1..250})
	(cd src && for i in {1..15}; do mkdir "$long" && cd "$long" || exit 1; done)
	start file src --events create
	path=src
	for i in {1..15}; do path=$path/$long; done
	: >"$path/file"
	until_ok 'has_line "create $path/file"'
}

# passes N: so many passes of polling were made.
passes() {
	for ((i = 0; i < $1; i++)); do
		: >"src/pass$i"
		until_ok 'has_line "create src/pass$i"'
	done
}

@test "what is deeper than PATH_MAX is told of once, and cannot be seen" {
	mkdir src
	long=$(printf 'd%.0s' {1..250})
	for mode in --recursive "--poll 20ms"; do
		start file src --events create ${mode#--recursive}
		(cd src && for i in {1..18}; do mkdir -p "$long" && cd -P "$long" || exit 1; done)
		until_ok 'logged "$long: its path is longer than 4095 bytes (PATH_MAX)"'
		passes 3
		[ "$(wc -l <err)" = 1 ]
		kill "$P" && { wait "$P" || true; }
		rm -rf src/*
	done
}

@test "a polled directory that cannot be read is told of once, until it can" {
	local as=()
	if [ "$(id -u)" = 0 ]; then # to whom everything is readable
		as=(setpriv --reuid=65534 --clear-groups)
		"${as[@]}" test -x "$EV" || skip "no other user can run $EV"
	fi
	mkdir -p src/shut
	chmod 777 . src
	chmod 755 "$BATS_TEST_TMPDIR"
	chmod 000 src/shut
	"${as[@]}" "$EV" --no-guard file src --poll 20ms >out 2>err 3>&- &
	STARTED+=($!)
	until_ok 'logged "cannot read src/shut: Permission denied"'
	passes 3
	[ "$(wc -l <err)" = 1 ]
	chmod 755 src/shut
	: >src/shut/f
	until_ok 'has_line "create src/shut/f"'
	chmod 000 src/shut
	said() { [ "$(grep -c 'cannot read src/shut' err)" = "$1" ]; }
	until_ok 'said 2'
}

@test "links are followed with --follow, and loops of links end" {
	mkdir -p src other/in
	ln -s ../other src/link
	ln -s ../../src other/in/loop
	ln -s .. other/in/up
	ln -s ../../.. other/in/above
	for mode in "--events create,close_write" "--poll 20ms --events create,close_write"; do
		start file src --follow --ignore 'ready*' $mode
		: >src/link/in/f
		until_ok 'has_line "close_write src/link/in/f"'
		: >src/last
		until_ok 'has_line "close_write src/last"'
		[ "$(sort out)" = "$(printf '%s\n' {close_write,create}" src/"{last,link/in/f})" ]
		rm src/link/in/f src/last
		kill "$P" && { wait "$P" || true; }
	done
}

@test "a moved directory keeps being watched, and its paths are right afterwards" {
	mkdir -p src/a/b/c away
	start file src
	mv src/a src/z
	: >src/z/b/c/f
	until_ok 'has_line "create src/z/b/c/f"'
	mv src/z away/
	until_ok 'has_line "delete src/z"'
	: >away/z/b/c/not
	mv away/z src/back
	until_ok 'has_line "create src/back/b/c/f"'
	: >src/back/b/c/g
	until_ok 'has_line "create src/back/b/c/g"'
	! grep away "$dir/out" || false
}

@test "a rule that triggers itself is named with its cure, and slowed down" {
	mkdir src
	start file src -- 'echo x >>src/log; echo run'
	: >src/start
	until_ok "logged \"triggers itself: its command changes src/log.*--ignore 'log'\""
	echo more >src/other
	n=$(wc -l <out)
	until_ok "lines_are $((n + 1))"
	[ "$n" -lt 12 ]
}

@test "a server that is restarted at each save does not trigger itself, unless it does" {
	mkdir src
	start file src --on-busy restart -- 'echo run; exec sleep 100'
	n=0
	for pause in 0 0.3 0.1 0.5 0.2 0.4 0.1; do # of a user, who is not that regular
		sleep $pause
		: >src/f
		until_ok "lines_are $((++n))"
	done
	[ -z "$(cat err)" ]
	kill "$P" && { wait "$P" || true; }
	start file src --on-busy restart -- 'echo x >>src/log; exec sleep 100'
	: >src/f
	until_ok 'logged "triggers itself: its command changes src/log"'
}

@test "a rule that triggers itself by another path each time is named with a pattern that stops it" {
	mkdir src
	start file src -- 'mkdir src/b[1]$$.d; echo run'
	: >src/start
	until_ok "grep -qF -- \"--ignore 'b\\[1]*.d' would stop it\" err"
	ignore=$(sed -n "s/.*--ignore '\([^ ]*\)' would.*/\1/p" err)
	kill "$P"
	start file src --ignore "$ignore" -- 'mkdir src/b[1]$$.d; echo run'
	: >src/start
	until_ok 'lines_are 1'
	: >src/again
	until_ok 'lines_are 2'
	lines_are 3 && return 1
	start file src/start -- 'echo x >>src/start'
	: >src/start
	until_ok 'logged "triggers itself: its command changes src/start, the very path that it watches"'
}

@test "--poll sees what is created, changed and deleted" {
	mkdir -p src/d
	: >src/old
	start file src later --poll 20ms
	: >src/d/f
	until_ok 'has_line "create src/d/f"'
	mkdir later
	: >later/f
	until_ok "has_line \"create later/f\""
	echo changed >src/old
	until_ok 'has_line "modify src/old"'
	rm src/old
	until_ok 'has_line "delete src/old"'
}

@test "what was in a polled directory is told to be gone, though a look at it was cut short" {
	command -v strace >/dev/null || skip "no strace"
	mkdir -p src/d
	: >src/d/f
	start --no-guard file src --poll 20ms --type f
	: >trace
	# As if each directory went while it is read: its names come, and then an error.
	strace -qq -o trace -e trace=getdents64 -e inject=getdents64:error=ENOENT:when=2+2 -p "$P" 3>&- &
	STARTED+=($!)
	was_cut_short() { [ "$(grep -c INJECTED trace)" -gt 4 ]; }
	until_ok 'was_cut_short'
	rm -r src/d
	until_ok 'has_line "delete src/d/f"'
}

@test "--fanotify tells the same with one mark" {
	mkdir -p src/old
	"$EV" -w 10ms file src --fanotify 2>err || skip "$(head -1 err)"
	start file src --fanotify --ignore skip --format '%e %s %o'
	mkdir -p src/a/b src/skip
	echo 1 >src/a/b/f
	: >src/skip/f
	until_ok 'grep -qF "close_write src/a/b/f" out'
	mv src/a/b/f src/old/g
	until_ok 'has_line "move src/old/g src/a/b/f"'
	mv src/a src/z
	: >src/z/b/h
	until_ok 'grep -qF "create src/z/b/h" out'
	mv src/z .
	until_ok 'grep -qF "delete src/z" out'
	rm src/old/g
	until_ok 'grep -qF "delete src/old/g" out'
	! grep skip/ out || false
}

@test "--fanotify reports what is there, and what is in a directory that moves in" {
	mkdir -p src/old/skip in/a/b
	"$EV" -w 10ms file src --fanotify 2>err || skip "$(head -1 err)"
	: >src/old/f
	: >src/old/skip/f
	: >in/a/b/g
	start file src --fanotify --existing --ignore skip --events create
	mv in/a src/a
	: >src/a/b/h
	until_ok 'has_line "create src/a/b/h"'
	[ "$(sort out | tr '\n' ,)" = "create src/a,create src/a/b,create src/a/b/g,create src/a/b/h,create src/old,create src/old/f," ]
}

@test "waiting costs no wake-up on any backend, with inotify and with --fanotify" {
	once_for_all_backends
	local b how apart=()
	mkdir -p w/src fan
	# What others mount or write elsewhere is not heard of there.
	! unshare -m true 2>/dev/null || apart=(unshare -m sh -c 'mount -t tmpfs none fan; exec "$@"' sh)
	for how in "epoll w/src" "io_uring w/src" "poll w/src" "select w/src" "epoll fan --fanotify"; do
		b=${how%% *}
		! "$EV" backends | grep -q "^$b .*does not work here" || continue
		[[ $how != *fanotify ]] || "$EV" -w 10ms file fan --fanotify 2>err || continue
		rm -f ready
		# shellcheck disable=SC2086
		"${apart[@]}" "$EV" -b $b --ready-file "$dir/ready" file ${how#* } -- true 3>&- &
		STARTED+=($!)
		until_ok '[ -e ready ]'
	done
	[ ${#STARTED[@]} -ge 3 ]
	both=$(for b in "${STARTED[@]}"; do echo "$b" && pgrep -P "$b"; done)
	switches() { awk '/^voluntary/ { n += $2 } END { print n }' $(printf '/proc/%s/task/*/status ' $both); }
	rests() { local was; was=$(switches) && sleep "$1" && [ "$(switches)" = "$was" ]; }
	until_ok 'rests 0.5'
	rests 3
}

@test "evwatch's own ready file is no event, by whatever path" {
	mkdir src
	ln -s src link
	"$EV" -w 200ms --ready-file link/ready file src >told
	[ -e src/ready ]
	[ ! -s told ]
	touch src/ready.other
	"$EV" -w 10s --once --ready-file link/ready file src >told &
	STARTED+=($!)
	until_ok "eval 'touch src/ready.other; [ -s told ]'"
	[ "$(sort -u told)" = "close_write src/ready.other" ]
}

@test "a path that is a link, or leads over links, is what they lead to now" {
	mkdir -p real k/..1 k/..2 one two
	echo 0 >real/conf
	ln -s real/conf link
	echo 1 >k/..1/c && echo 2 >k/..2/c
	ln -s ..1 k/..data && ln -s ..data/c k/c
	ln -s one current
	start file link k/c current
	echo 1 >real/conf
	until_ok 'has_line "close_write link"'
	: >out
	echo 2 >real/.new && mv real/.new real/conf
	until_ok 'grep -q link out'
	: >out
	echo 3 >real/conf
	until_ok 'has_line "close_write link"'
	ln -s ..2 k/..new && mv -T k/..new k/..data
	until_ok 'grep -q k/c out'
	: >out
	echo 3 >k/..2/c
	until_ok 'has_line "close_write k/c"'
	: >one/f
	until_ok 'has_line "create current/f"'
	ln -s two new && mv -T new current
	until_ok 'has_line "delete current/f"'
	: >two/g
	until_ok 'has_line "create current/g"'
	ln -sf real/later new && mv -T new link
	until_ok 'has_line "delete link"'
	: >real/later
	until_ok 'has_line "create link"'
}

@test "a write by another hard link to a path in the tree of another path is reported, each write once" {
	mkdir -p src/in
	: >src/in/a
	ln src/in/a beside
	start file src src/in/a --events close_write
	echo 1 >>beside
	until_ok 'has_line "close_write src/in/a"'
	echo 2 >>src/in/a
	until_ok 'lines_are 2'
	: >src/last
	until_ok 'has_line "close_write src/last"'
	[ "$(<out)" = $'close_write src/in/a\nclose_write src/in/a\nclose_write src/last' ]
}

@test "the working directory is reported as deleted when it is removed" {
	mkdir -p src
	cd src
	start file .
	rmdir "$dir/src"
	cd "$dir"
	until_ok 'has_line "delete ."'
}
