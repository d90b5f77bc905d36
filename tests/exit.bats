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

# reaped_late MS STATUS: a process that ends once the file go is there, and is reaped so late; its pid is PID.
reaped_late() {
  rm -f child
  python3 -c '
import os, sys, time
late, status = int(sys.argv[1]), int(sys.argv[2])
p = os.fork()
if p == 0:
    while not os.path.exists("go"): time.sleep(0.01)
    os._exit(status)
open("child.new", "w").write(str(p)); os.rename("child.new", "child")
while not os.path.exists("go"): time.sleep(0.01)
time.sleep(late / 1000)
os.waitpid(p, 0)
time.sleep(1)' "$1" "$2" 3>&- &
  STARTED+=($!)
  until_ok '[ -e child ]'
  PID=$(cat child)
}

@test "the status is known at death, however late the parent reaps" {
  for late in 0 100 5000; do
    rm -f go
    reaped_late $late 7
    start --json exit "$PID"
    touch go
    ended
    grep -q '"status":"*7' out
  done
}

@test "the event does not wait for a parent that never reaps" {
  reaped_late 100000 7
  touch go
  until_ok "grep -q '^State:.Z' /proc/$PID/status"
  run_ev -1 exit "$PID" -- 'echo "$EVWATCH_STATUS"'
  [ "$output" = 7 ]
  grep -q '^State:.Z' "/proc/$PID/status"
}

@test "of a process whose status may not be read, the event comes once it is reaped, or after a second" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  local place
  place=$(mktemp -d)
  chmod 755 "$place"
  cp "$EV" "$place/evwatch"
  reaped_late 100000 7
  touch go
  until_ok "grep -q '^State:.Z' /proc/$PID/status"
  cd /
  run timeout 100 setpriv --reuid nobody --regid nogroup --clear-groups "$place/evwatch" --json exit "$PID"
  rm -r "$place"
  [ "$status" = 0 ]
  grep -q '"event":"exit"' <<<"$output"
  ! grep -q '"status"' <<<"$output"
}

@test "the id of a thread is refused, and its process named" {
  python3 -c '
import os, threading, time
t = threading.Thread(target=time.sleep, args=(60,), daemon=True)
t.start()
open("thread.new", "w").write(str(t.native_id)); os.rename("thread.new", "thread")
time.sleep(60)' 3>&- &
  local pid=$!
  STARTED+=("$pid")
  until_ok '[ -e thread ]'
  run_ev exit "$(cat thread)"
  [ "$status" = 1 ]
  grep -q "$(cat thread) is a thread of process $pid" <<<"$output"
}
