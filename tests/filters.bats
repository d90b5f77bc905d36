#!/usr/bin/env bats
# Which events reach the command, which command it is, and when a rule ends: --times, --by, --unique,
# --quiet-for, --throttle, --each, --to, --runs, --last.
load helper

# lacks GREP-ARGS...: nothing matches.
lacks() {
  ! grep -q "$@"
}

@test "--times N/DUR --by K runs once a subject has come N times, and counts anew then" {
  for i in 1 2 3 4 5 6; do echo "fail from 10.0.0.1 $i"; echo "ok from 10.0.0.2"; done >log
  echo 'fail from 10.0.0.3' >>log
  run_ev lines log --match 'fail from ([0-9.]+)' --times 3/10m --by 2 -- 'echo "$2: $1"'
  [ "$output" = '10.0.0.1: fail from 10.0.0.1 3
10.0.0.1: fail from 10.0.0.1 6' ]
}

@test "--times forgets what is longer ago than DUR" {
  mkfifo in
  start lines in --times 2/300ms
  exec 8>in
  echo a >&8
  sleep 0.5
  echo a >&8
  sleep 0.5
  printf 'a\nb\nb\n' >&8
  until_ok '[ -s out ]'
  exec 8>&-
  [ "$(cat out)" = 'line b' ]
}

@test "--unique DUR lets a subject pass once, and again when DUR is over" {
  printf '%s\n' a b a c a b >log
  run_ev lines log --unique 1h
  [ "$output" = 'line a
line b
line c' ]
  printf '%s\n' 'a 1' 'b 1' 'a 2' >log
  run_ev lines log --match '([0-9])$' --unique 1h --by 2
  [ "$output" = 'line a\0401 1
line a\0402 2' ]
  : >log
  start lines log --follow --unique 200ms
  echo a >>log
  until_ok '[ "$(lines_of out)" = 1 ]'
  until_ok 'echo a >>log; [ "$(lines_of out)" = 2 ]'
}

@test "what comes N times is counted before --unique looks at it" {
  printf '%s\n' a a a a b >log
  run_ev lines log --times 2/1h --unique 1h
  [ "$output" = 'line a' ]
}

@test "100,000 subjects are remembered; beyond, the one silent longest goes, which is said once" {
  seq 100005 >log
  printf '%s\n' 100005 1 >>log
  "$EV" lines log --unique 1h >out 2>err
  [ "$(lines_of out)" = 100006 ]
  [ "$(tail -n 1 out)" = 'line 1' ]
  [ "$(grep -c 'those silent longest are forgotten' err)" = 1 ]
}

@test "a large batch makes one run of what passes a filter, though its end does not" {
  mkdir src
  start file src --debounce 20ms --throttle 10ms --unique 10m --stdin paths -- sh -c 'sort >>paths; echo run >>runs'
  missed 'touch src/f{1..600}'
  until_ok '[ -s runs ]'
  [ "$(wc -l <paths)" = 600 ]
  missed ': >src/new; touch src/f*'
  until_ok '[ "$(wc -l <runs)" = 2 ]'
  [ "$(tail -n +601 paths)" = src/new ]
}

@test "--quiet-for reports each silence once, from the start on" {
  : >log
  start lines log --follow --quiet-for 200ms
  until_ok '[ "$(cat out)" = quiet ]'
  sleep 0.5
  [ "$(cat out)" = quiet ]
  echo x >>log
  until_ok '[ "$(lines_of out)" = 2 ]'
  lacks line out
}

@test "--quiet-for runs its command while events go on to be read" {
  : >log
  start lines log --follow --quiet-for 200ms -- 'echo "$EVWATCH_EVENT $#" >>runs'
  until_ok '[ "$(cat runs)" = "quiet 0" ]'
}

@test "lines and signals run once an event, in order, at the pace of --throttle" {
  seq 4 >log
  local before
  before=$(date +%s%N)
  run_ev lines log --throttle 100ms -- 'echo "$#: $1"'
  [ "$output" = '1: 1
1: 2
1: 3
1: 4' ]
  [ $(($(date +%s%N) - before)) -ge 300000000 ]
  start signal RTMIN+1 --throttle 100ms -- 'echo "$#" >>runs'
  for _ in 1 2 3; do kill -RTMIN+1 "$P"; done
  until_ok '[ "$(lines_of runs)" = 3 ]'
  [ "$(sort -u runs)" = 1 ]
}

@test "--throttle holds what comes while the command takes longer" {
  seq 3 >log
  run_ev lines log --throttle 50ms -- 'date +%s%N; sleep 0.2'
  [ "${#lines[@]}" = 3 ]
  [ $((lines[1] - lines[0])) -ge 200000000 ]
}

@test "--throttle of file merges what happens meanwhile: each path once, what came and went not at all" {
  mkdir d
  start file d --throttle 1500ms --debounce 0 -- 'echo "$*" >>runs'
  echo 1 >d/a
  until_ok '[ "$(lines_of runs)" = 1 ]'
  for i in 1 2 3; do
    echo $i >d/b
    sleep 0.03
  done
  echo 1 >d/c
  sleep 0.03
  rm d/c
  until_ok '[ "$(lines_of runs)" = 2 ]'
  [ "$(sed -n 2p runs)" = d/b ]
  # After that a lone change is run at once again.
  sleep 1.6
  echo 2 >d/a
  until_ok '[ "$(lines_of runs)" = 3 ]' 1
}

@test "--each runs the command for each path of a batch, --jobs at once; -i is a run without" {
  mkdir d
  touch d/{a,b,c,d,e}
  run_ev -c 6 file d --existing --each -j 2 -i -- 'echo "$# $EVWATCH_EVENT $*"'
  [ "$(sort <<<"$output")" = '0 start 
1 create d/a
1 create d/b
1 create d/c
1 create d/d
1 create d/e' ]
}

@test "--each never runs one path beside itself, and others beside it" {
  mkdir d
  start file d --each -j 4 --debounce 0 -- 'echo "+$1" >>runs; [ "$1" != d/slow ] || until [ -e go ]; do sleep 0.01; done; echo "-$1" >>runs'
  echo 1 >d/slow
  until_ok 'grep -q "+d/slow" runs'
  echo 2 >d/slow
  echo 1 >d/other
  until_ok 'grep -q "^-d/other" runs'
  [ "$(grep -c '+d/slow' runs)" = 1 ]
  touch go
  until_ok '[ "$(grep -c "^-d/slow" runs)" = 2 ]'
  [ "$(grep slow runs | tr -d '\n')" = '+d/slow-d/slow+d/slow-d/slow' ]
}

@test "--each --on-busy restart stops the run of the same path only" {
  mkdir d
  start file d --each -j 4 --debounce 0 --on-busy restart -- 'echo "+$1" >>runs; exec sleep 60'
  echo 1 >d/a
  echo 1 >d/b
  until_ok '[ "$(lines_of runs)" = 2 ]'
  echo 2 >d/a
  until_ok '[ "$(grep -c "+d/a" runs)" = 2 ]'
  [ "$(grep -c '+d/b' runs)" = 1 ]
}

@test "--each: what waits for a free place is merged with what happens to its path meanwhile" {
  mkdir up
  start file up --events close_write,move --each --debounce 50ms -j 2 -- 'echo "$EVWATCH_EVENT $1" >>runs; until [ -e go ]; do sleep 0.01; done'
  touch up/a up/b up/gone up/q.part
  until_ok '[ "$(lines_of runs)" = 2 ]'
  # Two of the four have a place, whichever: the others wait.
  for f in a b gone q.part; do grep -q "up/$f\$" runs || mv "up/$f" "up/$f.new"; done
  touch go
  until_ok '[ "$(grep -c "\.new\$" runs)" = 2 ]'
  [ "$(lines_of runs)" = 4 ]
}

@test "--each runs nothing for a path that came and went while it waited for a free place" {
  mkdir up
  start file up --events create,close_write,delete --each --debounce 50ms -- 'echo "$EVWATCH_EVENT $1" >>runs; until [ -e go ]; do sleep 0.01; done'
  touch up/a up/b
  until_ok '[ -s runs ]'
  for f in a b; do grep -q "up/$f\$" runs || rm "up/$f"; done
  touch go up/last
  until_ok 'grep -q up/last runs'
  [ "$(lines_of runs)" = 2 ]
}

@test "--each merges what happens to a path while its last run goes on, and runs others meanwhile" {
  mkdir up
  start file up --events close_write --each --debounce 0 -j 2 -- 'echo "$1" >>runs; [ "$1" != up/a ] || until [ -e go ]; do sleep 0.01; done'
  echo 1 >up/a
  until_ok '[ -s runs ]'
  echo 2 >up/a
  echo 1 >up/b
  until_ok 'grep -q up/b runs'
  echo 3 >up/a
  rm up/a
  echo 1 >up/c
  until_ok 'grep -q up/c runs'
  touch go
  echo 1 >up/d
  until_ok 'grep -q up/d runs'
  [ "$(cat runs)" = 'up/a
up/b
up/c
up/d' ]
}

@test "--each --on-busy restart merges what happens to a path that waits for a free place" {
  mkdir up
  start file up --events close_write --each --debounce 50ms --on-busy restart -- 'echo "$1" >>runs; exec sleep 60'
  echo 1 >up/a
  until_ok '[ -s runs ]'
  echo 1 >up/b
  echo 2 >up/a
  until_ok '[ "$(lines_of runs)" = 2 ]'
  mv up/b up/c
  kill "$(pgrep -P "$(loop_pid)")"
  until_ok '[ "$(lines_of runs)" = 3 ]'
  [ "$(cat runs)" = 'up/a
up/a
up/c' ]
}

@test "--to hands events of several rules to one command, one run at a time" {
  mkdir src
  start -e 'build: task -- echo "+$EVWATCH_RULE $EVWATCH_SOURCE $EVWATCH_EVENT $*" >>runs; sleep 0.1; echo - >>runs' \
    -e 'sig: signal USR1 --to build' -e 'src: file src --to build'
  kill -USR1 "$P"
  echo 1 >src/a
  until_ok '[ "$(lines_of runs)" = 4 ]'
  [ "$(cut -c 1 runs | tr -d '\n')" = '+-+-' ]
  grep -qx '+build signal USR1 USR1' runs
  grep -qx '+build file create src/a' runs
  lacks 'src/a USR1\|USR1 src/a' runs
}

@test "a task that nothing can run is refused; in a file, to which a rule may be added, check warns of it" {
  refused 'nothing runs this command: no rule has --to task1' task -- true
  grep -qF 'lets "evwatch trigger task1" run it' <<<"$output"
  refused 'no rule has --to u' -e 't: task -- true' -e 'u: task -- true' -e 'every 1s --to t'
  run_ev --control ctl --within 1ms task -- true
  [ "$status" = 0 ]
  run_ev task -i --once -- echo initial
  [ "$output" = initial ]
  echo 't: task -- true' >rules
  run_ev check -f rules
  [ "$status" = 0 ] && grep -q '^evwatch: rules:1:4: warning: nothing runs this command' <<<"$output"
  run_ev check --control ctl -f rules
  ! grep -q warning <<<"$output"
}

@test "a task lives as long as a rule points at it, and a rule of --to until its events are run" {
  run_ev -e 'a: after 10ms --to t' -e 'b: after 30ms --to t' -e 't: task -- echo $EVWATCH_COUNT'
  [ "$status" = 0 ]
  [ "$output" = '1
2' ]
  seq 5 >log
  run_ev -e 'log: lines log --match "[24]" --to t' -e 't: task -- echo "$1"'
  [ "$output" = '2
4' ]
}

@test "--runs ends the rule, --last evwatch with the status of its last run" {
  run_ev every 10ms --runs 3 -- 'echo $EVWATCH_COUNT'
  [ "$status" = 0 ]
  [ "$output" = '1
2
3' ]
  run_ev -e 'a: every 10ms --runs 2 --last -- exit $EVWATCH_COUNT' -e 'b: every 1h'
  [ "$status" = 2 ]
  run_ev -e 'a: every 10ms --runs 2 --to t' -e 't: task -- true'
  [ "$status" = 2 ]
  run_ev -e 'a: every 10ms --to t' -e 't: task --runs 2 -- echo x'
  [ "$status" = 0 ]
  [ "${#lines[@]}" = 2 ]
  seq 9 >log
  run_ev lines log --runs 2
  [ "$output" = 'line 1
line 2' ]
  mkdir d
  touch d/{a,b,c}
  run_ev file d --existing --each --runs 2 -- 'echo $1'
  [ "${#lines[@]}" = 2 ]
  # Without a command it is exact within a batch, too.
  run_ev -e 'f: file d --existing --runs 2' -e 'a: after 100ms'
  [ "$(grep -c ^create <<<"$output")" = 2 ]
}

@test "--within ends with 124 where --last is not met by then" {
  run_ev --within 100ms -e 'a: every 1h --last -- true'
  [ "$status" = 124 ]
  run_ev --within 100ms -e 'a: every 1h -- true'
  [ "$status" = 0 ]
}

@test "--retry forever runs the command until it succeeds" {
  run_ev -1 after 0 --retry forever --backoff 5ms:5ms -- 'echo x >>tries; [ "$(wc -l <tries)" = 12 ]'
  [ "$status" = 0 ]
  [ "$(lines_of tries)" = 12 ]
}

@test "filters, --to and --runs that mean nothing are refused with their cure" {
  refused 'has no effect with lines: each event has a run of its own' lines f --debounce 1s -- true
  refused '--throttle DUR paces the runs' signal HUP --debounce 1s -- true
  refused 'each connection has a run of its own' listen 0 --throttle 1s -- cat
  refused 'each connection has a run of its own' listen 0 --times 2/1s -- cat
  refused 'each connection has a run of its own' listen 0 --retry 2 -- cat
  refused 'a tick has no subject' every 1s --unique 1m -- true
  refused 'say which ticks run the command' cron @daily --times 2/1h -- true
  refused 'it is for file' lines f --each -- true
  refused 'cannot be used with --times or --unique' lines f --quiet-for 1s --times 2/1s -- true
  refused 'has no effect without --times or --unique' lines f --by 2 -- true
  refused '3: events of this rule have 2 subjects' lines f --match '(a)b' --times 5/1s --by 3 -- true
  refused 'each group of --match is one more' lines f --match 'ab' --unique 1s --by 2 -- true
  refused '2: events of this rule have 1 subject' file . --unique 1s --by 2 -- true
  refused 'is not N/DUR' lines f --times 5 -- true
  refused 'a silence has no path' file . --quiet-for 1s --each -- true
  refused 'there is no rule of this name' -e 'a: every 1s --to deplyo' -e 'deploy: task -- true'
  refused 'did you mean deploy?' -e 'a: every 1s --to deplyo' -e 'deploy: task -- true'
  refused 'it hands its events to c' -e 'a: every 1s --to b' -e 'b: every 1s --to c' -e 'c: task -- true'
  refused 'a rule cannot follow itself' -e 'a: every 1s --to a'
  refused 'this rule has no command' -e 'a: every 1s --to b' -e 'b: every 1s'
  refused 'a listen rule runs only for a connection' -e 'a: every 1s --to b' -e 'b: listen 0 -- cat'
  refused 'the command is that of t' -e 'a: every 1s --timeout 1s --to t' -e 't: task -- true'
  refused 'the rule t can have it' -e 'a: after 1s --last --to t' -e 't: task -- true'
  refused 'has a command of its own' -e 'a: every 1s --to t -- true' -e 't: task -- true'
  refused 'the events go to the command' -e 'a: every 1s --to t --json' -e 't: task -- true'
  refused 'task needs a command' -e 't: task'
  refused 'relay carries its connections itself' -e 'a: relay 1 2 --to t' -e 't: task -- true'
  refused 'or forever' every 1s --retry never -- true
}

@test "set passes over what means nothing with a kind" {
  printf '%s\n' 'set --debounce 1s --throttle 2s --retry 2 --unique 3s' 'lines f -- true' 'listen 0 -- cat' 'every 1s -- true' >rules
  run_ev check -f rules
  [ "$status" = 0 ]
  lacks 'once it was quiet' <<<"${lines[0]}"
  grep -q 'at most once in 2s' <<<"${lines[0]}"
  lacks 'at most once' <<<"${lines[1]}"
}

@test "check says in words what filters and ends a rule has" {
  run_ev check -e 'a: lines f --match "(x)" --times 5/10m --by 2 --throttle 1s --runs 3 --last -- true' -e 'b: file d --debounce 3s --each -j 2 -- true' \
    -e 'c: lines f --quiet-for 1m --to t' -e 't: task --retry forever -- true' -e 'd: lines f --unique 1h -- true'
  [ "$status" = 0 ]
  grep -q '^a: .*; only when the same \$2 came 5 times within 10m; at most once in 1s.*; the rule ends after 3 runs; evwatch stops with it' <<<"$output"
  grep -q '^b: .*; once it was quiet for 3s, or after 30s; a run for each path; at most 2 at once' <<<"$output"
  grep -q '^c: .*, hand it to t; once there was none for 1m' <<<"$output"
  grep -q '^t: .*; after a failure again and again' <<<"$output"
  grep -q '^d: .*; not for the same subject again within 1h' <<<"$output"
}

@test "the help of a kind lists the filters that it takes, and no others" {
  run_ev lines --help all
  grep -q -- '--times N/DUR' <<<"$output"
  lacks -- '--debounce' <<<"$output"
  lacks -- '--each' <<<"$output"
  run_ev file --help all
  grep -q -- '--each' <<<"$output"
  run_ev every --help all
  lacks -- '--unique' <<<"$output"
}

@test "a rule that waited for --throttle goes on when a reload has replaced the task of its --to" {
  mkdir d
  : >log
  printf '%s\n' 'a: lines log --follow --throttle 1s --to t' 'b: file d --debounce 0 --throttle 1s --to t' 't: task -- echo "old $1" >>runs' >rules
  start -f rules
  printf '%s\n' 1 2 3 >>log
  touch d/x
  until_ok '[ "$(lines_of runs)" = 2 ]'
  touch d/y
  sed -i 's/echo "old/echo "new/' rules
  kill -HUP "$P"
  until_ok 'grep -q "rules read again" err'
  echo 4 >>log
  until_ok 'grep -q "new 4" runs && grep -q "new d/y" runs' 20
  # What was read already is not lost.
  [ "$(sed -n 's/^[a-z]* \([0-9]\)/\1/p' runs | tr -d '\n')" = 1234 ]
}

@test "lines --catch-up --to goes on when a reload has replaced the task in the midst of a run" {
  : >log
  printf '%s\n' 'a: lines log --follow --catch-up state --to t' 't: task -j 2 -- echo "old $1" >>runs; exec sleep 100' >rules
  start -f rules
  printf '%s\n' 1 2 3 >>log
  until_ok '[ -s runs ]'
  sed -i 's/old/new/; s/exec sleep 100/true/' rules
  kill -HUP "$P"
  until_ok 'grep -q "new 3" runs' 20
  [ "$(tr '\n' ' ' <runs)" = 'old 1 new 2 new 3 ' ]
}

@test "after a reload a rule hands its events to the task that took the place of the old one" {
  printf '%s\n' 'a: signal USR1 --to t' 't: task -- echo old >>runs' >rules
  start -f rules
  kill -USR1 "$P"
  until_ok '[ "$(cat runs)" = old ]'
  sed -i 's/echo old/echo new/' rules
  kill -HUP "$P"
  until_ok 'kill -USR1 $P; sleep 0.1; grep -q new runs'
  stop
  [ "$STATUS" = 143 ]
}
