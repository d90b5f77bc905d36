#!/usr/bin/env bats
# lines --catch-up: where the lines of the time before ended, whatever happened meanwhile.
load helper

catch_up() {
  start lines log --follow --catch-up state "$@" -- 'echo "$1" >>seen'
}

# seen_are LINE...: these lines were run, in this order, and no other.
seen_are() {
  until_ok "[ \"\$(lines_of seen)\" -ge $# ]"
  [ "$(<seen)" = "$(printf '%s\n' "$@")" ]
}

@test "--catch-up goes on where it was, rotations included" {
  echo old >log
  catch_up
  echo one >>log
  seen_are one
  stop
  echo two >>log
  catch_up
  seen_are one two
  stop
  echo three >>log
  mv log log.1
  echo four >log
  sleep 0.02 # birth times are coarse
  mv log.1 log.2
  mv log log.1
  echo five >log
  catch_up
  seen_are one two three four five
}

@test "--catch-up passes over copies and compressed files, and files of another name" {
  printf '1\n2\n' >log
  catch_up --from start
  seen_are 1 2
  stop
  cp log log.bak
  mv log log.1
  sleep 0.02
  echo x >other
  echo y >log.2.gz
  sleep 0.02
  echo 3 >log
  catch_up
  seen_are 1 2 3
}

@test "what was read last may be gone: that is said, and the new file is read from its start" {
  printf '1\n' >log
  catch_up --from start
  seen_are 1
  stop
  echo 2 >log.new
  mv log.new log
  catch_up
  seen_are 1 2
  grep -q 'what was read last of log is gone: lines may be missing' err
}

@test "a line whose command evwatch stopped comes again; one whose command failed does not" {
  : >log
  start lines log --follow --catch-up state -- 'echo "$1" >>seen; [ $1 != 1 ] || exit 3; exec sleep 1000'
  printf '1\n2\n' >>log
  seen_are 1 2
  stop
  catch_up
  seen_are 1 2 2
}

@test "two at work with the same record are refused, and so is a record that cannot be read" {
  : >log
  catch_up
  run_ev lines log --follow --catch-up state
  [ "$status" = 1 ]
  [[ $output == *"another evwatch keeps"* ]]
  stop
  printf 'nonsense' >state/lines1.lines
  run_ev lines log --follow --catch-up state
  [ "$status" = 1 ]
  [[ $output == *"state/lines1.lines does not hold how far files were read"* ]]
  run_ev lines log --catch-up state
  [ "$status" = 2 ]
}

@test "a lock that a command of a killed evwatch holds for a moment is waited for" {
  : >log
  mkdir state
  flock state/lines1.lock sh -c 'touch held; sleep 0.1' &
  until_ok '[ -e held ]'
  catch_up
  echo one >>log
  seen_are one
}

@test "kill -9 of guardian and loop under rotation loses no line" {
  timeout 200 python3 "$ROOT/tests/catch_up.py" "$EV" 6 1 1
  rm -rf log* seen state
  timeout 200 python3 "$ROOT/tests/catch_up.py" "$EV" 6 3 2
}
