#!/usr/bin/env bats
# file --changed: a change that leaves a file as it was is no event.
load helper

setup_tree() {
	mkdir -p src/d/e
	local f
	for f in a b c d/f d/e/g; do echo "$f" >"src/$f"; done
}

# What is done is reported before this.
all_told() {
	echo "$RANDOM" >src/last
	until_ok 'grep -q "src/last" out'
}

out_lacks() { [ -z "$(grep -e "$1" out)" ]; }

# What is reported after this is in `fresh`.
mark() { seen=$(stat -c %s out); }
fresh() { tail -c "+$((seen + 1))" out; }
fresh_has() { fresh | grep -qxF -e "$1"; }
fresh_lacks() { [ -z "$(fresh | grep -e "$1")" ]; }

# Once for events, once for --poll: each with a tree of its own.
in_both_modes() { # COMMAND that takes the options of the mode
	local mode
	for mode in --recursive "--poll 20ms"; do
		mode=${mode#--recursive}
		echo "with: $mode"
		rm -rf src away && setup_tree
		"$1" $mode
		kill "$P" && { wait "$P" || true; }
	done
}

leaves_out_the_same() {
	start file src --changed --type f --format '%e %s %o' "$@"
	touch src/a
	cp src/b copy && cat copy >src/b
	cp src/c src/c.tmp && mv src/c.tmp src/c
	cp src/d/f copy && mv copy src/d/f
	touch -d yesterday src/d/e/g
	all_told
	[ -z "$(grep -v 'src/last\|src/c.tmp' out)" ]
	lacks_line 'delete src/c '
	# Another content is one, of the same size and by each way, and then the old one again.
	sed 's/a/A/' -i src/a
	echo B >src/b
	echo C >src/c.tmp && mv src/c.tmp src/c
	until_ok 'grep -q "src/a " out && grep -q "src/b " out && grep -q "src/c " out'
	mark
	echo b >src/b
	until_ok 'fresh_has "close_write src/b "'
}

@test "--changed: what is touched, copied over or replaced and holds what it held is no event" {
	in_both_modes leaves_out_the_same
}

runs_for_changes() {
	start file src --changed --type f "$@" -- 'printf "%s %s\n" "$EVWATCH_EVENT" "$*"'
	touch src/a
	cp src/b copy && mv copy src/b
	echo 2 >src/last
	until_ok 'grep -q last out'
	lacks_line 'modify src/a'
	[ "$(grep -c . out)" = 1 ]
	out_lacks 'src/a\|src/b'
	touch src/last
	echo A >src/a
	until_ok 'has_line "modify src/a"'
	[ "$(grep -c . out)" = 2 ]
}

@test "--changed: a command runs for other content alone" {
	in_both_modes runs_for_changes
}

@test "--changed: a move takes the content along, with all that is in a directory; a delete forgets it" {
	setup_tree
	start file src --changed --format '%e %s %o'
	mv src/a src/A
	mv src/d src/D
	rm src/b
	until_ok 'has_line "delete src/b "'
	until_ok 'has_line "move src/D src/d"'
	has_line 'move src/A src/a'
	mark
	touch src/A src/D/f src/D/e/g
	cp src/c copy && mv copy src/c
	echo b >src/b
	until_ok 'fresh_has "close_write src/b "'
	all_told
	[ -z "$(fresh | grep -v 'src/b\|last')" ]
	mark
	mv src/D away
	until_ok 'fresh_has "delete src/D "'
	mv away src/D
	until_ok 'fresh_has "create src/D/e/g "'
}

@test "--changed: two that are exchanged take their content along" {
	setup_tree
	start file src --changed -- 'printf "%s\n" "$@"'
	exchange src/a src/b
	until_ok 'has_line src/b'
	mark
	touch src/a src/b
	all_told
	fresh_lacks 'src/[ab]$'
	exchange src/d/e src/c
	until_ok 'has_line src/c/g'
	mark
	touch src/c/g src/d/e
	all_told
	fresh_lacks 'src/c/g\|src/d/e'
}

@test "--changed: a file that is still being written is compared when it is closed" {
	setup_tree
	start file src --changed --format '%e %s'
	exec 5>src/a
	sleep 0.2
	echo a >&5
	exec 5>&-
	all_told
	out_lacks 'src/a'
	exec 5>src/a
	echo x >&5
	until_ok 'has_line "modify src/a"'
	exec 5>&-
}

@test "--changed: what cannot be read, or is larger than 64 MB, always counts as changed" {
	setup_tree
	truncate -s 65M src/large
	truncate -s 60M src/almost
	mkfifo src/fifo
	ln -s nowhere src/link
	start file src --changed --format '%e %s'
	# Its first reading may take longer than arming waits for it: then the first touch counts.
	touch src/almost
	all_told
	mark
	touch src/almost src/fifo
	touch src/large
	until_ok 'fresh_has "close_write src/large"'
	echo after >src/last
	until_ok 'fresh_has "close_write src/last"'
	fresh_lacks 'almost\|fifo'
	mark
	printf x | dd of=src/almost bs=1 seek=$((60 * 1024 * 1024 - 1)) conv=notrunc status=none
	until_ok 'fresh_has "close_write src/almost"'
}

@test "--changed follows no link out of the tree, and reads a PATH that is a file or a link to one" {
	setup_tree
	mkdir away
	echo 1 >away/f
	ln -s away/f file
	start file src file --changed --format '%e %s'
	touch away/f
	all_told
	out_lacks '^[^ ]* file'
	echo 2 >away/f
	until_ok 'has_line "close_write file"'
	strace -f -p "$P" -e trace=openat -o trace &
	STARTED+=($!)
	until_ok '[ -e trace ]'
	ln -sfn ../away/f src/a
	until_ok 'grep -q "src/a" out'
	[ -z "$(grep 'away/f' trace)" ]
}

@test "--changed: --existing reports all at the start, and --match what is to be read" {
	setup_tree
	start file src --changed --existing --type f --match a --match b --format '%e %s'
	until_ok 'has_line "create src/a" && has_line "create src/b"'
	mark
	touch src/a
	echo B >src/b
	until_ok 'fresh_has "close_write src/b"'
	fresh_lacks src/a
}

@test "--changed is refused where it means nothing" {
	local options
	for options in "--fanotify" "--events attrib" "--events modify,open" "--type d,l"; do
		run "$EV" file . --changed $options
		[ "$status" = 2 ]
		[[ "$output" == *--changed* ]]
	done
	run "$EV" check file . --changed
	[[ "$output" == *"only where their content differs"* ]]
}
