#!/usr/bin/env bats
# file --fanotify: what happened before evwatch could look. It holds no tree: where a directory was
# when something happened in it, and what was in it, is found out afterwards.
load helper

setup_file() {
	cd "$BATS_FILE_TMPDIR"
	"${EVWATCH:-$BATS_TEST_DIRNAME/../build/evwatch}" -w 10ms file . --fanotify 2>why || skip "$(head -1 why)"
}

fan() { # OPTION...
	start --no-guard file src --fanotify --format '%e %s %o' "$@"
}

# All that is told, once the last event came: what happens last is this.
all_told() { # [NAME]
	: >"src/${1:-last}"
	until_ok "has_line \"close_write src/${1:-last} \""
}

@test "--fanotify tells what is deleted in a directory that is gone by then" {
	mkdir -p src/d/e
	touch src/d/f src/d/e/g
	fan
	missed 'rm -r src/d'
	until_ok "has_line 'delete src/d '"
	printf '%s\n' 'delete src/d ' 'delete src/d/e ' 'delete src/d/e/g ' 'delete src/d/f ' | diff - <(sort out)
}

@test "--fanotify tells what was in a PATH that is moved away, or replaced by a file" {
	mkdir -p src/d away
	touch src/d/f
	fan
	mv src away/1
	until_ok "has_line 'delete src '"
	printf '%s\n' 'delete src ' 'delete src/d ' 'delete src/d/f ' | diff - <(sort out)
	mv away/1 src
	until_ok "has_line 'create src/d/f '"
	missed 'mv src away/2; : >src'
	until_ok "[ \$(grep -c '^delete src/d/f ' out) = 2 ]"
}

@test "--fanotify tells what was made and removed with its directory in the same breath" {
	mkdir src
	fan
	missed 'mkdir -p src/a/b; : >src/a/b/f; mv src/a src/z; rm -r src/z'
	all_told
	until_ok 'state_is_right src'
	has_line 'create src/a/b/f '
	has_line 'delete src/z '
}

@test "--fanotify tells of directories that were renamed by the paths that they had" {
	mkdir -p src/d/e
	fan
	missed ': >src/d/e/f; mv src/d src/q; : >src/q/e/g; mv src/q/e src/r; : >src/r/h'
	all_told
	printf '%s\n' 'move src/q src/d' 'move src/r src/q/e' 'create src/r/f ' 'create src/r/g ' 'create src/r/h ' |
		diff - <(grep '^create\|^move' out | grep -v last)
}

@test "--fanotify tells two that are exchanged to be there both" {
	mkdir -p src/a src/b
	touch src/a/f src/b/g src/x src/y
	fan --existing
	until_ok "has_line 'create src/b/g '"
	missed 'exchange src/a src/b; exchange src/x src/y; exchange src/a src/x'
	all_told
	until_ok 'state_is_right src'
}

@test "--fanotify tells what comes and goes with a directory, where no directories are told" {
	mkdir -p src/a src/b away
	touch src/a/f src/a/gone src/b/f away/in
	fan --existing --type f
	until_ok "has_line 'create src/b/f '"
	missed 'mv src/a src/z; rm src/z/gone; : >src/n; mv src/n src/z/n; mv src/b left; mv away src/in'
	all_told
	diff <(find src -type f | sort) <(replay)
	[ "$(grep -c '^create src/z/n $' out)" = 1 ]
	lacks_line 'move src/z/n src/a/n'
}

@test "--fanotify tells what is in a directory that takes the name of a deleted file" {
	mkdir -p src/d/e
	touch src/d/f src/d/e/g src/x
	fan
	missed 'rm src/x; mv src/d src/x'
	all_told
	has_line 'create src/x/f '
	has_line 'create src/x/e/g '
}

@test "--fanotify tells what was replaced, in a directory that moved or by what is not asked for" {
	mkdir -p src/a
	touch src/a/f src/g
	ln -s nowhere src/l
	fan --existing --type f
	until_ok "has_line 'create src/a/f '"
	missed 'mv src/a src/z; : >src/n; mv src/n src/z/f; mv src/l src/g'
	all_told
	diff <(find src -type f | sort) <(replay)
	# Of one process, so that the word of the second is merged into that of the first.
	missed "python3 -c 'from os import *
import ctypes
for n in \"mpq\": close(open(\"src/\" + n, O_CREAT))
rename(\"src/m\", \"src/n\")
ctypes.CDLL(None).renameat2(-100, b\"src/p\", -100, b\"src/q\", 2)
for n in \"nq\": symlink(\"nowhere\", \"src/k\"), rename(\"src/k\", \"src/\" + n)'"
	all_told really_last
	diff <(find src -type f | sort) <(replay)
}

@test "--fanotify tells in a batch what left, moved on and came anew with directories that moved" {
	mkdir -p src/s/0 src/s/t/0 src/q src/g src/o src/x/a src/x/d
	touch src/x/a/f src/s/0/c src/s/b src/N src/s/t/0/f src/h src/o/f
	start --no-guard file src --fanotify --existing --debounce 100ms --stdin json -- python3 -c 'import json, sys
for line in sys.stdin:
    e = json.loads(line)
    print(e["event"], e["path"], e.get("old_path", ""))'
	until_ok 'state_is_right src'
	missed 'mkdir src/d; : >src/d/x; mv src/d .; rm d/x; : >src/1'
	until_ok 'state_is_right src'
	missed 'exchange src/s/0 src/N; exchange src/N/c src/s/b'
	until_ok 'state_is_right src'
	has_line 'move src/s/b src/s/0/c'
	missed 'mv src/s/t src/q/e; exchange src/q/e/0/f src/h; exchange src/q src/g'
	until_ok 'state_is_right src'
	missed 'mv src/x/a src/x/d/e; mv src/x .; mkdir -p src/x/a'
	until_ok 'state_is_right src'
	missed 'mkdir src/new; : >src/new/g; exchange src/o src/new/g; mv src/new src/old'
	until_ok 'state_is_right src'
}

@test "--fanotify tells what left a directory that came before that was read" {
	mkdir -p src away/a
	touch away/a/f
	fan
	missed 'mv away src/in; mv src/in/a src/a'
	all_told
	until_ok 'state_is_right src'
}

@test "--fanotify tells once what was made in a directory long before its event is dealt with" {
	mkdir src other
	fan --type f
	missed 'mkdir src/{1..200}; (cd other && seq 20000 | xargs touch); touch src/{1..200}/f'
	all_told
	[ "$(grep -c '^create src/.*/f ' out)" = 200 ]
}

@test "--fanotify tells what was forgotten in a directory that takes the name of another" {
	mkdir -p src/old away/e/{1..20}/{g,h} src/other/{1..100}
	fan
	mv away src/d
	until_ok "[ \$(grep -c '^create src/d/e/.*/[gh] ' out) = 40 ]" # what is written before is told twice
	touch src/other/{1..100}/f
	for i in {1..8}; do # of src/d/e/*/h something is heard meanwhile, of src/d/e/*/g nothing
		touch src/d/e/{1..20}/h/k
		until_ok "[ \$(grep -c '^close_write src/d/e/20/h/k ' out) = $i ]"
	done
	mv -T src/d src/old
	until_ok "[ \$(grep -c '^delete src/d/e/.*/g ' out) = 20 ]"
	until_ok "[ \$(grep -c '^create src/old/e/.*/g ' out) = 20 ]"
}

@test "--fanotify forgets of a directory that came from elsewhere that it was there" {
	mkdir -p src away/d/a
	fan
	missed 'mv away/d src/d; : >src/d/a/f'
	until_ok "has_line 'close_write src/d/a/f '"
	mkdir src/{1..100} # more than it needs not forget
	touch src/{1..100}/f
	for i in 1 2 3 4 5 6; do
		all_told "last$i"
	done
	: >src/d/a/g
	rm -r src/d/a
	all_told
	has_line 'create src/d/a/g '
	has_line 'delete src/d/a '
}

@test "--fanotify forgets no names in a directory that moved before they are told" {
	mkdir -p src/old src/d/{1..300}
	fan
	missed 'touch src/d/{1..300}/f'
	until_ok "has_line 'close_write src/d/300/f '"
	all_told first
	all_told second
	mv -T src/d src/old
	until_ok "[ \$(grep -c '^delete src/d/.*/f ' out) = 300 ]"
	until_ok "[ \$(grep -c '^create src/old/.*/f ' out) = 300 ]"
}

@test "--fanotify says once below which directory paths are too long to be known" {
	mkdir src
	long=$(printf 'd%.0s' {1..250})
	(cd src && for i in {1..18}; do mkdir "$long" && cd -P "$long" || exit 1; done)
	fan
	(cd src && for i in {1..18}; do cd -P "$long" || exit 1; done && : >f && : >g)
	all_told
	logged "$long: its path is longer than 4095 bytes (PATH_MAX)"
	[ "$(wc -l <err)" = 1 ]
}

@test "--fanotify tells nothing of who still writes what is deleted" {
	mkdir src
	fan
	missed 'exec 5>src/f; rm src/f; echo x >&5; exec 5>&-; true'
	all_told
	[ "$(grep -n 'src/f ' out | tail -1 | cut -d: -f2)" = 'delete src/f ' ]
}

@test "--fanotify tells a deleted link to who asks for files or links, and to nobody else" {
	local type
	for type in f l d; do
		mkdir "src$type"
		ln -s nowhere "src$type/link"
		start --no-guard file "src$type" --fanotify --format '%e %s' --type "$type"
		rm "src$type/link"
		mkdir "src$type/dir"
		: >"src$type/last"
		if [ "$type" = d ]; then
			until_ok 'has_line "create src$type/dir"'
			lacks_line "delete src$type/link"
		else
			until_ok 'has_line "delete src$type/link"'
		fi
	done
}

@test "--fanotify says which process made a change: EVWATCH_PID of the first path, pid in JSON" {
	mkdir -p src/d src/full away
	touch src/old src/full/f src/d/f
	start --no-guard file src --fanotify --json
	bash -c 'echo $$ >pid; echo x >src/f; mv src/old src/new; mv src/full away; exec rm -r src/d'
	until_ok "grep -q 'delete.*src/d\"' out"
	python3 - <<-'end'
	import json
	pid = int(open("pid").read())
	events = [json.loads(line) for line in open("out")]
	assert all(type(e["pid"]) is int for e in events), events
	assert len([e for e in events if e["path"] == "src/d"]) == 1, events
	by = {(e["event"], e["path"]): e["pid"] == pid for e in events}
	assert by["create", "src/f"] and by["delete", "src/d/f"] and by["delete", "src/d"], events
	assert not by["move", "src/new"] and not by["delete", "src/full"] and not by["delete", "src/full/f"], events
	end
	mkdir two
	start --no-guard file two --fanotify -- 'echo "$EVWATCH_PATH $EVWATCH_PID"'
	bash -c 'echo $$ >pid; echo x >two/f'
	until_ok 'has_line "two/f $(cat pid)"'
}
