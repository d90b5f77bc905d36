#!/usr/bin/env bats
# file: the tools people really use; nothing they change goes unreported.

load helper

need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip "there is no $tool here"
	done
}

# watch_src OPTIONS...: two rules. The subjects of each run come to `told`, one a line, an empty line
# behind each run; `out` has every event as it comes.
watch_src() {
	mkdir -p src
	: >told
	start -e "runs: file src $* -- printf '%s\n' \"\$@\" '' >>told" -e "all: file src $* --format '%e %s %o'"
}

paths() { find src -mindepth 1 | sort; }
told_paths() { grep . told | sort -u; }
all_told() { [ -z "$(comm -23 <(paths) <(told_paths))" ] && state_is_right src; }
# Of the paths in the file, each is told of, and no other.
exactly() { diff "$1" <(told_paths) >differ; }
# Nothing was told twice in one run; nothing was created that was there.
no_doubles() {
	awk '$0 == "" { split("", seen); next } seen[$0]++ { print "twice in a run: " $0; bad = 1 } END { exit bad }' told
	awk '$1 == "create" && there[$2]++ { print "created twice: " $2; bad = 1 }
		$1 == "delete" { delete there[$2] }
		$1 == "move" { delete there[$3]; there[$2] = 1 }
		END { exit bad }' out
}
run_count() { grep -c '^$' told; }

material() { # 300 files in ten folders below $1
	mkdir -p "$1"/{1..10}
	seq 300 | awk -v d="$1" '{ f = d "/" ($1 % 10 + 1) "/" $1; print $1 > f; close(f) }'
}

@test "tar x: every path is told, and nothing else or twice" {
	material made
	tar cf made.tar made
	watch_src
	tar xf made.tar -C src
	until_ok 'all_told'
	paths >changed
	exactly changed
	no_doubles
}

@test "cp -r: every path is told, and nothing else or twice" {
	material made
	watch_src
	cp -r made src/
	until_ok 'all_told'
	paths >changed
	exactly changed
	no_doubles
}

@test "rsync: every path is told, and no temporary name" {
	need rsync
	material made
	watch_src --debounce 300ms
	rsync -a made src/
	until_ok 'all_told'
	paths >changed
	exactly changed
	no_doubles
	# What is changed by it afterwards is that, and nothing else.
	: >told
	echo longer >>made/1/10 && rm made/2/1
	rsync -a --delete made src/
	printf 'src/made/%s\n' 1/10 2/1 >changed
	until_ok 'exactly changed'
	no_doubles
}

@test "git checkout of 3,000 changed files: every path is told, and nothing else or twice" {
	need git
	mkdir src
	(
		cd src && git init -q . && git config user.email a@b && git config user.name n
		mkdir -p {1..30} && seq 3000 | awk '{ f = ($1 % 30 + 1) "/" $1; print "one" > f; close(f) }'
		git add . && git commit -qm one && git checkout -qb two
		seq 3000 | awk '$1 % 10 { f = ($1 % 30 + 1) "/" $1; print "two " $1 > f; close(f) }'
		seq 0 10 3000 | awk 'NR > 1 { print ($1 % 30 + 1) "/" $1 }' | xargs rm
		seq 300 | awk '{ f = ($1 % 30 + 1) "/new" $1; print "new" > f; close(f) }'
		git add -A && git commit -qm two
	)
	git -C src diff --no-renames --name-only HEAD~ | sed 's,^,src/,' | sort >changed
	[ "$(wc -l <changed)" = 3300 ]
	for branch in - two; do
		watch_src --ignore .git --type f
		git -C src checkout -q $branch
		until_ok 'exactly changed'
		no_doubles
		# Not one run a file: a loaded machine pauses in the midst of a checkout.
		[ "$(run_count)" -le 330 ]
		kill "$P" && { wait "$P" || true; }
	done
}

@test "make -j: every path is told, and nothing twice" {
	need make
	printf 'all: $(addprefix src/o/,$(shell seq 60))\nsrc/o/%%:\n\t@mkdir -p src/o && echo x >$@.tmp && mv $@.tmp $@\n' >Makefile
	watch_src
	make -s -j4
	until_ok 'all_told'
	no_doubles
	[ -z "$(comm -13 <(paths) <(told_paths) | grep -v '^src/o/[0-9]*\.tmp$')" ]
}

# edit N EDITOR...: N saves, each in a session of its own on a terminal of its own, of what both the
# directory and the file are watched for.
edit() {
	local n=$1 i
	shift
	mkdir src
	echo 0 >src/f
	: >runs
	start -e "dir: file src --ignore '*.sw?' -- echo \"dir \$EVWATCH_EVENT \$*\" >>runs" \
		-e 'file: file src/f -- echo "file $EVWATCH_EVENT $*" >>runs'
	for ((i = 1; i <= n; i++)); do
		TERM=xterm SAVE=$i timeout 100 script -qec "$*" /dev/null >/dev/null </dev/null 3>&-
		grep -q "$i" src/f
		ran() { [ "$(grep -c "^$1 .*src/f\b" runs)" -ge "$i" ]; }
		until_ok 'ran dir'
		until_ok 'ran file'
	done
	# A loaded machine may pause in the midst of a save: of one that goes on so, or two.
	[ "$(grep -c '^file modify src/f$' runs)" -ge $((n - 2)) ]
	[ "$(grep -c '^dir modify src/f\b' runs)" -ge $((n - 2)) ]
	[ "$(wc -l <runs)" -le $((2 * n + 4)) ]
}

@test "a vim save is one run and a modify, watching the directory or the file" {
	need vim script
	edit 5 'vim -N -u NONE src/f -c "normal ggcc$SAVE" -c wq'
}

@test "an emacs -nw save is one run and a modify, watching the directory or the file" {
	need emacs script
	edit 5 'emacs -nw -Q src/f --eval "(progn (insert (getenv \"SAVE\")) (save-buffer) (kill-emacs))"'
}

@test "npm install of a real package: every path is told" {
	need npm
	watch_src
	timeout 100 npm install --prefix src --no-audit --no-fund yargs >npm.log 2>&1 ||
		skip "npm cannot install here: $(head -1 npm.log)"
	until_ok 'all_told'
	no_doubles
	[ "$(run_count)" -le 330 ]
}
