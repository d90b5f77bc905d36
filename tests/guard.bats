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
  unshare -pf --mount-proc true 2>/dev/null || skip "proc(5) cannot be mounted here: the root is no mount point"
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

@test "a signal from outside of the PID namespace has no number for its sender" {
  unshare -pf true 2>/dev/null || skip "no process namespace can be made here"
  unshare -pf --kill-child "$EV" -v --ready-file ready every 1h 2>err &
  local outer=$!
  until_ok '[ -e ready ]'
  pkill -TERM -P "$outer"
  wait "$outer" || true
  grep -q 'Terminated from outside of this PID namespace: stopping' err
}

@test "a loop that does not take TERM within 2 s is killed, with all that it started" {
  start after 1ms -- ./job
  started
  kill -STOP "$(loop_pid)"
  stop
  [ "$STATUS" = 143 ]
  gone
  grep -q 'did not take TERM within 2 s' err
}

@test "a loop that does not take a second INT within 2 s is killed" {
  start after 1ms -- ./job
  started
  kill -STOP "$(loop_pid)"
  until_ok "kill -INT $P; ! kill -0 $P 2>/dev/null"
  ended
  [ "$STATUS" = 130 ]
  gone
}

@test "a loop that takes TERM has the time that its commands need" {
  start after 1ms -- 'trap "sleep 3; echo cleaned >seen; exit" TERM; touch up; while :; do sleep 0.01; done'
  until_ok '[ -e up ]'
  stop
  [ "$(cat seen)" = cleaned ]
}

@test "a storm of signals that the loop does not take holds TERM back no more than 2 s" {
  start signal RTMIN+1 -- true
  kill -STOP "$(loop_pid)"
  python3 -c '
import ctypes, sys, signal
libc = ctypes.CDLL(None)
for v in range(2000): libc.sigqueue(int(sys.argv[1]), signal.SIGRTMIN + 1, ctypes.c_void_p(v))
' "$P"
  stop
  [ "$STATUS" = 143 ]
}

# How often a process has slept and woken up.
switches() { sed -n 's/^voluntary_ctxt_switches:[[:space:]]*//p' "/proc/$1/status"; }

@test "the guardian does not wake up while nothing is asked of it" {
  start every 5ms -- true
  local before
  before=$(switches "$P")
  start_count() { awk '{ print $3 }' "/proc/$(loop_pid)/schedstat"; }
  local turns
  turns=$(start_count)
  until_ok "[ \$(start_count) -gt $((turns + 100)) ]"
  [ "$(switches "$P")" = "$before" ]
}

@test "nothing wakes evwatch up while nothing happens" {
  mkdir src
  start --control ctl -e 'e: every 1h -- true' -e 'f: file src -- true' -e 'l: listen 127.0.0.1:0 -- cat' -e 'n: lines log --follow'
  local loop before
  loop=$(loop_pid)
  # What follows the start, such as a second look, is over after a while.
  still() { before=$(switches "$1"); command sleep 0.5; [ "$(switches "$1")" = "$before" ]; }
  until_ok 'still $loop'
  command sleep 2
  [ "$(switches "$loop")" = "$before" ]
}

@test "a command that stops the guardian does not outlive the loop" {
  # What is in a session of its own, and became an orphan, is the guardian's to end.
  start after 1ms -- "(setsid sleep ${N}2 &); "'kill -STOP $(ps -o ppid= -p $PPID); exec sleep '"${N}1"
  until_ok "grep -q '^State:.T' /proc/$P/status && [ \$(count_processes '^sleep ${N}[12]') = 2 ]"
  kill -KILL "$(loop_pid)"
  until_ok "[ \$(count_processes '^sleep ${N}[12]') = 0 ]"
  ended
  [ "$STATUS" = 137 ]
}

@test "evwatch ends though a command stopped the guardian" {
  start -1 after 1ms -- 'kill -STOP $(ps -o ppid= -p $PPID)'
  ended
  [ "$STATUS" = 0 ]
}

# as_nobody: evwatch as nobody, with a program that becomes root and sleeps: ./root
as_nobody() {
  [ "$(id -u)" = 0 ] || skip "needs root"
  PLACE=$(mktemp -d)
  chmod 755 "$PLACE"
  cp "$EV" "$PLACE/evwatch"
  cp "$(command -v setpriv)" "$PLACE/rooted"
  chmod 4755 "$PLACE/rooted"
  setpriv --reuid nobody --regid nogroup --clear-groups "$PLACE/rooted" --reuid 0 true 2>/dev/null ||
    skip "set-user-id has no effect here"
}

end_of_rooted() {
  pkill -KILL -f "^sleep ${N}[12]\$" || true
  rm -rf "$PLACE"
}

@test "a command that became root is named and given up, and evwatch ends" {
  as_nobody
  cd "$PLACE"
  chown nobody .
  setpriv --reuid nobody --regid nogroup --clear-groups ./evwatch --ready-file ready after 1ms --stop-timeout 100ms \
    -- "setsid ./rooted --reuid 0 sleep ${N}1 & exec ./rooted --reuid 0 sleep ${N}2" >out 2>err 3>&- &
  P=$!
  STARTED+=("$P")
  until_ok "[ \$(count_processes '^sleep ${N}[12]') = 2 ]"
  stop
  cat err
  local said
  said=$(grep -c 'cannot end process .* (sleep): Operation not permitted; it is left running' err)
  end_of_rooted
  [ "$STATUS" = 143 ]
  [ "$said" -ge 2 ]
}

# in_terminal TEXT: runs the text in a pseudo-terminal; its output goes to typescript.
in_terminal() {
  command -v script >/dev/null || skip "script(1) is not installed"
  timeout 100 script -qec "$1" typescript </dev/null >/dev/null 2>&1 3>&- || true
}

@test "terminal modes are as they were, however the loop ends" {
  for how in 'kill -KILL $PPID' 'kill -TERM $PPID' 'exit 3'; do
    cat >run <<R
stty -g >before
$EV -1 after 1ms --stdin inherit -- 'stty raw -echo; $how; sleep 1'
stty -g >after
R
    in_terminal 'sh ./run'
    [ -s before ]
    diff before after
  done
}

@test "the scroll region ends, however the loop ends" {
  cat >run <<R
stty rows 24 cols 80
TERM=xterm $EV -v -e 'every 10s' -e 'after 2s -- kill -KILL \$PPID'
R
  in_terminal 'sh ./run'
  grep -q $'\033\\[1;23r' typescript
  # The last of all that set a region sets none.
  [ "$(grep -ao $'\033\\[[0-9;]*r' typescript | tail -n 1)" = $'\033[r' ]
}
