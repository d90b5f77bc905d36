#!/usr/bin/env bats
# file: what is mounted over a watched tree, and unmounted again. In a mount namespace of its own.
load helper

# within TEXT: runs it with a new mount namespace, in $dir; `steps` is its standard output.
within() {
	[ "$(id -u)" = 0 ] || skip "mounting needs root"
	unshare -m true 2>/dev/null || skip "no mount namespace to be had here"
	unshare -m bash -euc "$(declare -f start until_ok has_line lacks_line logged lines_of lines_are)
		EV=$EV dir=$dir STARTED=()
		trap 'kill \${STARTED[@]} 2>/dev/null || :; cat out err' EXIT
		fresh() { : >\$dir/out; }
		$1" 3>&-
}

@test "what is mounted over a watched directory is watched, and what is below it again afterwards" {
	mkdir -p src/a/b
	: >src/a/below
	within '
		start file src
		mount -t tmpfs none src/a
		until_ok "has_line \"delete src/a/below\""
		mkdir src/a/d
		: >src/a/d/f
		until_ok "has_line \"create src/a/d/f\""
		fresh
		umount src/a
		until_ok "has_line \"create src/a/below\""
		has_line "unmount src/a"
		has_line "delete src/a/d/f"
		[ "$(grep -c unmount out)" = 1 ]
		: >src/a/b/f
		until_ok "has_line \"create src/a/b/f\""'
}

@test "a bind mount shows what is behind it, and a part of the same tree is told of once" {
	mkdir -p src/a src/plain other
	: >other/there
	within '
		start file src
		mount --bind other src/plain
		until_ok "has_line \"create src/plain/there\""
		: >other/f
		until_ok "has_line \"create src/plain/f\""
		umount -l src/plain
		until_ok "has_line \"unmount src/plain\""
		: >other/not
		mount --bind src/a src/plain
		: >src/plain/g
		until_ok "has_line \"create src/a/g\""
		umount src/plain
		: >src/plain/h
		until_ok "has_line \"create src/plain/h\""
		! grep -e src/plain/g -e not out'
}

@test "a mount in a directory that was renamed, before it or after, and one that takes the place of another are seen" {
	mkdir -p src/a/b src/d one two three
	: >one/f
	: >two/g
	: >three/h
	within '
		start --no-guard file src
		kill -STOP $P
		mv src/a src/c
		mv src/d src/a
		mkdir src/a/b
		mount --bind one src/c/b
		mount --bind two src/a/b
		kill -CONT $P
		until_ok "has_line \"create src/c/b/f\""
		until_ok "has_line \"create src/a/b/g\""
		kill -STOP $P
		umount src/a/b
		mount --bind three src/a/b
		kill -CONT $P
		until_ok "has_line \"create src/a/b/h\""
		: >src/a/b/new
		until_ok "has_line \"create src/a/b/new\""
		has_line "delete src/a/b/g"
		mv src/c src/d
		mkdir -p src/c/b
		until_ok "has_line \"create src/c/b\""
		until_ok "grep -q \"^move src/d\" out"
		umount src/d/b
		until_ok "has_line \"delete src/d/b/f\""'
}

@test "a mount that comes with a directory from elsewhere is seen to go" {
	mkdir -p src/d other/a/b one two
	: >one/f
	: >two/g
	: >other/a/b/below
	within '
		start file src
		mount --bind one other/a/b
		mount --bind two src/d
		until_ok "has_line \"create src/d/g\""
		mv other/a src
		until_ok "has_line \"create src/a/b/f\""
		umount src/a/b
		until_ok "has_line \"create src/a/b/below\""
		has_line "unmount src/a/b"
		has_line "delete src/a/b/f"'
}

@test "what is mounted in a directory that moves to another path, or away and back, is seen there" {
	mkdir -p src/a/b src/d/b src2 one two away
	: >one/f
	: >two/g
	within '
		start --no-guard file src src2
		kill -STOP $P
		mount --bind one src/a/b
		mv src/a src2/c
		kill -CONT $P
		until_ok "has_line \"create src2/c/b/f\""
		kill -STOP $P
		mv src/d away
		mount --bind two away/d/b
		mv away/d src2
		kill -CONT $P
		until_ok "has_line \"create src2/d/b/g\""
		kill -STOP $P
		mv src2/d away
		umount away/d/b
		mv away/d src
		kill -CONT $P
		until_ok "has_line \"delete src/d/b/g\""'
}

@test "mounts on a watched path and above it are seen" {
	mkdir -p up/src
	: >up/src/below
	within '
		start file up/src
		mount -t tmpfs none up/src
		until_ok "has_line \"delete up/src/below\""
		: >up/src/f
		until_ok "has_line \"create up/src/f\""
		umount up/src
		until_ok "has_line \"create up/src/below\""
		fresh
		mount -t tmpfs none up
		until_ok "has_line \"delete up/src\""
		mkdir up/src
		until_ok "has_line \"create up/src\""
		: >up/src/g
		until_ok "has_line \"create up/src/g\""
		umount up
		until_ok "has_line \"create up/src/below\""'
}

@test "with --fanotify what is mounted below a path is seen, before the start or later" {
	mkdir -p src/a src/b
	within '
		mount -t tmpfs none src/a
		"$EV" -w 10ms file src --fanotify 2>why || { cat why; exit 0; }
		start file src --fanotify
		: >src/a/f
		until_ok "has_line \"create src/a/f\""
		mount -t tmpfs none src/b
		until_ok "touch src/b/g; has_line \"close_write src/b/g\""
		until_ok "umount src/b"
		until_ok "has_line \"unmount src/b\""'
}

@test "with --one-file-system what is mounted is left out" {
	mkdir -p src/a
	: >src/a/below
	within '
		start file src --one-file-system
		mount -t tmpfs none src/a
		until_ok "has_line \"delete src/a/below\""
		: >src/a/not
		: >src/last
		until_ok "has_line \"create src/last\""
		umount src/a
		until_ok "has_line \"create src/a/below\""
		! grep not out'
}

@test "a file system whose files others change is read every second, and that is said" {
	command -v bindfs >/dev/null && [ -w /dev/fuse ] || skip "no bindfs, or no /dev/fuse"
	mkdir src behind
	within '
		bindfs -f behind src & STARTED+=($!)
		until_ok "mountpoint -q src"
		start file src
		logged "src is a file system of type fuse: .* it is read every second"
		: >behind/f
		until_ok "has_line \"create src/f\""
		start file src --poll 0
		start file src --poll 50ms
		! logged fuse || false
		: >behind/g
		until_ok "has_line \"create src/g\""'
}

@test "a path in another path's tree, on a file system that others change, is told of once" {
	command -v bindfs >/dev/null && [ -w /dev/fuse ] || skip "no bindfs, or no /dev/fuse"
	mkdir -p src behind/d/e
	within '
		bindfs -f behind src & STARTED+=($!)
		until_ok "mountpoint -q src"
		start file src src/d/e
		n=0
		known() { n=$((n + 1)); : >behind/d/e/k$n; grep -q "create src/d/e/k" out; }
		until_ok known
		mv behind/d away
		until_ok "has_line \"delete src/d\""
		mkdir -p behind/d/e
		until_ok "has_line \"create src/d/e\""
		: >behind/d/e/f
		until_ok "has_line \"close_write src/d/e/f\""
		[ -z "$(sort out | uniq -d)" ]'
}

@test "a file system that does not answer holds up neither the start, nor the rest of the tree, nor the end" {
	command -v bindfs >/dev/null && [ -w /dev/fuse ] || skip "no bindfs, or no /dev/fuse"
	mkdir -p src/m behind
	within '
		bindfs -f behind src/m & fuse=$!
		STARTED+=($fuse)
		until_ok "mountpoint -q src/m"
		kill -STOP $fuse
		trap "kill -CONT $fuse; kill \${STARTED[@]} 2>/dev/null || :; cat out err" EXIT
		start file src src/m/file
		: >src/f
		until_ok "has_line \"create src/f\""
		until_ok "logged \"type fuse at .*/src/m does not answer\""
		kill $P
		wait $P || :
		start file src
		kill -CONT $fuse
		n=0
		late() { n=$((n + 1)); : >behind/late$n; grep -q "create src/m/late" out; }
		until_ok late'
}

@test "/proc in a tree is not entered, and a path that is a file there is read every second" {
	mkdir -p src/proc
	within '
		mount -t proc proc src/proc
		start file src /proc/uptime
		until_ok "has_line \"modify /proc/uptime\""
		! grep src/proc/ out || false
		lacks_line "create src/proc"
		umount src/proc
		until_ok "has_line \"unmount src/proc\""'
}
