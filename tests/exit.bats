#!/usr/bin/env bats
# exit: the end of processes.
load helper

@test "the end of a process is an event, and ends the rule" {
  sleep 0.2 3>&- &
  local pid=$!
  run_ev exit "$pid" -- 'echo "gone $1"'
  [ "$status" = 0 ]
  [ "$output" = "gone $pid" ]
}

@test "several processes, in the order of their ends" {
  sleep 0.5 3>&- &
  local slow=$!
  sleep 0.1 3>&- &
  local fast=$!
  run_ev exit "$slow" "$fast"
  [ "$output" = $'exit '"$fast"$'\nexit '"$slow" ]
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
