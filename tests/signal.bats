#!/usr/bin/env bats
# signal: every signal is an event, with its sender.
load helper

@test "names, SIG names, numbers and real-time signals" {
  start signal USR1 SIGUSR2 1 RTMIN+3
  for s in USR1 USR2 HUP RTMIN+3; do
    kill "-$s" "$P"
    until_ok "grep -q '^$s $s$' out"
  done
}

@test "the sender is told" {
  start --json signal USR1
  kill -USR1 "$P"
  until_ok '[ -s out ]'
  python3 -c 'import json,sys; e=json.loads(open("out").readline()); assert e["sender_pid"]==int(sys.argv[1]) and e["sender_uid"]==0 and e["signal"]=="USR1", e' $$
}

@test "a queued signal has its value" {
  start --json signal RTMIN+1
  python3 -c '
import ctypes, sys, signal
libc = ctypes.CDLL(None)
for v in range(100): libc.sigqueue(int(sys.argv[1]), signal.SIGRTMIN + 1, ctypes.c_void_p(v))
' "$P"
  until_ok '[ "$(lines_of out)" = 100 ]'
  python3 -c 'import json; assert [json.loads(l)["value"] for l in open("out")] == list(range(100))'
}

@test "KILL, STOP and the fault signals are usage errors" {
  for s in KILL STOP SEGV FPE NOPE 99; do
    run_ev signal "$s"
    [ "$status" = 2 ]
  done
}

@test "a rule for TERM replaces the exit" {
  start signal TERM -- 'echo term >>seen'
  kill -TERM "$P"
  until_ok '[ "$(lines_of seen)" = 1 ]'
  kill -0 "$P"
  stop INT
  [ "$STATUS" = 130 ]
}

@test "a signal to every process called evwatch counts once" {
  start signal USR1 USR2 -- 'echo "$1" >>seen'
  local loop
  loop=$(loop_pid)
  kill -USR1 "$P" "$loop"
  until_ok '[ -s seen ]'
  # What the guardian hands on comes in order: a second USR1 would stand before USR2.
  kill -USR2 "$P"
  until_ok 'grep -q USR2 seen'
  [ "$(cat seen)" = $'USR1\nUSR2' ]
}

@test "a command can signal its rule through PPID" {
  start -e 'a: signal USR2 -- echo got >>seen' -e 'b: after 1ms -- kill -USR2 "$PPID"'
  until_ok '[ "$(lines_of seen)" = 1 ]'
}
