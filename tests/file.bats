#!/usr/bin/env bats
# file: nothing is lost, nothing is told twice.
load helper

prepare() {
  mkdir -p d
}

@test "a new file is created, written and closed; a deleted one is deleted" {
  start file d
  echo x >d/a
  rm d/a
  until_ok 'grep -q "^delete d/a$" out'
  [ "$(sort out | tr '\n' ,)" = 'close_write d/a,create d/a,delete d/a,modify d/a,' ]
}

@test "what is created in a new directory before its watch stands is reported, once" {
  start file d
  for i in $(seq 30); do
    mkdir -p "d/n$i/e/w"
    echo y >"d/n$i/e/w/z"
  done
  until_ok '[ "$(grep -c "^create .*/z$" out)" = 30 ]'
  [ "$(grep '^create' out | sort | uniq -d | wc -l)" = 0 ]
  [ "$(grep -c '^create' out)" = 120 ]
}

@test "a move has both paths" {
  echo 1 >d/a
  start --json file d
  mv d/a d/b
  until_ok 'grep -q "\"event\":\"move\"" out'
  python3 -c 'import json; e=json.loads(open("out").readline()); assert e["path"]=="d/b" and e["old_path"]=="d/a" and e["subjects"]==["d/b"], e'
}

@test "moved out is delete, moved in is create" {
  echo 1 >d/a
  echo 2 >b
  start file d
  mv d/a elsewhere
  until_ok 'grep -q "^delete d/a$" out'
  mv b d/b
  until_ok 'grep -q "^create d/b$" out'
}

@test "a moved directory is watched at its new place" {
  mkdir -p d/a/b
  start file d
  mv d/a d/c
  echo 1 >d/c/b/f
  until_ok 'grep -q "^close_write d/c/b/f$" out'
  ! grep -q 'd/a/b' out
}

@test "one save runs the command once" {
  start file d -- 'echo "$EVWATCH_EVENT $*" >>runs'
  for i in 1 2 3; do
    echo "$i" >d/a
    until_ok "[ \"\$(lines_of runs)\" = $i ]"
  done
  [ "$(cat runs)" = $'create d/a\nmodify d/a\nmodify d/a' ]
}

@test "a save by rename is one modify, watching the directory or the file" {
  echo 1 >d/a
  start -e 'dir: file d --debounce 100ms -- echo "$EVWATCH_EVENT $*" >>dir' -e 'file: file d/a -- echo "$EVWATCH_EVENT $*" >>file'
  missed 'echo 2 >d/tmp; mv d/tmp d/a'
  until_ok '[ "$(lines_of dir)" -ge 1 ] && [ "$(lines_of file)" -ge 1 ]'
  [ "$(cat dir)" = 'modify d/a' ]
  [ "$(cat file)" = 'modify d/a' ]
}

@test "a save as vim makes it is one modify, watching the directory or the file" {
  echo 1 >d/a
  start -e 'dir: file d --debounce 100ms -- echo "$EVWATCH_EVENT $*" >>dir' -e 'file: file d/a --debounce 100ms -- echo "$EVWATCH_EVENT $*" >>file'
  missed 'mv d/a d/a~; echo 2 >d/a; chmod 644 d/a; rm d/a~'
  until_ok '[ "$(lines_of dir)" -ge 1 ] && [ "$(lines_of file)" -ge 1 ]'
  [ "$(cat dir)" = 'modify d/a' ]
  [ "$(cat file)" = 'modify d/a' ]
}

@test "the last change while the command runs is not lost" {
  start file d -- 'cat d/a >>seen; touch running; until [ -e go ]; do sleep 0.01; done'
  echo 1 >d/a
  until_ok '[ -e running ]'
  echo 2 >d/a
  echo 3 >d/a
  touch go
  until_ok '[ "$(tail -1 seen)" = 3 ]'
}

@test "changes during a run make one run with all paths" {
  start file d -- 'echo "$*" >>runs; touch running; until [ -e go ]; do sleep 0.01; done'
  echo 1 >d/a
  until_ok '[ -e running ]'
  for i in 1 2 3 4; do echo "$i" >"d/f$i"; done
  touch go
  until_ok '[ "$(lines_of runs)" = 2 ]'
  [ "$(tail -1 runs)" = 'd/f1 d/f2 d/f3 d/f4' ]
}

@test "created and deleted before a run is nothing" {
  start file d --debounce 200ms -- 'echo "$*" >>runs'
  missed 'echo 1 >d/gone; rm d/gone; echo 1 >d/stays'
  until_ok '[ "$(lines_of runs)" -ge 1 ]'
  [ "$(cat runs)" = d/stays ]
}

@test "a path that does not exist yet is watched all the same, and a warning says so" {
  mkdir there
  start file there later/deep/f
  [ "$(<err)" = 'evwatch: file1: later/deep/f does not exist: waiting for it' ]
  mkdir -p later/deep
  echo x >later/deep/f
  until_ok 'grep -q "later/deep/f$" out'
}

@test "a root that is removed and made again goes on being watched" {
  start file d
  rm -r d
  until_ok 'grep -q "^delete d$" out'
  mkdir d
  until_ok 'grep -q "^create d$" out'
  echo x >d/new
  until_ok 'grep -q "^close_write d/new$" out'
}

@test "--match and --ignore" {
  mkdir -p d/node_modules d/src
  start file d --match '*.c' --match 'src/**/x.h' --ignore node_modules
  echo 1 >d/node_modules/a.c
  echo 1 >d/b.h
  mkdir d/src/sub
  echo 1 >d/src/sub/x.h
  echo 1 >d/src/a.c
  until_ok 'grep -q "^close_write d/src/a.c$" out'
  until_ok 'grep -q "^create d/src/sub/x.h$" out'
  ! grep -q 'node_modules\|b\.h' out
}

@test "--events, --type, --depth, --no-recursive" {
  mkdir -p d/sub/deep
  start -e 'e: file d --events delete --format "e %s"' -e 't: file d --type d --format "t %s"' \
    -e 'p: file d --depth 2 --events create --format "p %s"' -e 'n: file d --no-recursive --events create --format "n %s"'
  echo 1 >d/sub/deep/f
  mkdir d/sub/dir
  echo 1 >d/f
  rm d/f
  until_ok 'grep -q "^e d/f$" out'
  until_ok 'grep -q "^t d/sub/dir$" out'
  until_ok 'grep -q "^p d/sub/dir$" out'
  until_ok 'grep -q "^n d/f$" out'
  ! grep -q '^t d/f$\|^p d/sub/deep/f\|^n d/sub' out
}

@test "--existing reports what is there" {
  mkdir d/sub
  echo 1 >d/sub/f
  run_ev -c 2 file d --existing --events create
  [ "$(sort <<<"$output")" = $'create d/sub\ncreate d/sub/f' ]
}

@test "--paths-from takes paths from a list" {
  echo 1 >a
  echo 1 >b
  printf 'a\0b\0' >list
  start file --paths-from list -0 --format '%e %s'
  echo 2 >b
  until_ok 'tr "\0" "\n" <out | grep -q "^close_write b$"'
}

@test "hostile names are reported whole and never executed" {
  start --json file d --events create
  local n=0
  for name in $'new\nline' 'quo"te' '$(touch pwned)' '-rf' $'\xff\xfe' 'a;touch pwned' "$(printf 'x%.0s' $(seq 255))"; do
    : >"d/$name"
    n=$((n + 1))
  done
  until_ok "[ \"\$(lines_of out)\" = $n ]"
  python3 - <<'P'
import json, base64, os
names = {base64.b64decode(e["path_base64"]) if "path_base64" in e else e["path"].encode() for e in map(json.loads, open("out"))}
assert names == {b"d/" + n for n in os.listdir(b"d")}, names
P
  [ ! -e pwned ]
}

@test "a hostile name reaches the command as one argument" {
  start file d -- 'printf "%s|" "$@" >>args'
  : >'d/$(touch pwned) a'
  until_ok '[ -s args ]'
  [ "$(cat args)" = 'd/$(touch pwned) a|' ]
  [ ! -e pwned ]
}

@test "2,000 files written at once are all reported" {
  start file d --events create
  for i in $(seq 2000); do : >"d/$i"; done
  until_ok '[ "$(lines_of out)" = 2000 ]'
  [ "$(sort -u out | wc -l)" = 2000 ]
}
