#!/usr/bin/env bats
# file: one run per save, none missed, however the save is made and whatever is watched.
load helper

prepare() {
  OPTIONS=
  mkdir src
  echo 0 >src/f
  : >runs
}

save_in_place() { echo "$1" >src/f; }

# As many editors and most programs do.
save_by_rename() {
  echo "$1" >src/.f.new
  mv -f src/.f.new src/f
}

# As vim does: a backup by rename, the file anew, its mode, the backup gone.
save_like_vim() {
  mv src/f "src/f$2"
  echo "$1" >src/f
  chmod 600 src/f
  rm "src/f$2"
}

not_of() { awk -v slow="$1" '!index(slow, " " $NF " ")'; }

# saves PATH N SAVE [ARG]: N saves, and after each exactly one run, which saw it. The pause is not
# waited for anything: a second run would have to come in it. A save that this machine was busy
# beside (it takes 1 to 8 ms) is in truth two, and may be told so; one at least has to be quick.
saves() {
  local path=$1 n=$2 save=$3 i began slow=' '
  shift 3
  # What it saw, and which save that was: in the midst of one there may be nothing to see.
  start file "$path" ${OPTIONS:+"$OPTIONS"} -- 'echo "$EVWATCH_EVENT $* $(cat src/f) $(cat save)" >>runs'
  for ((i = 1; i <= n; i++)); do
    echo "$i" >save
    began=${EPOCHREALTIME/./}
    "$save" "$i" "$@"
    [ $((${EPOCHREALTIME/./} - began)) -lt 10000 ] || slow+="$i "
    until_ok "grep -q ' $i $i\$' runs"
    sleep "0.0$((35 + i * 7 % 18))"
  done
  [ "$(wc -w <<<"$slow")" -lt "$n" ] || skip "no save took less than 10 ms beside what else runs here"
  diff <(seq "$n" | sed 's/.*/modify src\/f & &/' | not_of "$slow") <(not_of "$slow" <runs)
}

@test "a save in place is one run, watching the directory" {
  saves src 10 save_in_place
}

@test "a save in place is one run, watching the file" {
  saves src/f 10 save_in_place
}

@test "a save by rename is one run, watching the directory" {
  saves src 10 save_by_rename
}

@test "a save by rename is one run, watching the file" {
  saves src/f 10 save_by_rename
}

@test "a save as vim makes it is one run, watching the directory" {
  saves src 10 save_like_vim '~'
}

@test "a save as vim makes it is one run, watching the file" {
  saves src/f 10 save_like_vim '~'
}

# With the privilege, and what the kernel and the file system need.
fanotify() {
  OPTIONS=--fanotify
  "$EV" -w 10ms file src --fanotify 2>why || skip "$(head -1 why)"
}

@test "with --fanotify a save by rename is one run, too" {
  fanotify
  saves src 10 save_by_rename
}

@test "with --fanotify a save as vim makes it is one run, too" {
  fanotify
  saves src 10 save_like_vim '~'
}

@test "the backup of a save may be called as it likes" {
  saves src 10 save_like_vim -kept
}

# As JetBrains' editors do.
save_by_exchange() {
  echo "$1" >src/f___jb_tmp___
  sleep 0.005
  mv src/f src/f___jb_old___
  mv src/f___jb_tmp___ src/f
  rm src/f___jb_old___
}

# As Qt's QSaveFile does, and sed: by a name that mkstemp(3) makes.
save_by_random_name() {
  echo "$1" >"src/$2"
  sleep 0.008
  mv -f "src/$2" src/f
}

@test "what editors make on the way to a save is no run of its own" {
  for how in save_by_exchange "save_by_random_name f.qKxWzb" "save_by_random_name sedXy0aZk"; do
    echo 0 >src/f
    : >runs
    saves src 5 $how
    stop || true
  done
}

@test "a first save after a long rest is one run, too" {
  for save in save_by_rename save_like_vim; do
    echo 0 >src/f
    : >runs
    saves src 1 "$save" '~'
    stop || true
  done
}
