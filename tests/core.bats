#!/usr/bin/env bats
# The promises of the README's first screen.
load helper

@test "a line runs a command" {
  run bash -c "printf 'x\n' | '$EV' lines - -- 'echo \"got \$1\"'"
  [ "$status" = 0 ]
  [ "$output" = "got x" ]
}

@test "a saved file runs a command once, and its status is evwatch's" {
  echo 1 >notes.txt
  start -1 file notes.txt -- 'echo "$1" >seen; exit 7'
  echo 2 >notes.txt
  ended
  [ "$STATUS" = 7 ]
  [ "$(cat seen)" = notes.txt ]
}

@test "a timer runs a command three times" {
  run_ev -c 3 every 20ms -- echo tick
  [ "$status" = 0 ]
  [ "$output" = $'tick\ntick\ntick' ]
}

@test "a signal runs a command" {
  start signal HUP -- 'echo reload'
  kill -HUP "$P"
  until_ok 'grep -q reload out'
}

@test "a connection runs a command, and a relay carries it" {
  start -e 'echo: listen 0 -- cat'
  local target
  target=$(port echo)
  start -e "in: relay 0 127.0.0.1:$target"
  head -c 1000000 /dev/urandom >sent
  tcp "$(port in)" <sent >received
  cmp sent received
}

@test "all kinds work in one rules file" {
  mkdir d
  mkfifo fifo
  cat >site.rules <<'R'
# everything at once
set --tag
saved: file d -- echo saved "$1"
tick:  every 30ms -- echo tick
sig:   signal USR1 -- echo signal
echo:  listen 0 -- cat
log:   lines fifo
           -- echo "line $1"
R
  start -f site.rules
  echo x >d/a
  echo hello >fifo
  kill -USR1 "$P"
  until_ok 'grep -q "^saved: saved d/a$" out'
  until_ok 'grep -q "^tick: tick$" out'
  until_ok 'grep -q "^sig: signal$" out'
  until_ok 'grep -q "^log: line hello$" out'
  [ "$(echo hi | tcp "$(port echo)")" = hi ]
  stop
  [ "$STATUS" = 143 ]
}

@test "a thousand rules in one file are armed and work" {
  for i in $(seq 1000); do echo "r$i: signal USR1 -- echo $i >>seen"; done >many.rules
  start -f many.rules
  kill -USR1 "$P"
  until_ok '[ "$(lines_of seen)" = 1000 ]'
  [ "$(sort -un seen | wc -l)" = 1000 ]
}

@test "500 lines run 500 commands in order" {
  seq 500 >n
  run_ev lines n -- 'echo "$1"'
  [ "$output" = "$(seq 500)" ]
}

@test "TERM leaves no process and no socket file, and the shell sees 143" {
  local n
  n=$(unique)
  start -e "a: listen unix:s -- sleep $n" -e "b: every 10ms -- sleep $n"
  echo | nc -U s &
  until_ok "[ \$(count_processes '^sleep $n') = 2 ]"
  stop
  [ "$STATUS" = 143 ]
  [ ! -e s ]
  [ "$(count_processes "^sleep $n")" = 0 ]
}

@test "idle, nothing wakes it" {
  mkdir d
  : >log
  start -e 'file d -- true' -e 'signal USR1 -- true' -e 'listen 0 -- cat' -e 'after 1h -- true' \
    -e 'lines log --follow -- true' -e 'relay 0 127.0.0.1:1'
  local loop
  loop=$(loop_pid)
  timeout 2 strace -f -qq -o "$BATS_TEST_TMPDIR.trace" -p "$loop" -p "$P" || true
  # One wait that goes on in each of the two, which attaching and detaching interrupt.
  [ "$(grep -c . "$BATS_TEST_TMPDIR.trace")" -le 6 ]
  ! grep -q 'read(\|recv' "$BATS_TEST_TMPDIR.trace"
}
