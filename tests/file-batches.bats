#!/usr/bin/env bats
# file: several changes to the same names within one batch. What is told is where they led, each path
# once, in an order that can be replayed.
load helper

# Net effects, in $dir/out as without a command, and a line `end` behind each batch.
watch_gathering() { # OPTION...
	start --no-guard file src --stdin json "$@" -- sh -c \
		'python3 -c "import json, sys
for line in sys.stdin:
    e = json.loads(line)
    print(e[\"event\"], e[\"path\"], e.get(\"old_path\", \"\"))"; echo end'
}

# Those of one batch.
gathered() { # SHELL TEXT [OPTION]...
	watch_gathering --debounce 20ms "${@:2}"
	missed "$1"
	until_ok 'has_line end'
}

told_before() { # LINE LINE
	[ "$(grep -nxF -m1 -e "$1" out | cut -d: -f1)" -lt "$(grep -nxF -m1 -e "$2" out | cut -d: -f1)" ]
}

unwatch() {
	kill "$P"
	wait "$P" || true
	STARTED=()
}

@test "files that are exchanged in a batch are both there" {
	mkdir src
	touch src/{f,g}
	gathered 'exchange src/f src/g'
	has_line "modify src/f "
	has_line "modify src/g "
}

@test "what is made where something left in the same batch is told after the move" {
	mkdir -p src/a
	touch src/a/f
	gathered 'mv src/a src/b; mkdir src/a; touch src/a/f'
	told_before "move src/b src/a" "create src/a "
}

@test "what moved to where something was in the same batch is told to have left" {
	mkdir src
	touch src/{a,b}
	gathered 'rm src/a; mv src/b src/a'
	has_line "modify src/a "
	has_line "delete src/b "
}

@test "what is in a directory that moved to where another was removed in the same batch is told" {
	mkdir -p src/x src/q/deep
	touch src/x/{o,both} src/q/{k,both} src/q/deep/f
	gathered 'rm -r src/x; mv src/q src/x'
	has_line "move src/x/k src/q/k"
	has_line "modify src/x/both "
	has_line "delete src/q/both "
	has_line "move src/x/deep src/q/deep"
	has_line "delete src/x/o "
	has_line "delete src/q "
	has_line "modify src/x "
}

@test "the same of a directory that came there by way of a third name, less by one file" {
	mkdir -p src/x src/q
	touch src/x/o src/q/{k,gone,left}
	gathered 'rm -r src/x; mv src/q src/y; rm src/y/gone; mv src/y/left src/left; mv src/y src/x'
	has_line "move src/x/k src/q/k"
	has_line "delete src/q/gone "
	has_line "move src/left src/q/left"
	! grep 'src/y' out || false
}

@test "what is too deep after a directory above it was exchanged is told to be gone from where it is" {
	mkdir -p src/a/e src/b/x
	touch src/a/e/f
	gathered 'exchange src/a src/b/x' --depth 3
	has_line "move src/b/x/e src/a/e"
	told_before "move src/b/x/e src/a/e" "delete src/b/x/e/f "
	! grep -x 'delete src/a/e/f ' out || false
}

@test "what is removed from a directory between two of its moves is told where the directory is" {
	mkdir -p src/a
	touch src/a/{f,g,k}
	gathered 'mv src/a src/b; rm src/b/f; mv src/b/g src/g; mv src/b src/c; mkdir src/a; touch src/a/f'
	told_before "move src/c src/a" "delete src/c/f "
	told_before "move src/c src/a" "create src/a/f "
	has_line "move src/g src/c/g"
	! grep 'src/b' out || false
}

@test "a directory that moved and then left in one batch is gone from where it was, with all in it" {
	mkdir -p src/a/d
	touch src/a/{f,k} src/a/d/f
	gathered 'mv src/a src/b; rm src/b/f; : >src/b/new; mv src/b away'
	for gone in a a/f a/k a/d a/d/f; do has_line "delete src/$gone "; done
	! grep src/b out || false
}

@test "what is renamed in a directory before that moves in the same batch is told to be there" {
	mkdir -p src/a/s src/p/o
	touch src/a/{s/in,f} src/p/o/f
	gathered 'mv src/a/s src/a/t; mv src/a/f src/a/g; mkdir src/new; mv src/a src/new/b; mv src/new/b/t src/t
		mv src/p src/q; mv src/q/o src/p; : >src/p/later'
	is_replayed() { # or a part of it is in a batch to come
		printf 'create src/%s \n' a/s/in a/f p/o/f | cat - out >all
		# What was there, by its moves, and what was made.
		diff <(find src -type f | sort) <(replay all | grep -e '/in$' -e '/[fg]$' -e later)
	}
	until_ok is_replayed
}

@test "what moves into a directory that took a file's place in the same batch is told to be there" {
	local mode
	is_replayed() { # or a part of it is in a batch to come
		printf 'create src/%s \n' b e/k | cat - out >all
		diff <(printf '%s\n' src/b src/b/a src/b/a/d src/b/a/d/k src/q) <(replay all)
	}
	for mode in '' --fanotify; do
		"$EV" -w 10ms file . $mode 2>why || continue
		rm -rf src
		mkdir -p src/e
		touch src/{b,e/k}
		gathered 'mkdir -p src/q/a; exchange src/b src/q; mv src/e src/b/a/d' $mode
		until_ok is_replayed
		unwatch
	done
}

@test "a file that moved and is still written is told to have moved before what is at its old path" {
	mkdir src
	touch src/f
	watch_gathering --max-wait 300ms
	exec 5>src/open_first
	echo x >&5
	sleep 0.1
	mv src/f src/g
	exec 6>>src/g
	echo x >&6
	: >src/f
	until_ok 'has_line "modify src/g "'
	exec 5>&- 6>&-
	# On a busy machine in two batches.
	told_before "move src/g src/f" "$(grep -xE '(create|modify) src/f ' out)"
}

@test "what is renamed in a directory before that moves in the same batch is told in that order" {
	mkdir -p src/a/s
	touch src/a/{s/in,f}
	gathered 'mv src/a/s src/a/t; mv src/a src/b'
	[ "$(sed '/^end/d' out)" = "$(printf 'move src/b src/a\nmove src/b/t src/b/s')" ]
}

@test "a directory that moved away and back in one batch is not told to be at the other path" {
	mkdir -p src/a
	touch src/a/{f,k}
	gathered 'mv src/a src/b; rm src/b/f; mv src/b src/a'
	has_line "delete src/a/f "
	! grep -e src/b -e src/a/k out || false
}
