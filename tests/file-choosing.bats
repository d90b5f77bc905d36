#!/usr/bin/env bats
# file: which paths count, and how they are told.
load helper

# The three ways to watch, as far as they work here, each with a tree of its own.
in_each_mode() { # COMMAND that takes the options of the mode
	local mode
	for mode in --recursive --fanotify "--poll 20ms"; do
		mode=${mode#--recursive}
		"$EV" -w 10ms file . $mode 2>why || { cat why; continue; }
		echo "with: $mode"
		rm -rf src && mkdir src
		"$1" $mode
		kill "$P" && { wait "$P" || true; }
	done
}

chooses() { # OPTION...
	mkdir -p src/skip src/out
	echo out >src/.gitignore
	start file src --match '*.c' --ignore skip --ignore 'x/**/no.c' --type f --depth 4 --gitignore "$@"
	mkdir -p src/x/y/z/deeper
	: >src/x/y/yes.c
	: >src/x/y/no.c
	: >src/x/y/z/deeper/no.c
	: >src/skip/no.c
	: >src/out/no.c
	: >src/plain.txt
	ln -s nowhere src/no.c
	: >src/last.c
	until_ok 'has_line "create src/last.c"'
	until_ok 'has_line "create src/x/y/yes.c"'
	! grep -e no.c -e plain -e 'skip$' -e 'src/x$' "$dir/out" || false
}

@test "--match, --ignore, --type, --depth and --gitignore choose, and filters do not keep from entering" {
	in_each_mode chooses
}

moves_count() { # OPTION...
	: >src/a.c
	start file src --match '*.c' "$@"
	mv src/a.c src/a.txt
	until_ok 'has_line "delete src/a.c"'
	mv src/a.txt src/b.c
	until_ok 'has_line "create src/b.c"'
}

@test "what moves out of what is matched is deleted, what moves in is created" {
	in_each_mode moves_count
}

@test "a pattern that never matches is refused" {
	mkdir src
	for p in '[a' 'a\' ''; do
		run "$EV" -w 10ms file src --match "$p"
		[ "$status" = 2 ]
		[[ $output == *"--match: \"$p\" never matches: "* ]]
	done
}

@test "a pattern of another tool is refused with the one to write" {
	refused() { # PATTERN WHY CURE
		run "$EV" -w 10ms file src --ignore "$1"
		[ "$status" = 2 ]
		[[ $output == *"--ignore: \"$1\"$2"*"$3"* ]]
	}
	mkdir src
	refused build/ ' never matches: ' '"build" for the directory itself, "build/**" for all below it'
	refused /build ' never matches: ' 'here with "src/"'
	refused '*.{c,o}' ': a choice in braces is not supported' 'repeat the option'
	refused '\.o$' ' looks like a regular expression' "'*.c'"
	refused '^.*/build' ' looks like a regular expression' "'*.c'"
	"$EV" -w 10ms file "$PWD/src" --ignore '/*/build' --ignore '*\{a,b}' --ignore '*$' --ignore /
}

@test "what evwatch writes to a file in the tree is no event" {
	start file . --events create,modify,close_write -v # both its outputs are in it
	echo 1 >one
	until_ok 'has_line "close_write ./one"'
	echo 2 >two
	until_ok 'has_line "close_write ./two"'
	! grep -e ./out -e ./err out || false
}

existing() { # OPTION...
	mkdir -p src/a/skip src/a/b
	touch src/a/{f,no} src/a/skip/f src/a/b/deep
	ln -s f src/a/link
	start file src --existing --type f --ignore skip --ignore no --depth 2 "$@"
	: >src/last
	until_ok 'has_line "create src/last"'
	[ "$(grep ^create out)" = $'create src/a/f\ncreate src/last' ]
}

@test "--existing reports what is there and counts" {
	in_each_mode existing
}

@test "--paths-from takes a list from standard input" {
	: >'a b'
	: >c
	printf 'a b\0c\0' | "$EV" --ready-file ready file --paths-from - -0 >out 2>err 3>&- &
	STARTED+=($!)
	until_ok 'test -e ready'
	echo 1 >'a b'
	until_ok "grep -qaF 'a b' out"
}

@test "--paths-from refuses a list without a path" {
	run "$EV" -w 2s file --paths-from - < <(printf '\n')
	[ "$status" = 1 ]
	grep -q -- '--paths-from - names no path' <<<"$output"
}

hostile() { # OPTION...
	: >told
	start -e "all: file src $* --type f --events create --json" \
		-e "runs: file src $* --type f -- printf '%s\0' \"\$@\" >>told"
	python3 "$BATS_TEST_DIRNAME/names.py" make src
	until_ok 'python3 "$BATS_TEST_DIRNAME/names.py" check src out told'
	[ -z "$(find . -name pwned)" ]
}

@test "names with any byte come whole, in JSON valid, and are never executed" {
	in_each_mode hostile
}
