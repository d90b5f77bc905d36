#!/usr/bin/env bats
# file --gitignore: what git says, evwatch says.
load helper

# Every path, by what evwatch says with --existing --gitignore, and by what git says.
agree() {
	"$EV" -w 300ms file . --gitignore --existing --events create --format '%s\n' |
		sed 's|^\./||' | sort >"$dir/ours"
	git ls-files -co --exclude-standard | sort >"$dir/files"
	find . -mindepth 1 -name .git -prune -o -type d -printf '%P\n' | while read -r d; do
		git check-ignore -q "$d" || echo "$d"
	done >"$dir/dirs"
	sort "$dir/files" "$dir/dirs" | diff "$dir/ours" -
}

@test "--gitignore ignores what git check-ignore says, and nothing else" {
	command -v git >/dev/null || skip "no git"
	export HOME=$dir/home XDG_CONFIG_HOME=
	mkdir -p home/.config/git work && cd work
	echo '*.global' >../home/.config/git/ignore
	git init -q .
	echo '*.excluded' >.git/info/exclude
	printf '%s\n' '# comment' '*.o' '!keep.o' '/top' 'build/' 'doc/*.txt' 'a/**/z' '**/deep' \
		'foo/**' '\#hash' '\!bang' 'sp\ ' 'tr   ' 'q?x' '[a-c]set' '[!a-c]not' \
		'[[:digit:]]num' 'in/side/' '*~' 'x**y' 'esc\*' >.gitignore
	mkdir -p build/sub doc/sub a/b/c foo/bar in/side sub/build sub/doc n/top keep
	printf '!*.o\n/local\nbuild\n' >sub/.gitignore
	for f in a.o keep.o sub/b.o sub/keep.o top n/top/f build/f build/sub/f sub/build/g \
		doc/a.txt doc/sub/b.txt doc/c.md sub/doc/d.txt a/z a/b/z a/b/c/z a/b/y deep n/deep \
		foo/f foo/bar/g '#hash' '!bang' 'sp ' tr qax qx aset dset anot dnot 1num xnum \
		in/side/f in/f keep~ xaby xy 'esc*' escx local sub/local sub/x.global x.excluded; do
		: >"$f"
	done
	agree
}

# A repository in $1, and a home without anybody's configuration.
repository() {
	command -v git >/dev/null || skip "no git"
	export HOME=$dir/home XDG_CONFIG_HOME= GIT_CONFIG_NOSYSTEM=1
	mkdir -p "$HOME" "$1"
	git init -q "$1"
}

@test "in random trees with random rules --gitignore agrees with git check-ignore" {
  once_for_all_backends
	command -v git >/dev/null || skip "no git"
	command -v python3 >/dev/null || skip "no python3"
	python3 "$BATS_TEST_DIRNAME/gitignore.py" "$EV" $RANDOM 40
}

@test "--gitignore reads core.excludesFile wherever git finds it" {
	repository work
	mkdir -p xdg/git
	printf '[core]\n excludesFile = %s/from-xdg\n' "$dir" >xdg/git/config
	printf '[include]\n\tpath = more.conf\n' >home/.gitconfig
	printf '# said twice: the last counts\n[core]\nexcludesfile=none\n[CORE] EXCLUDESFILE = "~/my \\"rules\\"" ; so\n' >home/more.conf
	echo '*.mine' >'home/my "rules"'
	echo '*.xdg' >from-xdg
	export XDG_CONFIG_HOME=$dir/xdg
	cd work
	: >a.mine && : >a.xdg && : >a.local
	agree
	lacks() { ! grep -q "$1" "$dir/ours"; }
	lacks a.mine
	rm "$HOME/.gitconfig"
	agree
	lacks a.xdg
	echo '*.local' >rules
	git config core.excludesFile rules
	agree
	lacks a.local
}

@test "--gitignore follows conditional includes of git's configuration" {
  once_for_all_backends
	repository work
	echo '*.mine' >rules
	printf '[core]\n\texcludesFile = %s/rules\n' "$dir" >inc
	cd work
	git checkout -q -b topic/one
	: >a.mine
	for condition in "gitdir:$dir/work/" 'gitdir:work/' 'gitdir:work/.git' "gitdir/i:$(tr '[:lower:]' '[:upper:]' <<<"$dir")/WORK/" \
		'gitdir:~/../work/**' 'gitdir:elsewhere/' "gitdir:$dir/WORK/" 'onbranch:topic/' 'onbranch:topic/one' 'onbranch:t*' 'onbranch:main' 'hasnothing:x'; do
		printf '[includeIf "%s"]\n\tpath = %s/inc\n' "$condition" "$dir" >"$HOME/.gitconfig"
		agree || { echo "with $condition"; return 1; }
	done
	rm "$HOME/.gitconfig"
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.excludesFile GIT_CONFIG_VALUE_0=$dir/rules
	agree
	! grep a.mine "$dir/ours" || false
}

@test "rules and configurations of strangers cost no more than a moment" {
	repository work
	# It includes itself five times over, ten deep: ten million files, if nobody counted.
	for i in 1 2 3 4 5; do printf '[include]\n\tpath = config\n'; done >>work/.git/config
	mkfifo work/.ignore
	truncate -s 3G work/.gitignore
	mkdir work/links
	echo secret >outside
	ln -s "$dir/outside" work/links/.gitignore
	ln -s "$dir/outside" work/links/.ignore
	start file work --gitignore
	: >work/f
	until_ok 'has_line "create work/f"'
	: >work/links/secret
	until_ok 'has_line "create work/links/secret"'
	logged "cannot read the rules of .*work/.gitignore: File too large"
	logged "cannot read the rules of .*work/.ignore: Invalid argument"
	logged "cannot read the rules of .*work/links/.gitignore: Too many levels of symbolic links"
	logged "cannot read the rules of .*work/links/.ignore: Too many levels of symbolic links"
}

@test "200,000 patterns of git's rules do not hold up other rules" {
	repository work
	seq -f 'name%.0f' 100000 >work/.gitignore
	seq -f '*.ending%.0f' 100000 >>work/.gitignore
	mkdir work/many
	(cd work/many && seq -f 'f%.0f' 3000 | xargs touch)
	: >work/name5 && : >work/x.ending9
	"$EV" -w 10s -c 1 file work --gitignore --existing --match 'f3000' --match 'name5' --match '*.ending9' >out
	[ "$(cat out)" = "create work/many/f3000" ]
}

@test "--gitignore knows linked work trees, and repositories within the tree" {
	repository work
	cd work
	git -c user.email=a@b -c user.name=n commit -qm one --allow-empty
	echo '*.excluded' >.git/info/exclude
	git worktree add -q ../linked
	cd ../linked
	: >a.excluded && : >a.c
	agree
	cd "$dir"
	git init -q work/inner
	echo '*.c' >work/.gitignore
	echo '*.o' >work/inner/.git/info/exclude
	: >work/inner/a.c && : >work/inner/a.o && : >work/b.c && : >work/b.o
	start file work --gitignore --existing --type f
	until_ok 'has_line "create work/inner/a.c"'
	[ "$(sort out | tr '\n' ,)" = "create work/.gitignore,create work/b.o,create work/inner/a.c," ]
}

@test "rules that change count from then on, in the tree and above it" {
	repository work
	mkdir -p work/src/build/sub work/src/out
	echo build >work/.gitignore
	echo out >work/src/.gitignore
	: >work/src/build/sub/old
	start file work/src --gitignore
	: >work/src/build/sub/no
	: >work/src/out/no
	echo log >work/src/.gitignore
	until_ok 'has_line "create work/src/out/no"'
	: >work/src/out/f
	until_ok 'has_line "create work/src/out/f"'
	! grep src/build/sub out || false
	: >work/.gitignore
	until_ok 'has_line "create work/src/build/sub/old"'
	: >work/src/build/sub/new
	until_ok 'has_line "create work/src/build/sub/new"'
	: >work/src/log
	: >work/src/last
	until_ok 'has_line "create work/src/last"'
	! grep src/log out || false
}

@test "rules that cannot be read are told of" {
	repository work
	mkdir work/.gitignore
	start file work --gitignore
	: >work/f
	until_ok 'has_line "create work/f"'
	logged "cannot read the rules of .*work/.gitignore: Is a directory"
}
