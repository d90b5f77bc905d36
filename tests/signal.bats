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

@test "CONT, TSTP, TTIN and TTOU reach their rules, and stop nothing" {
  start signal CONT TSTP TTIN TTOU USR1
  for s in TSTP TTIN TTOU CONT USR1; do
    kill "-$s" "$P"
    until_ok "grep -q '^$s $s$' out"
  done
  [ "$(lines_of out)" = 5 ]
}

@test "a TSTP that comes as soon as evwatch is ready reaches its rule" {
  # On one CPU the guardian has not run since it forked.
  python3 - "$EV" <<'P'
import os, select, signal, subprocess, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
for i in range(5):
    p = subprocess.Popen([sys.argv[1], "--ready-file", "ready", "signal", "TSTP"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    while not os.path.exists("ready"):
        os.sched_yield()
    p.send_signal(signal.SIGTSTP)
    heard = select.select([p.stdout], [], [], 30)[0]
    p.kill()
    p.wait()
    assert heard
    os.unlink("ready")
P
}

@test "without a rule TSTP stops evwatch, and CONT continues it" {
  start signal USR1
  kill -TSTP "$P"
  until_ok "grep -q '^State:.T' /proc/$P/status"
  kill -CONT "$P"
  kill -USR1 "$P"
  until_ok '[ -s out ]'
}

@test "the uid of a sender that names itself is not reported" {
  start --json signal USR1
  python3 -c '
import ctypes, sys, signal
ctypes.CDLL(None).sigqueue(int(sys.argv[1]), signal.SIGUSR1, ctypes.c_void_p(7))' "$P"
  until_ok '[ -s out ]'
  python3 -c 'import json; e=json.loads(open("out").readline()); assert "sender_uid" not in e and e["value"] == 7, e'
}

@test "two INTs within half a second are one" {
  start after 1ms -- 'trap "sleep 0.2; touch cleaned; exit" TERM; touch up; while :; do sleep 0.01; done'
  until_ok '[ -e up ]'
  # Each by a sender of its own, as from timeout(1) and a wrapper that forwards.
  sh -c 'kill -INT "$0"; :' "$P"
  sh -c 'kill -INT "$0"; :' "$P"
  ended
  [ "$STATUS" = 130 ]
  [ -e cleaned ]
}

@test "an INT half a second after the first kills at once" {
  start after 1ms --stop-timeout 1h -- 'trap "" TERM; touch up; while :; do sleep 0.01; done'
  until_ok '[ -e up ]'
  until_ok "kill -INT $P; ! kill -0 $P 2>/dev/null"
  ended
  [ "$STATUS" = 130 ]
}

@test "after the first TERM no other signal changes the end, of a rule or not" {
  start -e 'a: signal USR1 -- true' \
    -e 'b: after 1ms -- trap "touch ending; until [ -e go ]; do sleep 0.01; done; touch cleaned; exit" TERM; touch up; while :; do sleep 0.01; done'
  until_ok '[ -e up ]'
  kill -TERM "$P"
  until_ok '[ -e ending ]'
  for s in USR1 USR2 HUP QUIT TERM ALRM RTMIN+2; do kill "-$s" "$P" "$(loop_pid)"; done
  touch go
  ended
  [ "$STATUS" = 143 ]
  [ -e cleaned ]
}

@test "Ctrl-C comes from the terminal" {
  command -v script >/dev/null || skip "script(1) is not installed"
  (until [ -e ready ]; do sleep 0.01; done; printf '\003') |
    timeout 100 script -qec "$EV -v --ready-file ready every 1h" typescript >/dev/null 2>&1 3>&- || true
  grep -q 'Interrupt from the terminal: stopping' typescript
}
