#!/usr/bin/env bats
# file: what happened before evwatch could look. It is stopped meanwhile, so that all of it is in the
# kernel's queue at once, and paths lead elsewhere by the time an event is read.
load helper

# The files below src are told of, at the paths they have: what was, and what comes from now on.
paths_are_right() {
	local d
	until_ok 'state_is_right src'
	calls=$((calls + 1))
	find src -type d | while read -r d; do
		: >"$d/now$calls"
		until_ok 'has_line "create $d/now$calls "'
	done
	until_ok 'state_is_right src'
}

@test "directories that change names before their watch stands are not mistaken for each other" {
	mkdir src q
	: >q/old
	start --no-guard file src --format '%e %s %o'
	missed 'mkdir src/x && : >src/x/new && mv src/x src/z && mv q src/x'
	paths_are_right
}

@test "a new tree that moves before it is read is read where it is" {
	mkdir src
	start --no-guard file src --format '%e %s %o'
	missed 'mkdir -p src/n/a/b && : >src/n/a/b/f && mv src/n src/m && mkdir src/n && mv src/m/a src/n/c'
	paths_are_right
}

@test "a directory that is removed and made again is told once, and stays" {
	mkdir src
	start --no-guard file src --format '%e %s %o'
	ln -s nowhere src/link
	until_ok 'has_line "create src/link "'
	missed 'mkdir src/x && rmdir src/x && mkdir src/x && : >src/x/f; mkdir src/y && rmdir src/y'
	paths_are_right
	[ "$(grep -c '^create src/x $' out)" = 1 ]
	[ "$(grep -c ' src/link $' out)" = 1 ]
}

@test "a directory that moves out and comes back by another name is watched there" {
	mkdir -p src/a/b
	start --no-guard file src --existing --format '%e %s %o'
	missed 'mv src/a away && mv away src/c'
	paths_are_right
	missed 'mkdir src/new && mv src/c src/new/c'
	paths_are_right
	# It leaves, and what was in it comes back: first to its place, then with all else.
	mkdir -p src/x/y src/z
	paths_are_right
	missed 'mv src/x away; mv away/y src/x'
	paths_are_right
	mkdir src/x/in
	paths_are_right
	missed 'mv src/x/in away; mv src/z away/in/'
	paths_are_right
}

@test "a file that was written while it was elsewhere is not taken for the one that it was" {
	mkdir src
	: >src/f
	start --no-guard file src --format '%e %s %o' --events create,delete
	missed 'mv src/f away && echo more >away && mv away src/f'
	until_ok 'has_line "create src/f "'
	has_line 'delete src/f '
}

@test "a file that is replaced twice before anybody looks has changed, whatever its number" {
	# ext4 gives the number of the first to the third.
	mkdir src
	: >src/f
	start --no-guard file src --format '%e %s'
	missed 'echo 1 >src/t && mv src/t src/f && echo 2 >src/t && mv src/t src/f'
	until_ok 'has_line "close_write src/f"'
}

@test "a directory that leaves and is removed elsewhere before anybody looks is gone" {
	mkdir -p src/a/deep src/b
	: >src/a/f
	start --no-guard file src --existing --format '%e %s %o'
	until_ok 'has_line "create src/a/f "'
	missed 'mv src/a away; rm -r away; mkdir src/b/in; mv src/b away; rmdir away/in'
	for gone in a/f a/deep a b; do until_ok 'has_line "delete src/$gone "'; done
	paths_are_right
}

@test "a file that leaves a directory is gone before what stands in the directory's place has one" {
	mkdir -p src/a src/b new/a new/b
	touch {src,new}/{a,b}/f
	start --no-guard file src --format '%e %s %o'
	missed 'mv src/a/f away; mv -T new/a src/a; mv src/b/f away; rmdir src/b; mv new/b src/b'
	until_ok 'has_line "delete src/a/f "'
	until_ok 'has_line "delete src/b/f "'
	[ "$(grep -xF -e 'delete src/b/f ' -e 'delete src/b ' out)" = $'delete src/b/f \ndelete src/b ' ]
	paths_are_right
}

@test "a file that leaves a directory that moves is gone at both of its paths" {
	mkdir -p src/a
	: >src/a/f
	start --no-guard file src --existing --format '%e %s %o'
	missed 'mv src/a/f away && mv src/a src/b'
	paths_are_right
}

@test "two that are exchanged are told at both paths: files, directories, and one of each" {
	mkdir -p src/{a,b,c}/in
	: >src/a/in/of_a
	: >src/b/in/of_b
	: >src/f
	: >src/g
	start --no-guard file src --existing --format '%e %s %o'
	until_ok 'has_line "create src/g "'
	exchange src/f src/g
	until_ok 'has_line "move src/g src/f"'
	paths_are_right
	exchange src/a src/b
	paths_are_right
	missed 'exchange src/c src/f; exchange src/b src/a'
	paths_are_right
}

@test "a root that is exchanged for another goes on being watched" {
	mkdir -p src/a other/b
	: >src/a/f
	: >other/b/g
	start --no-guard file src --existing --format '%e %s %o'
	exchange other src
	until_ok 'has_line "create src/b/g "'
	has_line "delete src/a/f "
	: >src/b/now
	until_ok 'has_line "create src/b/now "'
}

@test "what was leaving a root that is exchanged for another is told once, before what came" {
	mkdir -p src/a other/a
	touch src/{f,a/f} other/{f,a/g}
	start --no-guard file src --existing --format '%e %s %o'
	until_ok 'has_line "create src/a/f "'
	missed 'mv src/a away; mv src/f aside; exchange other src; : >src/last'
	until_ok 'has_line "create src/last "'
	[ "$(replay | sed 1d)" = "$(find src -mindepth 1 | sort)" ]
	mkdir src/new
	until_ok 'has_line "create src/new "'
	[ "$(replay | sed 1d)" = "$(find src -mindepth 1 | sort)" ]
}

@test "with --type f, a root that is a file and then a directory is gone" {
	: >src
	start --no-guard file src --type f --format '%e %s %o'
	: >other
	mv other src
	until_ok 'has_line "create src "'
	missed 'mv src away; mkdir src'
	until_ok 'has_line "delete src "'
	: >src/f
	until_ok 'has_line "create src/f "'
}

@test "what --existing found is told before what happened since" {
	mkdir -p src/{1..60}
	touch src/{1..60}/{1..20}
	"$EV" --no-guard --ready-file ready file src --existing --format '%e %s %o' >out 2>err 3>&- &
	P=$!
	STARTED+=("$P")
	has_begun() { [[ $(ls -l "/proc/$P/fd" 2>/dev/null) == *inotify* ]]; }
	until_ok 'has_begun'
	for i in {1..60}; do rm "src/$i/20"; done
	until_ok 'state_is_right src'
}

takes_along() { # OPTION...
	mkdir -p src/a/deep
	touch src/a/{x.c,not} src/a/deep/y.c
	start --no-guard file src "$@" --format '%e %s %o'
	mv src/a src/z
	until_ok 'has_line "move src/z/x.c src/a/x.c"'
	until_ok 'has_line "move src/z/deep/y.c src/a/deep/y.c"'
	: >src/z/deep/y.c
	until_ok "grep -q '^modify src/z/deep/y.c' out"
	[ "$(grep -c '^move.*\.c$' out)" = 2 ]
	lacks_line "move src/z src/a"
}

@test "what a directory takes along is told when its own move is filtered out" {
	takes_along --match '*.c'
	! grep not out || false
}

@test "with --type f the files that a directory takes along are told" {
	takes_along --type f
	has_line "move src/z/not src/a/not"
}

@test "with --type f, what is written over or exchanged with another kind of thing is told to be gone" {
	mkdir -p src/{d,q}
	touch src/{f,g,h} src/q/k
	ln -s nowhere src/l
	start --no-guard file src --type f --existing --format '%e %s %o'
	until_ok 'has_line "create src/q/k "'
	files_are_told() { [ "$(replay)" = "$(find src -type f | sort)" ]; }
	until_ok 'files_are_told'
	exchange src/f src/l
	until_ok 'files_are_told'
	mv src/f src/g
	until_ok 'files_are_told'
	missed 'exchange src/h src/d; mv src/q src/h/q'
	until_ok 'files_are_told'
	missed 'exchange src/d src/h; rm src/h; mv src/d src/h'
	until_ok 'files_are_told'
}

@test "with --type, what is gone from its path before it is seen is told by the path it has" {
	mkdir -p src/a
	start --no-guard file src --type f --format '%e %s %o'
	missed 'ln -s nowhere src/a/l; : >src/a/f; mv src/a src/b'
	until_ok 'has_line "create src/b/f "'
	! grep '/l' out || false
}

@test "with --depth, what a directory that moves has in it is entered or left by how deep it is now" {
	mkdir -p src/a/b/c
	touch src/a/b/c/f
	start --no-guard file src --depth 3 --format '%e %s %o'
	mv src/a/b src/b
	until_ok 'has_line "create src/b/c/f "'
	mv src/b src/a/b
	until_ok 'has_line "delete src/a/b/c/f "'
}

@test "with --fanotify, too, what a directory takes along is told" {
	"$EV" -w 10ms file . --fanotify 2>why || skip "$(head -1 why)"
	takes_along --fanotify --match '*.c'
}

@test "a directory that moves where it is ignored takes with it what was in it" {
	mkdir -p src/a
	touch src/a/f
	start --no-guard file src --type f --ignore skip --format '%e %s %o'
	mv src/a src/skip
	until_ok 'has_line "delete src/a/f "'
}

@test "polling tells of a file and a directory that were exchanged as gone and come" {
	mkdir -p src/d
	touch src/f src/d/in
	start --no-guard file src --poll 20ms --format '%e %s %o'
	missed 'exchange src/f src/d'
	until_ok 'has_line "create src/f/in "'
	has_line "delete src/d/in "
	has_line "delete src/d "
	has_line "delete src/f "
	: >src/f/now
	until_ok 'has_line "create src/f/now "'
}

# As watch, with so few watches.
watch_limited() { # WATCHES ARG...
	local watches=$1
	shift
	unshare -Ur true || skip "no user namespace to be had here"
	unshare -Ur sh -c 'echo "$0" >/proc/sys/user/max_inotify_watches; exec "$@"' "$watches" \
		"$EV" --no-guard --ready-file "$dir/limited" file src "$@" --format '%e %s %o' >"$dir/out" 2>"$dir/err" 3>&- &
	P=$!
	STARTED+=("$P")
	until_ok 'test -e "$dir/limited"'
	until_ok "logged 'limit of inotify watches'"
}

@test "directories that got no watch are told right when they are exchanged" {
	mkdir -p src/a src/b
	touch src/a/f src/b/g
	watch_limited 2 --existing
	until_ok 'has_line "create src/b/g "'
	missed 'exchange src/a src/b'
	until_ok 'state_is_right src'
	missed 'mv src/a src/c; mkdir src/a'
	until_ok 'state_is_right src'
}

@test "what was in directories that got no watch is told to be deleted with them" {
	mkdir -p src/a/b/c
	touch src/a/f src/a/b/f src/a/b/c/f
	watch_limited 3 --type f
	rm -r src/a
	until_ok "has_line 'delete src/a/b/c/f '"
	until_ok "has_line 'delete src/a/b/f '"
}

@test "a root that got a watch later than others, but none above it, is seen to be replaced" {
	mkdir -p src/a later/on other
	touch later/on/f other/g
	watch_limited 3 later/on
	rm -r src
	: >later/on/now
	until_ok 'has_line "create later/on/now "' # by now it has a watch
	exchange later/on other
	until_ok 'has_line "create later/on/g "'
	until_ok 'has_line "delete later/on/f "'
}

@test "a root that comes between two looks at it is told, and before what is in it" {
	command -v strace >/dev/null || skip "no strace"
	mkdir new
	: >new/f
	start --no-guard file src
	# As if it were not there yet at the first look.
	strace -qq -o trace -P src -e trace=newfstatat -e inject=newfstatat:error=ENOENT:when=1 -p "$P" 3>&- &
	STARTED+=($!)
	until_ok "grep -q 'TracerPid:.[1-9]' \"/proc/\$P/status\""
	mv new src
	until_ok 'grep -q INJECTED trace'
	mv src new
	mv new src
	until_ok 'has_line "create src/f"'
	[ "$(head -1 out)" = "create src" ]
}

@test "roots that come and go in the same batch as an overflow are told, and the overflow, too" {
	mkdir other
	start --no-guard -e 'file src other' file src other --stdin json -- \
		sh -c 'cat >>batches; until [ -e go ]; do sleep 0.01; done'
	: >other/f
	until_ok 'test -s batches' # what follows is gathered while this run goes on
	missed 'python3 -c "
for i in range(9000): open(\"other/f\", \"w\").close(); open(\"other/g\", \"w\").close()"'
	until_ok 'has_line "overflow src"'
	mkdir src
	until_ok 'has_line "create src"'
	rm -r other
	until_ok 'has_line "delete other"'
	: >go
	until_ok "grep '\"event\":\"create\".*\"path\":\"src\"' batches"
	grep '"event":"delete".*"path":"other"' batches
	grep '"event":"overflow".*"path":"src"' batches
}
