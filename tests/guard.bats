#!/usr/bin/env bats
# Nothing that a command started outlives evwatch.
load helper

# A command with a background, a setsid'ed, a double-forked and a foreground child.
prepare() {
  N=$(unique)
  cat >job <<J
#!/bin/sh
sleep ${N}1 &
setsid sleep ${N}2 &
(sh -c 'setsid sleep ${N}3 >/dev/null 2>&1 &')
sleep ${N}4
J
  chmod +x job
}

started() {
  until_ok "[ \$(count_processes '^sleep ${N}[1-4]') = 4 ]"
}

gone() {
  until_ok "[ \$(count_processes '^sleep ${N}[1-4]') = 0 ]"
}

@test "TERM, INT and KILL of evwatch leave none of them" {
  for s in TERM INT KILL; do
    start after 1ms -- ./job
    started
    kill "-$s" "$P"
    gone
    wait "$P" || true
  done
}

@test "TERM and KILL in the midst of a thousand starts leave none of them" {
  seq 1000 >numbers
  for s in TERM KILL; do
    start lines numbers -j 1000 -- sleep "$N"
    until_ok "[ \$(count_processes '^sleep $N') -ge 20 ]"
    kill "-$s" "$P"
    until_ok "[ \$(count_processes '^sleep $N') = 0 ]"
    wait "$P" || true
    # Nor does one that was still to execute it, and has evwatch's name.
    until_ok "[ \$(count_processes 'evwatch.* sleep $N\$') = 0 ]"
  done
}

@test "KILL of the process that runs the loop leaves none of them" {
  start after 1ms -- ./job
  started
  kill -KILL "$(loop_pid)"
  gone
  ended
  [ "$STATUS" = 137 ]
}

@test "the end by --within leaves none of them" {
  run_ev --within 500ms after 1ms -- ./job
  gone
}

@test "with --no-guard TERM leaves none of them" {
  start --no-guard after 1ms -- ./job
  started
  stop
  gone
}

@test "a stubborn descendant outside the group gets KILL in the end" {
  start after 1ms --stop-timeout 200ms -- "setsid sh -c 'trap \"\" TERM; while :; do sleep ${N}1; done'"
  until_ok "[ \$(count_processes 'sleep ${N}1') -ge 1 ]"
  stop
  until_ok "[ \$(count_processes 'sleep ${N}1') = 0 ]"
}

@test "as the first process of a container it reaps orphans" {
  unshare -pf true 2>/dev/null || skip "no process namespace can be made here"
  cat >rules <<'R'
orphans: every 10ms -- (sleep 0.02 &)
look: after 500ms -- until ps -eo stat= >states; [ "$(grep -c Z states)" -le 2 ]; do :; done; touch seen; kill -TERM 1
R
  for guard in "" --no-guard; do
    # shellcheck disable=SC2086
    timeout 100 unshare -pf --mount-proc --kill-child "$EV" $guard --within 60s -f rules || true
    [ -e seen ]
    [ "$(grep -c . states)" -ge 2 ]
    rm seen states
  done
}
