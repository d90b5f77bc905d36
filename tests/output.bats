#!/usr/bin/env bats
# What becomes of the output of commands: whole, in order, and in bounded memory.
load helper

# emit NUMBER: some thousand lines that tell where they belong.
prepare() {
  cat >emit <<'END'
#!/bin/sh
awk -v i="$1" 'BEGIN { n = 100 + i * 37 % 4000; for (k = 0; k < n; k++) print i, k; print i, "end" }'
echo "$1 to stderr" >&2
echo "$1" >>done
END
  chmod +x emit
}

# check_groups FILE COUNT: every group whole, in the order of its lines, none mixed.
check_groups() {
  awk -v count="$2" '
    !open { i = $1; k = 0; open = 1 }
    $1 != i { print "line of " $1 " within " i; exit bad = 1 }
    $2 == "end" { if (k != 100 + i * 37 % 4000) { print i " ends after " k; exit bad = 1 }; groups++; open = 0; next }
    $2 != k++ { print i ": " $2 " instead of " k - 1; exit bad = 1 }
    END { if (bad || open || groups != count) { print groups " groups"; exit 1 } }' "$1"
}

@test "groups of eight jobs at once are whole, in order and never mixed" {
  seq 400 | timeout 100 "$EV" lines - -j 8 --output group -- ./emit '{}' >got 2>err
  check_groups got 400
  [ "$(sort -n err | uniq | grep -c 'to stderr')" = 400 ]
}

@test "while nobody reads, grouped output waits in bounded memory, and all of it comes" {
  mkfifo pipe
  exec 5<>pipe
  seq 600 >numbers
  "$EV" --no-guard --ready-file ready lines - -j 4 --output group -- ./emit '{}' <numbers >pipe 2>err 5>&- &
  P=$!
  STARTED+=("$P")
  until_ok '[ "$(lines_of done)" = 600 ]'
  # The address sanitizer keeps what was freed.
  most=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$P/status")
  [ "$most" -lt 8000 ] || grep -q __asan_init "$EV"
  cat <pipe >got 3>&- 5>&- &
  reader=$!
  exec 5>&-
  ended
  wait "$reader"
  check_groups got 600
}

@test "the last line keeps its missing line break" {
  run_ev --within 60s -c 1 every 0.01s --output group -- 'printf "a\nb"'
  [ "$output" = "a
b" ]
  printf 'a\nb' >wanted
  "$EV" -c 1 every 0.01s --output group -- 'printf "a\nb"' >got
  cmp got wanted
}

@test "--tag never breaks a line, and what has no line break gets one" {
  seq 200000 >numbers
  "$EV" -1 -e 't: after 1ms --tag -- cat numbers; printf end' >got
  sed 's/^/t: /' numbers >wanted
  echo 't: end' >>wanted
  cmp got wanted
}

@test "tagged groups are whole, with the tag before each line" {
  seq 40 >numbers
  "$EV" -e 't: lines numbers -j 8 --output group --tag -- ./emit "$1"' >got 2>err
  [ "$(grep -vc '^t: ' got)" = 0 ]
  sed 's/^t: //' got >groups
  check_groups groups 40
  [ "$(grep -c '^t: .*to stderr$' err)" = 40 ]
}

@test "what a command leaves behind writes on, line by line, after its group" {
  mkfifo go on
  start every 1h --initial --output group -- 'echo first; (read -r x <go; echo late; read -r x <on; printf end) & echo second'
  until_ok '[ "$(cat out)" = "first
second" ]'
  echo >go
  until_ok '[ "$(tail -1 out)" = late ]'
  echo >on
  until_ok '[ "$(tail -c 8 out)" = "late
end" ]'
}

@test "a command that writes without end waits for a stopped reader, with --tag" {
  mkfifo pipe
  exec 5<>pipe
  "$EV" --no-guard --ready-file ready -e 'y: after 1ms --tag -- yes' -e 't: every 20ms -- echo tick >>ticks' >pipe 5>&- &
  P=$!
  STARTED+=("$P")
  until_ok '[ "$(lines_of ticks)" -ge 20 ]'
  yes=$(pgrep -P "$P" -x yes)
  until_ok 'a=$(cat "/proc/$yes/io"); sleep 0.1; [ "$a" = "$(cat "/proc/$yes/io")" ]'
  before=$(lines_of ticks)
  until_ok '[ "$(lines_of ticks)" -gt $((before + 5)) ]'
  exec 5>&-
}

@test "a command whose output is a connection has its errors where --output and --tag say" {
  start -e 'c: listen 0 --output log --tag -- echo to the peer; echo to the log >&2'
  [ "$(tcp "$(port c)" </dev/null)" = "to the peer" ]
  until_ok '[ "$(cat log)" = "c: to the log" ]'
}

@test "colours are for terminals, one stream at a time" {
  run script -qec "'$EV' -q -1 -e 't: after 1ms --tag -- echo out; echo err >&2' 2>err" /dev/null
  [[ $output = *$'\e['*"t:"*$'\e[0m out'* ]]
  [ "$(cat err)" = "t: err" ]
  NO_COLOR=1 run script -qec "'$EV' -q -1 -e 't: after 1ms --tag -- echo out'" /dev/null
  [ "$output" = $'t: out\r' ]
}

@test "events that are printed in one turn leave in one write" {
  seq 20000 >numbers
  # The leak checker does not work below strace.
  ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=write -e signal=none -o trace "$EV" lines numbers >got
  sed 's/^/line /' numbers | cmp - got
  [ "$(grep -c 'write(1,' trace)" -lt 40 ]
}

@test "a line of any length stays whole, with --tag and in groups, and a line without an end gets one" {
  local how
  for how in "" "--output group"; do
    # shellcheck disable=SC2086
    "$EV" -1 -e "j: after 0 --tag $how -- echo short; head -c 300000 /dev/zero | tr '\0' x; echo; head -c 200000 /dev/zero | tr '\0' y" >got
    [ "$(awk '{ print length }' got | tr '\n' ' ')" = "8 300003 200003 " ]
    [ "$(grep -vc '^j: ' got)" = 0 ]
  done
}

@test "a full disk is tried again, and that it is over is said: no line is lost" {
  unshare -m true 2>/dev/null || skip "no mount namespace to be had here"
  # shellcheck disable=SC2016
  unshare -m bash -euc "$(declare -f until_ok)"'
    mkdir disk
    mount -t tmpfs -o size=64k none disk
    head -c 60000 /dev/zero >disk/fill
    "$0" --output disk/log --tag -c 20 -e "e: every 10ms -- head -c 2000 /dev/zero | tr \"\\0\" x; echo" 2>err &
    "$0" -c 9000 every 100us --format "%n is a number" >disk/out 2>err2 &
    until_ok "grep -q \"e: cannot write to disk/log: No space left on device: trying again every second\" err"
    until_ok "grep -q \"cannot write to standard output: No space left on device: trying again every second\" err2"
    mount -o remount,size=1m disk
    wait
    grep -q "e: disk/log can be written again" err
    grep -q "standard output can be written again" err2
    [ "$(grep -c "^e: x*$" disk/log)" = 20 ]
    seq 9000 | sed "s/$/ is a number/" | cmp - disk/out' "$EV"
}

@test "what a full disk never took is said at the end, with status 1" {
  unshare -m true 2>/dev/null || skip "no mount namespace to be had here"
  # shellcheck disable=SC2016
  run unshare -m bash -euc '
    mkdir disk
    mount -t tmpfs -o size=16k none disk
    s=0
    "$0" -c 5000 every 100us --format "%n is a number" >disk/out || s=$?
    [ "$s" = 1 ]' "$EV"
  [ "$status" = 0 ]
  grep -q 'cannot write to standard output: No space left on device: the end of it is lost' <<<"$output"
}

@test "what cannot be written as the last rule ends is status 1, too" {
  run bash -c '"$0" after 0 >/dev/full' "$EV"
  [ "$status" = 1 ]
  grep -q 'cannot write to standard output: No space left on device' <<<"$output"
}

@test "--spool: a group that would hold more on disk is handed on in pieces, and that is said" {
  run_ev --spool 1M -1 -e 'g: after 0 --output group -- seq 400000'
  [ "$(head -1 <<<"$output")" = 1 ] || [[ $output == evwatch:* ]]
  grep -q 'g: the output of a command is handed on in pieces: more than --spool allows waits on disk' <<<"$output"
  grep -v '^evwatch' <<<"$output" | cmp - <(seq 400000)
}

@test "--spool: while nobody reads, no more than that waits on disk, and all of it comes" {
  mkfifo pipe
  exec 5<>pipe
  "$EV" --no-guard --spool 300k --ready-file ready -c 3 -e 'g: every 10ms --on-busy parallel -j 3 --output group -- seq 300000; echo >>done' >pipe 2>err 5>&- &
  P=$!
  STARTED+=("$P")
  until_ok '[ "$(on_disk)" -gt 250 ] && a=$(on_disk) && sleep .2 && [ "$a" = "$(on_disk)" ]'
  [ ! -e done ]
  [ "$(on_disk)" -lt 1000 ]
  exec 6<pipe 5>&-
  cat <&6 >got 3>&-
  ended
  [ "$(sort -n got | uniq -c | grep -c '^ *3 ')" = 300000 ]
}

# on_disk: kB of the unlinked files that P holds.
on_disk() {
  local f sum=0
  for f in /proc/"$P"/fd/*; do
    case $(readlink "$f") in *'(deleted)') sum=$((sum + $(stat -Lc %b "$f") / 2)) ;; esac
  done
  echo $sum
}
