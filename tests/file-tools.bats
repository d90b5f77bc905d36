#!/usr/bin/env bats
# file: the tools people really use; nothing they change goes unreported.

setup() {
	evwatch="${EVWATCH:-$BATS_TEST_DIRNAME/../build/evwatch}"
	dir=$(mktemp -d "${BATS_TEST_TMPDIR:-/tmp}/tools.XXXXXX")
	cd "$dir" || return 1
	pid=
	mkdir src
}

teardown() {
	[ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null || true
	cd / && rm -rf "$dir"
}

need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip "there is no $tool here"
	done
}

# Each run appends its subjects to `told`, NUL-separated, and a line to `runs`.
watch() {
	: >told
	: >runs
	"$evwatch" --ready-file "$dir/ready" file src "$@" -- \
		'printf "%s\0" "$@" >>told; echo "$EVWATCH_EVENT $*" >>runs' 2>err 3>&- &
	pid=$!
	until_true test -e "$dir/ready"
}

until_true() {
	local deadline=$((SECONDS + 20))
	while ! "$@"; do
		((SECONDS <= deadline)) || { echo "never: $*"; return 1; }
		sleep 0.02
	done
}

# Every path that is there was told of.
all_told() { [ -z "$(comm -23 <(find src -mindepth 1 | sort) <(tr '\0' '\n' <told | sort -u))" ]; }
# And nothing was told twice in one run's window: with one run there are no doubles at all.
no_doubles() { [ -z "$(tr '\0' '\n' <told | sort | uniq -d)" ]; }

material() { # N files in folders below $1
	mkdir -p "$1"/{1..10}
	seq 300 | awk -v d="$1" '{ f = d "/" ($1 % 10 + 1) "/" $1; print $1 > f; close(f) }'
}

@test "tar x: every path is told" {
	material made
	tar cf made.tar made
	watch
	tar xf made.tar -C src
	until_true all_told
}

@test "cp -r: every path is told" {
	material made
	watch
	cp -r made src/
	until_true all_told
}

@test "rsync: every path is told, and no temporary name" {
	need rsync
	material made
	watch --debounce 300ms
	rsync -a made src/
	until_true all_told
	no_doubles
	! tr '\0' '\n' <told | grep '/\.'
}

@test "git checkout of 3,000 changed files: every path is told" {
	need git
	(
		cd src && git init -q . && git config user.email a@b && git config user.name n
		mkdir -p {1..30} && seq 3000 | awk '{ f = ($1 % 30 + 1) "/" $1; print "one" > f; close(f) }'
		git add . && git commit -qm one && git checkout -qb two
		seq 3000 | awk '{ f = ($1 % 30 + 1) "/" $1; print "two " $1 > f; close(f) }'
		git commit -qam two
	)
	watch --ignore .git --type f
	git -C src checkout -q -
	all_three_thousand() { [ "$(tr '\0' '\n' <told | grep -c '^src/[0-9]*/[0-9]*$')" -ge 3000 ]; }
	until_true all_three_thousand
	[ "$(tr '\0' '\n' <told | sort -u | wc -l)" = 3000 ]
	# Not one run a file: a loaded machine may pause in the midst of a checkout.
	[ "$(wc -l <runs)" -le 30 ]
}

@test "make -j: every path is told" {
	need make
	printf 'all: $(addprefix src/o/,$(shell seq 60))\nsrc/o/%%:\n\t@mkdir -p src/o && echo x >$@.tmp && mv $@.tmp $@\n' >Makefile
	watch
	make -s -j4
	until_true all_told
}

# edit N EDITOR...: N saves, each in a session of its own on a terminal of its own, of what both the
# directory and the file are watched for.
edit() {
	local n=$1 i
	shift
	echo 0 >src/f
	: >runs
	"$evwatch" --ready-file "$dir/ready" -e "dir: file src --ignore '*.sw?' -- echo \"dir \$EVWATCH_EVENT \$*\" >>runs" \
		-e 'file: file src/f -- echo "file $EVWATCH_EVENT $*" >>runs' 2>err 3>&- &
	pid=$!
	until_true test -e "$dir/ready"
	for ((i = 1; i <= n; i++)); do
		TERM=xterm SAVE=$i timeout 20 script -qec "$*" /dev/null >/dev/null </dev/null 3>&-
		grep -q "$i" src/f
		ran() { [ "$(grep -c "^$1 .*src/f\b" runs)" -ge "$i" ]; }
		until_true ran dir
		until_true ran file
	done
	[ "$(grep -c '^file modify src/f$' runs)" = "$n" ]
	[ "$(grep -c '^dir modify src/f\b' runs)" = "$n" ]
	[ "$(wc -l <runs)" = $((2 * n)) ]
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
	watch
	timeout 100 npm install --prefix src --no-audit --no-fund yargs >npm.log 2>&1 ||
		skip "npm cannot install here: $(head -1 npm.log)"
	until_true all_told
	[ "$(wc -l <runs)" -le 30 ]
}
