#!/usr/bin/env bats
# file: what needs a limit of the whole system to be set. Run once, alone; see tests/run.
load helper

clean_up() {
	[ -z "${storm_dir:-}" ] || rm -rf "$storm_dir"
	[ -z "${limit_file:-}" ] || printf '%s\n' "${limit_was:-}" >"$limit_file"
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
	start file src --existing --format '%e %s %o'
	storm
	rm src/a/before
	: >src/last
	until_ok 'state_is_right src'
	logged "fs.inotify.max_queued_events is 128"
	# It comes after all that was found.
	until_ok 'grep -q "^overflow src" "$dir/out"'
}

@test "what is written while the very first events overflow the queue is reported" {
	limit max_queued_events 128
	mkdir src
	echo 1 >src/a
	start file src
	missed 'for i in {1..200}; do : >src/$i; done; echo 2 >>src/a'
	until_ok 'has_line "close_write src/a"'
	until_ok 'has_line "overflow src"'
}

@test "what a rescan found to be gone is not told of afterwards" {
	command -v strace >/dev/null || skip "no strace"
	limit max_queued_events 128
	mkdir src
	: >src/gone
	start --no-guard file src
	# Its reading of directories is slowed, so that the file changes and goes while one is read.
	strace -qq -o trace -e trace=getdents64 -e inject=getdents64:delay_enter=700000 -p "$P" 3>&- &
	STARTED+=($!)
	until_ok 'grep -q "^TracerPid:.[1-9]" "/proc/$P/status"'
	reads() { ls -l "/proc/$P/fd" | grep -q "/$1$"; }
	mkdir src/new
	until_ok 'reads src/new'
	seq -f src/%g 300 | xargs touch
	until_ok 'reads src'
	echo 1 >src/gone
	rm src/gone
	: >src/last
	until_ok 'grep -q "src/last$" out'
	until_ok 'grep -q "^overflow src" out'
	# It may have been heard of while the reading was under way; nothing comes after its end.
	[ "$(grep -c "^delete src/gone$" out)" = 1 ]
	[ "$(grep "src/gone$" out | tail -1)" = "delete src/gone" ]
	# What the rescan found comes before the word that it was needed.
	found=$(grep -n '^create src/[0-9]*$' out | tail -1 | cut -d: -f1)
	[ "$found" -lt "$(grep -n '^overflow src$' out | head -1 | cut -d: -f1)" ]
}

@test "where watches run out the limit is named, and the rest is polled" {
	limit max_user_watches "$(($(cat /proc/sys/fs/inotify/max_user_watches) / 100000 + 8))"
	mkdir -p src/{1..40}/sub
	start file src
	logged "fs.inotify.max_user_watches is [0-9]*; evwatch has [0-9]* watches here and lacks [0-9]* more"
	logged "sysctl fs.inotify.max_user_watches="
	for i in {1..40}; do : >"src/$i/sub/f"; done
	for i in {1..40}; do until_ok 'has_line "create src/$i/sub/f"'; done
}

@test "where inotify instances run out the limit is named, with its value and the cure" {
	limit max_user_instances 0
	mkdir src
	run "$EV" -w 10ms file src
	[ "$status" = 1 ]
	[[ $output == *"the limit of inotify instances of this user is reached"* ]]
	[[ $output == *"fs.inotify.max_user_instances is 0"*"sysctl fs.inotify.max_user_instances="* ]]
}

@test "300 rules share the watches of a tree, and a flood in another one is none of their business" {
	once_for_all_backends
	command -v strace >/dev/null || skip "no strace"
	limit max_queued_events 256
	mkdir -p src/{1..20} other
	for i in {1..300}; do echo "r$i: file src"; done >rules
	start --no-guard -f rules -e 'other: file other' --format '%r %e %s'
	watches() { grep -c '^inotify wd' "$1"; }
	# That of the tree, that of the other one, and that of what is on the way to both.
	[ "$(for f in /proc/"$P"/fdinfo/*; do watches "$f" || :; done | grep -vx 0 | sort -n | tr '\n' ' ')" = "1 3 21 " ]
	# It is stopped, and finds all of it at once.
	kill -STOP "$P"
	bash -c 'cd other && seq 1000 | xargs touch' 3>&-
	strace -qq -o trace -e trace=openat2,statx,getdents64 -p "$P" 3>&- &
	STARTED+=($!)
	until_ok 'grep -q "^TracerPid:.[1-9]" "/proc/$P/status"'
	kill -CONT "$P"
	until_ok 'has_line "other overflow other"'
	until_ok 'has_line "other close_write other/1000"'
	! grep src trace || false
	! grep "^r" out || false
	: >src/7/f
	until_ok '[ "$(grep -c "^r[0-9]* create src/7/f$" out)" = 300 ]'
}
