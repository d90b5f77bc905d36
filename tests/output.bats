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
