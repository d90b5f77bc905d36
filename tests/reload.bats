#!/usr/bin/env bats
# Reading the rules again: HUP and evwatch reload.
load helper

prepare() {
  export EVWATCH_CONTROL=$PWD/ctl
}

# rules: standard input becomes r.rules.
rules() {
  cat >r.rules.new
  mv r.rules.new r.rules
}

# names: the rules at work, in order.
names() {
  "$EV" status --json | python3 -c 'import json, sys; print(*[r["name"] for r in json.load(sys.stdin)["rules"]])'
}

@test "a rule that says the same keeps its command, its queue and its count; others come and go" {
  mkfifo in
  rules <<'R'
same: lines in -- echo "$EVWATCH_COUNT $1" >>log; until [ -e go ]; do sleep 0.01; done
gone: every 1h --initial -- echo $$ >gone.pid; exec sleep 1000
R
  start --control ctl -f r.rules
  exec 5<>in
  printf 'a\nb\n' >&5
  until_ok 'grep -q a log && [ -s gone.pid ]'
  rules <<'R'
new: every 1h --initial -- touch new

# a comment, and another place in the file
same:   lines in -- echo "$EVWATCH_COUNT $1" >>log; until [ -e go ]; do sleep 0.01; done
R
  run_ev reload
  [ "$status" = 0 ]
  [ "$output" = '1 rules unchanged, 1 new or changed, 1 removed' ]
  until_ok '[ -e new ] && ! kill -0 $(cat gone.pid) 2>/dev/null'
  [ "$(names)" = 'new same' ]
  printf 'c\n' >&5
  touch go
  until_ok '[ "$(lines_of log)" = 3 ]'
  [ "$(tr '\n' ' ' <log)" = '1 a 2 b 3 c ' ]
}

@test "HUP reads the rules again, with what set says; rules of -e and of standard input stay" {
  rules <<<'a: every 1h --initial -- touch a1'
  mkfifo stdin
  env --default-signal=HUP "$EV" --control ctl --ready-file ready -e 'e: every 1h' -f r.rules -f - <stdin >out 2>err 3>&- &
  P=$!
  STARTED+=("$P")
  echo 'i: every 1h' >stdin
  until_ok '[ -e ready ] && [ -e a1 ]'
  rules <<'R'
set --env X=7
a: every 1h --initial -- touch a1.$X
b: every 1h --initial -- touch b1
R
  kill -HUP "$P"
  until_ok '[ -e a1.7 ] && [ -e b1 ]'
  until_ok 'grep -q "rules read again: 2 unchanged, 2 new or changed, 0 gone" err'
  [ "$(names)" = 'e a b i' ]
}

@test "errors change nothing, and are told whole" {
  rules <<<'a: every 1h'
  start --control ctl -f r.rules
  rules <<'R'
a: evry 1h
b: every 1x
R
  run_ev reload
  [ "$status" = 1 ]
  for f in err <(echo "$output"); do
    tee >(cat >&2) <"$f" >seen
    grep -q 'r.rules:1:4: there is no kind "evry"' seen
    grep -q '^ *^ did you mean every?' seen
    grep -q 'r.rules:2:' seen
  done
  [ "$(names)" = a ]
  rm r.rules
  run_ev reload
  [ "$status" = 1 ]
  grep -q 'cannot read r.rules' <<<"$output"
  rules <<<'a: every 1h'
  run_ev reload
  [ "$output" = '1 rules unchanged, 0 new or changed, 0 removed' ]
}

@test "one new rule that cannot be opened changes nothing" {
  rules <<<'a: listen 127.0.0.1:0 -- echo old'
  start --control ctl -f r.rules
  port=$(port)
  taken=$(free_port)
  start_server "$taken"
  rules <<R
a: listen 127.0.0.1:0 -- echo new
b: listen 127.0.0.1:$taken -- cat
R
  run_ev reload
  [ "$status" = 1 ]
  grep -q "^b: cannot listen on 127.0.0.1:$taken" <<<"$output"
  [ "$(tcp "$port" </dev/null)" = old ]
  [ "$(names)" = a ]
}

start_server() {
  python3 -c "
import socket, time
s = socket.create_server(('127.0.0.1', $1)); open('taken', 'w'); time.sleep(1000)" 3>&- &
  STARTED+=("$!")
  until_ok '[ -e taken ]'
}

@test "a changed listener keeps its sockets: no connection is refused, the port and the file stay" {
  rules <<'R'
a: listen 127.0.0.1:0 unix:sock -- echo 0
r: relay unix:relay 127.0.0.1:9
R
  start --control ctl -f r.rules
  port=$(port a)
  python3 - "$port" >refused <<'P' 3>&- &
import os, socket, sys
n = bad = 0
while not os.path.exists('enough'):
    n += 1
    try:
        s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 30)
        s.makefile().readline() # nothing, where the reload stopped the command
        s = socket.socket(socket.AF_UNIX); s.connect('sock'); s.makefile().read()
    except OSError as e: bad += 1; print(e)
print(n, bad, file=open('connected', 'w'))
P
  STARTED+=("$!")
  for i in 1 2 3 4 5 6 7 8; do
    printf 'a: listen 127.0.0.1:0 unix:sock -- echo %s\nr: relay unix:relay 127.0.0.1:1%s\n' "$i" "$i" | rules
    "$EV" reload >/dev/null
  done
  until_ok '[ "$(tcp "$port" </dev/null)" = 8 ]'
  touch enough
  until_ok '[ -s connected ]'
  cat refused
  read -r n bad <connected
  [ "$n" -gt 0 ] && [ "$bad" = 0 ]
  [ "$(port a)" = "$port" ]
  [ -S sock ] && [ -S relay ]
  until_ok '[ "$("$EV" status --json | grep -o "\"name\"" | wc -l)" = 2 ]'
  stop
  [ ! -e sock ] && [ ! -e relay ]
}

@test "timers keep their phase, and connections through an unchanged relay stay" {
  cat >echo.py <<'P'
import socket, threading
s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], file=open('up', 'w'), flush=True)
def serve(c):
    while d := c.recv(4096): c.sendall(d)
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
P
  python3 echo.py 3>&- &
  STARTED+=("$!")
  until_ok '[ -s up ]'
  rules <<R
t: every 100ms --missed all
r: relay 127.0.0.1:0 127.0.0.1:$(cat up)
x: every 1h
R
  start --control ctl -f r.rules --json
  python3 - "$(port r)" "$EV" <<'P'
import socket, subprocess, sys
all = [socket.create_connection(('127.0.0.1', int(sys.argv[1]))) for i in range(50)]
text = open('r.rules').read()
for n in range(20):
    open('r.rules', 'w').write(text.replace('x: every 1h', f'x: every {n + 2}h'))
    subprocess.run([sys.argv[2], 'reload'], check=True, stdout=subprocess.DEVNULL)
    for s in all: s.sendall(b'ping%d' % n)
    for s in all: assert s.recv(100) == b'ping%d' % n
P
  until_ok '[ "$(grep -c "\"scheduled\"" out)" -gt 5 ]'
  stop
  python3 - <<'P'
import json
due = [json.loads(l)['scheduled'] for l in open('out') if '"t"' in l]
assert all(abs(b - a - 0.1) < 1e-3 for a, b in zip(due, due[1:])), due
P
}

@test "a changed rule's command starts when its predecessor's has ended" {
  rules <<<'s: every 1h --initial -- trap "until [ -e go ]; do sleep 0.02; done; echo end >>log; exit 0" TERM; echo start1 >>log; while :; do sleep 0.02; done'
  start --control ctl -f r.rules
  until_ok 'grep -q start1 log'
  # The second one waits, and so does the third, which replaces it.
  rules <<<'s: every 1h --initial -- echo start2 >>log'
  "$EV" reload
  rules <<<'s: every 1h --initial -- echo start3 >>log'
  "$EV" reload
  [ "$(cat log)" = start1 ]
  touch go
  until_ok 'grep -q start3 log'
  [ "$(tr '\n' ' ' <log)" = 'start1 end start3 ' ]
}

@test "rules without a name are known by their text, and counters do not go back" {
  rules <<'R'
after 1ms -- true
every 1h --initial -- touch "$EVWATCH_RULE"
n: after 1ms -- exit 1
R
  start --control ctl -f r.rules
  until_ok '[ -e every1 ] && "$EV" status --prometheus | grep -q "rule_failures_total{rule=\"n\",kind=\"after\"} 1"'
  rules <<'R'
after 1ms -- true
every 2h
every 1h --initial -- touch "$EVWATCH_RULE"
n: after 2h -- exit 1
R
  run_ev reload
  [ "$output" = '2 rules unchanged, 2 new or changed, 0 removed' ]
  [ "$(names)" = 'after1 every1 every2 n' ]
  "$EV" status --prometheus | grep -q 'rule_failures_total{rule="n",kind="after"} 1'
  "$EV" trigger every2
  until_ok '[ -e every2 ]'
}

@test "a rule that is called otherwise after a reload has that name in tags and in the ready file" {
  mkfifo in
  rules <<'R'
listen 127.0.0.1:0 -- true
lines in --tag -- echo one; until [ -e go ]; do sleep 0.01; done; echo two
R
  start --control ctl -f r.rules
  port=$(port listen1)
  echo >in &
  until_ok 'grep -q "^lines1: one" out'
  rules <<'R'
lines other --follow
listen 127.0.0.1:0 -- echo new
listen 127.0.0.1:0 -- true
lines in --tag -- echo one; until [ -e go ]; do sleep 0.01; done; echo two
R
  "$EV" reload
  touch go
  until_ok 'grep -q "^lines2: two" out'
  [ "$(port listen2)" = "$port" ]
  [ "$(port listen1)" != "$port" ]
}

@test "a rule for HUP or TERM that comes with a reload takes the signal, and gives it back" {
  rules <<<'a: every 1h'
  start --control ctl -f r.rules
  rules <<'R'
a: every 1h
h: signal HUP TERM -- echo "$1" >>log
R
  kill -HUP "$P"
  until_ok '[ "$(names)" = "a h" ]'
  kill -HUP "$P"
  until_ok 'grep -q HUP log'
  kill -TERM "$P"
  until_ok 'grep -q TERM log'
  rules <<<'a: every 1h'
  "$EV" reload
  until_ok '[ "$(names)" = a ]'
  stop
  [ "$STATUS" = 143 ]
}

@test "a thousand changed rules are read again while a timer stays on time" {
  { echo 't: every 50ms --missed all'; for i in $(seq 1000); do echo "r$i: every 1h -- true $i"; done; } >r.rules
  start --control ctl -f r.rules
  for i in 1 2 3; do
    sed -i "s/true.*/true again $i/" r.rules
    run_ev reload
    [ "$output" = '1 rules unchanged, 1000 new or changed, 0 removed' ]
  done
  run_ev reload
  [ "$output" = '1001 rules unchanged, 0 new or changed, 0 removed' ]
}

@test "ended over a reload: the end of a run that goes on is for the rule as it stands then; a stopped one is no end" {
  rules <<'R'
build: signal USR1 -- : >on; until [ -e go ]; do sleep 0.01; done
e: ended build -- echo old >>log
R
  start --control ctl -f r.rules
  kill -USR1 "$P"
  until_ok '[ -e on ]'
  rules <<'R'
build: signal USR1 -- : >on; until [ -e go ]; do sleep 0.01; done
e: ended build -- echo "new $2" >>log
R
  "$EV" reload
  touch go
  until_ok '[ "$(cat log)" = "new 0" ]'
  rm go on
  kill -USR1 "$P"
  until_ok '[ -e on ]'
  rules <<'R'
build: signal USR1 -- exit 3
e: ended build -- echo "new $2" >>log
R
  "$EV" reload
  kill -USR1 "$P"
  until_ok '[ "$(tail -n 1 log)" = "new 3" ]'
  [ "$(lines_of log)" = 2 ]
}

@test "ended that comes with a reload, for a rule that is over by then, ends too" {
  rules <<'R'
a: after 0 -- true
k: signal USR1 --runs 1 -- true
R
  start -vv --control ctl -f r.rules
  until_ok 'grep -q "a: the rule has ended" err'
  rules <<'R'
a: after 0 -- true
k: signal USR1 --runs 1 -- true
e: ended a -- touch no
R
  "$EV" reload
  kill -USR1 "$P"
  ended
  [ "$STATUS" = 0 ]
  [ ! -e no ]
}

@test "a changed rule with --catch-up goes on where the old one was; a reload that fails leaves the record to the old one" {
  rules <<'R'
a: lines log --follow --from start --catch-up state -- echo "old $1" >>seen
c: cron '0 0 1 1 *' --catch-up state -- true
R
  echo 1 >log
  start --control ctl -f r.rules
  until_ok '[ "$(cat seen)" = "old 1" ]'
  rules <<'R'
a: lines log --follow --from start --catch-up state -- echo "bad $1" >>seen
z: lines nonesuch -- true
R
  run_ev reload
  [ "$status" = 1 ]
  echo 2 >>log
  until_ok '[ "$(tail -n 1 seen)" = "old 2" ]'
  rules <<'R'
a: lines log --follow --from start --catch-up state -- echo "new $1" >>seen
c: cron '0 0 2 1 *' --catch-up state -- true
R
  run_ev reload
  [ "$status" = 0 ] || { echo "$output"; false; }
  echo 3 >>log
  until_ok '[ "$(tail -n 1 seen)" = "new 3" ]'
  run_ev -e 'a: lines log --follow --catch-up state -- true'
  [ "$status" = 1 ]
  grep -q 'another evwatch keeps the last run of a in state' <<<"$output"
  stop
  echo 4 >>log
  start -f r.rules
  until_ok '[ "$(tail -n 1 seen)" = "new 4" ]'
  [ "$(tr '\n' ' ' <seen)" = 'old 1 old 2 new 3 new 4 ' ]
}

# slow_start ARGS...: as start, but it is not waited for; there is a tree of 500 directories, and a watch
# takes 20 ms to come or go while there is a file `slow`.
slow_start() {
  [ -e slow.so ] || cc -shared -fPIC -D_GNU_SOURCE -o slow.so "$BATS_TEST_DIRNAME/shim/slow_watch.c" -ldl
  mkdir -p tree/d{1..500}
  touch tree/old slow
  SLOW_WATCHES=$PWD/slow LD_PRELOAD=$PWD/slow.so ASAN_OPTIONS=verify_asan_link_order=0:$ASAN_OPTIONS \
    env --default-signal=INT,QUIT,HUP "$EV" --ready-file ready "$@" >out 2>err 3>&- </dev/null &
  P=$!
  STARTED+=("$P")
}
watches() { cat "/proc/$(loop_pid)/fdinfo/"* 2>/dev/null | grep -c '^inotify'; }
reloads() { "$EV" status --json | grep -o '"reloads":[0-9]*' | cut -d: -f2; }

@test "while a reload reads a large tree others go on; what happens there meanwhile is reported, what was there is not" {
  rules <<<'s: signal USR1'
  slow_start --control ctl -f r.rules
  until_ok '[ -e ready ]'
  rules <<'R'
s: signal USR1
f: file tree
R
  kill -HUP "$P"
  kill -USR1 "$P"
  until_ok 'has_line "USR1 USR1"'
  [ "$(reloads)" = 0 ]
  [ "$(names)" = s ]
  until_ok '[ "$(watches)" -gt 10 ]'
  touch tree/new
  mkdir -p tree/more/deep
  touch tree/more/deep/f
  mv tree/old tree/moved
  [ "$(reloads)" = 0 ]
  rm slow
  until_ok '[ "$(reloads)" = 1 ]'
  until_ok 'has_line "create tree/more/deep/f"'
  until_ok 'has_line "create tree/new" && has_line "move tree/moved"'
  [ "$(grep -cv 'USR1\|tree/new$\|tree/more\|move tree/moved$' out)" = 0 ]
}

@test "a rule that leaves with a large tree is taken apart beside the others, which go on" {
  rules <<'R'
s: signal USR1
f: file tree
R
  slow_start --control ctl -f r.rules
  rm slow
  until_ok '[ -e ready ]'
  touch slow
  rules <<<'s: signal USR1'
  kill -HUP "$P"
  until_ok '[ "$(reloads)" = 1 ]'
  touch tree/d500/f
  kill -USR1 "$P"
  until_ok 'has_line "USR1 USR1"'
  [ "$(names)" = s ]
  [ "$(watches)" -gt 10 ]
  rm slow
  until_ok '[ "$(watches)" -lt 10 ]'
  [ "$(cat out)" = 'USR1 USR1' ]
}

@test "a reload that cannot open one of its rules leaves all as it was, whatever it has read by then; one that is asked for meanwhile comes next" {
  rules <<<'s: signal USR1'
  slow_start --control ctl -f r.rules
  until_ok '[ -e ready ]'
  rules <<'R'
f: file tree
z: lines nonesuch -- true
R
  kill -HUP "$P"
  until_ok '[ "$(watches)" -gt 10 ]'
  rules <<'R'
s: signal USR1
g: file tree
R
  "$EV" reload >answer &
  rm slow
  until_ok '[ -s answer ]'
  [ "$(cat answer)" = '1 rules unchanged, 1 new or changed, 0 removed' ]
  logged 'cannot read nonesuch'
  logged 'the rules stay as they were'
  [ "$(names)" = 's g' ]
  touch tree/d1/f
  until_ok 'has_line "create tree/d1/f"'
}

@test "TERM is taken while a reload, or the first start, reads a large tree" {
  rules <<<'s: signal USR1'
  slow_start --control ctl -f r.rules
  until_ok '[ -e ready ]'
  rules <<<'f: file tree'
  kill -HUP "$P"
  until_ok '[ "$(watches)" -gt 10 ]'
  kill -TERM "$P"
  ended
  [ "$STATUS" = 143 ]
  logged 'the rules stay as they were'
  rm ready
  slow_start -f r.rules
  until_ok '[ "$(watches)" -gt 10 ]'
  kill -TERM "$P"
  ended
  [ "$STATUS" = 143 ]
  [ ! -e ready ]
  ! logged 'did not take'
}
