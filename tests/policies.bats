#!/usr/bin/env bats
# Each busy policy with each kind and each sort of command: slow, fast, failing, stubborn, forking,
# daemonising. What must be true of counts, order and statuses is in policies.py.
load helper

table() {
  run timeout 500 python3 "$BATS_TEST_DIRNAME/policies.py" "$EV" "$1"
  echo "$output"
  [ "$status" = 0 ]
  [ "$(grep -c '^ok' <<<"$output")" = 42 ]
}

@test "queue: every event has its run, one after the other" { table queue; }

@test "skip: what comes while it runs is dropped and counted" { table skip; }

@test "restart: what runs is stopped, the newest runs to its end" { table restart; }

@test "signal: what runs hears of every event" { table signal; }

@test "parallel: every event runs at once" { table parallel; }
