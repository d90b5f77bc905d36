#!/usr/bin/env bats
# exit: the end of processes.
load helper

# process_until FILE: a process that ends once the file is there; its pid is PID.
process_until() {
  sh -c 'until [ -e "$0" ]; do sleep 0.01; done' "$1" 3>&- &
  PID=$!
}

@test "the end of a process is an event, and ends the rule" {
  process_until go
  start exit "$PID" -- 'echo "gone $1"'
  touch go
  wait "$P"
  [ "$(cat out)" = "gone $PID" ]
}

@test "several processes, in the order of their ends" {
  process_until slow
  local slow=$PID
  process_until fast
  start exit "$slow" "$PID"
  touch fast
  until_ok '[ -s out ]'
  touch slow
  wait "$P"
  [ "$(cat out)" = $'exit '"$PID"$'\nexit '"$slow" ]
}

@test "a process that is gone already is an event at once" {
  true &
  local pid=$!
  wait "$pid"
  run_ev exit "$pid"
  [ "$output" = "exit $pid" ]
}

@test "what is no process id is a usage error" {
  run_ev exit abc
  [ "$status" = 2 ]
}
