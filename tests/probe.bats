#!/usr/bin/env bats
# probe: changes of a service's health.
load helper

@test "waits for a service to come" {
  start probe unix:later --interval 20ms --once
  "$EV" listen unix:later -- true 3>&- &
  STARTED+=($!)
  ended
  [ "$STATUS" = 0 ]
  [ "$(cat out)" = 'up unix:later' ]
}

@test "a service that is down is no event at first, and 124 in the end" {
  run_ev --once --within 200ms probe 127.0.0.1:1 --interval 20ms
  [ "$status" = 124 ]
  [ "$output" = '' ]
}

@test "changes only: up, then down" {
  "$EV" --ready-file r2 listen unix:s -- true 3>&- &
  local other=$!
  STARTED+=("$other")
  until_ok '[ -e r2 ]'
  start probe unix:s --interval 20ms --fall 2
  until_ok 'grep -q "^up" out'
  kill "$other"
  until_ok 'grep -q "^down" out'
  [ "$(cat out)" = $'up unix:s\ndown unix:s' ]
}

@test "UDP: a closed port is down, an open one up" {
  start -e 'listen udp:127.0.0.1:0 -- cat'
  run_ev --once --within 5s probe "udp:127.0.0.1:$(port)" --timeout 100ms
  [ "$status" = 0 ]
  run_ev --once --within 300ms probe udp:127.0.0.1:1 --timeout 100ms --interval 50ms
  [ "$status" = 124 ]
}
