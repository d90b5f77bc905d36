#!/usr/bin/env bats
# Commands that are kept running (run), rules that chain (ended), and what is said of runs that fail.
load helper

# ---- run

@test "run starts its command again after a failure, and ends with a success" {
  run_ev run --backoff 10ms -- 'echo $EVWATCH_EVENT $EVWATCH_COUNT; [ $EVWATCH_COUNT = 3 ]'
  [ "$status" = 0 ]
  [ "$(grep start <<<"$output")" = 'start 1
start 2
start 3' ]
  run_ev run --restart no --last -- 'exit 4'
  [ "$status" = 4 ]
}

@test "what a main process left behind is stopped before it is started again" {
  cat >server <<'S'
for pid in $(cat workers 2>/dev/null); do
  grep -qs '^State:.[RSD]' /proc/$pid/status && echo "$pid runs still" >>old
done
setsid sleep 1000 & echo $! >workers
sleep 1000 & echo $! >>workers
exit 1
S
  run_ev -v -c 3 run --backoff 10ms -- sh server
  [ "$(grep -c 'run [123]: what its command left behind is stopped' <<<"$output")" = 3 ]
  [ ! -e old ]
  for pid in $(cat workers); do until_ok "! kill -0 $pid 2>/dev/null"; done
}

@test "run --restart always starts it again after a success, too" {
  run_ev -c 3 run --restart always --backoff 10ms -- echo x
  [ "$output" = 'x
x
x' ]
}

@test "run --retry N ends the rule after N failures in a row, and --last gives the status" {
  run_ev run --last --retry 3 --backoff 10ms -- 'echo x; exit 6'
  [ "$status" = 6 ]
  [ "$(grep -c '^x$' <<<"$output")" = 3 ]
  grep -q '3 runs in a row have failed: the rule ends' <<<"$output"
}

@test "a run that is stopped by hand stays down until it is triggered" {
  start --control ctl -e 'web: run --restart always --backoff 10ms -- echo $EVWATCH_COUNT >>runs; exec sleep 100'
  until_ok '[ "$(lines_of runs)" = 1 ]'
  "$EV" stop web --control ctl
  sleep 0.3
  [ "$(lines_of runs)" = 1 ]
  "$EV" trigger web --control ctl
  until_ok '[ "$(lines_of runs)" = 2 ]'
  "$EV" trigger web --control ctl
  until_ok '[ "$(lines_of runs)" = 3 ]'
  [ "$(count_processes '^sleep 100$')" -ge 1 ]
}

@test "what means nothing for run, ended and circles of rules are refused with the cure" {
  refused 'run needs a command' run
  refused 'one at a time' run -j 2 -- true
  refused 'a second one is a rule of its own' run -i -- true
  refused '--backoff DUR spaces the starts' run --throttle 1s -- true
  refused 'a further start replaces the run' run --on-busy skip -- true
  refused 'forever is what run does without this option' run --retry forever -- true
  refused 'there is no rule of this name' -e 'ended b -- true'
  refused 'this rule has no command' -e 'ended b -- true' -e 'b: every 1s'
  refused 'it hands its events to t' -e 'ended b -- true' -e 'b: every 1s --to t' -e 't: task -- true'
  refused 'cannot be used together' -e 'ended b --ok --failed -- true' -e 'b: every 1s -- true'
  refused 'each event has a run of its own' -e 'ended b --debounce 1s -- true' -e 'b: every 1s -- true'
  refused 'rules go in a circle: a, which waits for b, which waits for c, which waits for a' \
    -e 'a: ended b -- true' -e 'b: ended c -- true' -e 'c: ended a -- true'
  refused 'rules go in a circle' -e 'a: ended t --to t' -e 't: task -- true'
  refused 'a rule cannot follow itself' -e 'a: ended a -- true'
}

# ---- ended

@test "ended runs after each run of another rule, with its name, status and duration" {
  run_ev -c 4 -e 'b: every 50ms --runs 2 -- exit $((EVWATCH_COUNT - 1))' \
    -e 'e: ended b -- echo "$EVWATCH_EVENT $1 $2 $EVWATCH_STATUS ${EVWATCH_DURATION%.*} ${EVWATCH_SIGNAL-none}"'
  [ "$(grep '^[of]' <<<"$output")" = 'ok b 0 0 0 none
failed b 1 1 0 none' ]
}

@test "ended --ok and --failed take only these; the details are those of the run's own event" {
  mkdir src
  start -e 'build: file src --debounce 0 -- ! grep -q bad "$1"' -e 'ended build --ok -- echo ok $EVWATCH_PATH >>runs' \
    -e 'ended build --failed -- echo failed $EVWATCH_PATH >>runs'
  echo good >src/a
  until_ok '[ "$(cat runs)" = "ok src/a" ]'
  echo bad >src/b
  until_ok '[ "$(tail -n 1 runs)" = "failed src/b" ]'
}

@test "ended names the signal that killed the run" {
  run_ev -e 'b: after 1ms -- kill -SEGV $$' -e 'ended b -- echo "$EVWATCH_SIGNAL $2"'
  grep -qx 'SEGV 139' <<<"$output"
}

@test "a run that evwatch stopped is neither ok nor failed" {
  start -e 'b: signal USR1 --on-busy restart -- echo begun >>begun; exec sleep 100' -e 'ended b -- echo $EVWATCH_EVENT >>ends' \
    -e 'c: signal USR2 -- exit 3' -e 'ended c -- echo c >>ends'
  kill -USR1 "$P"
  until_ok '[ "$(lines_of begun)" = 1 ]'
  kill -USR1 "$P"
  until_ok '[ "$(lines_of begun)" = 2 ]'
  kill -USR2 "$P"
  until_ok '[ "$(cat ends)" = c ]'
}

@test "a batch that takes several runs is one end, and failed if one of them did" {
  mkdir d
  python3 -c '
for i in range(12000): print("x" * 200 + "%05d" % i)' | (cd d && xargs touch)
  run_ev -q -e 'b: file d --existing --runs 9 --stdin null -- echo $# >>runs; [ $EVWATCH_COUNT != 1 ]' -e 'a: ended b -- echo "$EVWATCH_EVENT $2" >>ends' --within 90s \
    -e 'stop: ended a --last --runs 1 -- true'
  [ "$(lines_of runs)" -ge 2 ]
  [ "$(head -1 ends)" = 'failed 1' ]
}

@test "ended waits for retries, and ends when the rules that it names have" {
  run_ev -e 'b: after 1ms --retry 2 --backoff 5ms -- echo x >>tries; [ "$(wc -l <tries)" = 3 ]' -e 'e: ended b -- echo $EVWATCH_EVENT'
  [ "$status" = 0 ]
  [ "$output" = ok ]
}

@test "a chain of 300 rules ends from its first rule on" {
  {
    echo 'r0: after 1ms -- true'
    for i in $(seq 300); do echo "r$i: ended r$((i - 1)) -- true"; done
    echo 'z: ended r300 -- echo done'
  } >rules
  run_ev -f rules
  [ "$status" = 0 ]
  [ "$output" = done ]
}

# ---- failures are said

@test "a run that fails is said with its rule, number, status and duration; -q is silent" {
  run_ev -e 'web: after 0 -- exit 3'
  [ "$status" = 0 ]
  [[ $output =~ ^'evwatch: web: run 1 failed with status 3 after '[0-9.]+' '(ms|s)$ ]]
  run_ev -q -e 'web: after 0 -- exit 3'
  [ "$output" = '' ]
}

@test "a signal, a timeout and used-up retries are said" {
  run_ev -e 'web: after 0 -- kill -SEGV $$'
  [[ $output =~ 'web: run 1 was killed by SIGSEGV after ' ]]
  run_ev -e 'web: after 0 --timeout 50ms -- sleep 10'
  [[ $output =~ 'web: run 1 was stopped by --timeout after ' ]]
  run_ev -e 'web: after 0 --retry 2 --backoff 1ms -- exit 9'
  [[ $output =~ 'web: run 1 failed with status 9 after '.*', the last of 3 attempts' ]]
  [ "${#lines[@]}" = 1 ]
}

@test "a command that is not there is said once, by its name" {
  run_ev -e 'web: after 0 -- nonesuch-command'
  [ "$output" = 'evwatch: web: nonesuch-command: command not found' ]
}

@test "what evwatch stops itself is not called a failure" {
  run_ev --within 300ms -e 'web: after 0 -- exec sleep 10'
  [ "$output" = '' ]
}

@test "the shell's own messages begin with the rule" {
  run_ev -q -e 'web: after 0 -- echo "$0"; . ./missing'
  [ "${lines[0]}" = 'evwatch: web' ]
  grep -q '^evwatch: web: .*missing' <<<"${lines[1]}"
}

@test "check says of run and ended what they do" {
  run_ev check -e 'web: run --restart always --retry 4 -- true' -e 'mail: ended web --failed -- true'
  [[ ${lines[0]} = 'web: at the start, and again after each end (after 1s, doubling to 1m; until 4 in a row have failed), run true'* ]]
  grep -q '^mail: on the failure of web, run true' <<<"$output"
}

# ---- --socket

# Answers each connection with its own pid and ends with the first: a server that always restarts.
server() {
  cat >server.py <<'E'
import os, socket, sys
s = socket.socket(fileno=3)
assert os.environ["LISTEN_PID"] == str(os.getpid()) and os.environ["LISTEN_FDS"] == "1"
for i in range(int(sys.argv[1])):
    c, _ = s.accept()
    c.sendall(b"%s %d\n" % (os.environ["LISTEN_FDNAMES"].encode(), os.getpid()))
    c.close()
E
}

@test "--socket is held over restarts: no connection is refused, and each server has it as LISTEN_FDS" {
  server
  start -e 'web: run --restart always --backoff 20ms:20ms --socket 127.0.0.1:0 -- exec python3 server.py 2'
  for i in 1 2 3 4 5 6; do timeout 20 nc -d 127.0.0.1 "$(port web)" >>answers || return 1; done
  [ "$(lines_of answers)" = 6 ]
  [ "$(sort -u answers | wc -l)" -ge 3 ]
  [ "$(cut -d ' ' -f 1 answers | sort -u)" = web ]
}

@test "--socket: names, several of them, no others behind; they are closed when the rule ends" {
  run_ev -q -1 -e 'w: run --socket http=127.0.0.1:0 --socket unix:sock -- echo $LISTEN_FDS $LISTEN_FDNAMES; ls /proc/self/fd | tr "\n" " "; ls -l sock | cut -c 1'
  [ "${lines[0]}" = '2 http:w' ]
  [[ ${lines[1]} = '0 1 2 3 4 5 s'* ]]
  start -e 'w: run --restart no --socket 127.0.0.1:0 -- true' -e 'every 1h'
  until_ok '! nc -z 127.0.0.1 "$(port w)"'
}

@test "--socket is refused where there is no command, and doubted where the shell does not exec" {
  refused 'has no effect with listen: each connection' listen 0 --socket 0 -- cat
  refused 'no effect without a command' every 1s --socket 0
  refused 'is not [NAME=]ENDPOINT' run --socket =80 -- true
  run_ev check run --socket 0 -- 'cd /tmp; ./server'
  [ "$status" = 0 ]
  grep -q 'write exec before the server' <<<"$output"
  grep -q 'with the socket 0' <<<"$output"
  run_ev check run --socket 0 -- 'cd /tmp; exec ./server'
  [ "$(grep -c exec <<<"$output")" = 1 ]
}

# ---- the ends of input and output

@test "when its reader has gone evwatch ends as of SIGPIPE, whatever the log does" {
  echo a >log
  run timeout 20 bash -c '"$0" lines log --follow --from start | head -n 1; echo ${PIPESTATUS[0]}' "$EV"
  [ "$output" = 'line a
141' ]
  run timeout 20 bash -c '"$0" every 1h -i -- echo x | head -n 1; echo ${PIPESTATUS[0]}' "$EV"
  [ "$output" = 'x
141' ]
}

@test "--stdin-quit stops evwatch when standard input ends" {
  mkfifo in
  timeout 20 "$EV" --stdin-quit --ready-file ready every 1h <in &
  exec 8>in
  until_ok '[ -e ready ]'
  echo x >&8
  kill -0 $!
  exec 8>&-
  wait $!
  run_ev --stdin-quit every 1h </dev/null
  [ "$status" = 0 ]
  refused 'reads standard input' --stdin-quit lines -
  refused 'leaves it to the command' --stdin-quit every 1h --stdin inherit -- cat
}
