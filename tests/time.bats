#!/usr/bin/env bats
# every, after, at: ticks of a clock.
load helper

@test "every does not drift: ticks are due at start plus k periods" {
  run_ev -c 20 --json every 25ms
  python3 - "$output" <<'P'
import json, sys
due = [json.loads(l)["scheduled"] for l in sys.argv[1].splitlines()]
assert len(due) == 20
for k, t in enumerate(due):
    missed = sum(1 for _ in range(0))
    steps = (t - due[0]) / 0.025
    assert abs(steps - round(steps)) < 0.01 and round(steps) >= k, (k, t)
P
}

@test "after fires once and ends" {
  run_ev after 10ms
  [ "$status" = 0 ]
  [ "$output" = tick ]
}

@test "at takes now+DUR, a time of the day and a date" {
  run_ev at now+10ms
  [ "$output" = tick ]
  run_ev -n at 23:59:59
  [ "$status" = 0 ]
  run_ev -n at '2099-12-31 23:59'
  [ "$status" = 0 ]
  run_ev -n at 2001-01-01T00:00
  [ "$status" = 2 ]
  grep -q 'has passed' <<<"$output"
  run_ev -n at noon
  [ "$status" = 2 ]
}

@test "a period of nothing, and words that are no durations, are usage errors" {
  for w in 0 1x -1s '' 1s1m 99999999999w; do
    run_ev -n every "$w"
    [ "$status" = 2 ]
  done
}

@test "a tick while the command runs is skipped" {
  start every 20ms -- 'echo run >>runs; until [ -e go ]; do sleep 0.01; done'
  until_ok '[ "$(lines_of runs)" = 1 ]'
  sleep 0.1
  [ "$(lines_of runs)" = 1 ]
}
