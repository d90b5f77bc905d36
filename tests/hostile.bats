#!/usr/bin/env bats
# What strangers may try: no line, tree, peer or user stops evwatch, or wins what it may not have.
load helper

@test "a user who stops the command of --run-as before its exec stops nobody else" {
  [ "$(id -u)" = 0 ] || skip "--run-as takes root"
  local uid=$((200000 + RANDOM))
  setpriv --reuid $uid --regid $uid --clear-groups bash -c 'while :; do kill -STOP -1; done' 2>/dev/null 3>&- &
  STARTED+=($!)
  # So many directories that the search for the program takes its time.
  local path
  path=$(printf '/no:%.0s' {1..30000})
  cat >rules <<R
theirs: every 100ms --stop-timeout 100ms --env PATH=$path --run-as $uid:$uid -- nonesuch x
mine: every 10ms
R
  start -f rules
  # Stopped before its exec it still has the name of evwatch.
  until_ok "pgrep -u $uid -r T -x evwatch >/dev/null"
  local ticks
  ticks=$(lines_of out)
  until_ok "[ \$(lines_of out) -ge $((ticks + 50)) ]"
  stop
  [ "$STATUS" = 143 ]
}
