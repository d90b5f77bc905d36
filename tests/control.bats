#!/usr/bin/env bats
# The control socket and the tools that talk to it.
load helper

prepare() {
  export EVWATCH_CONTROL=$PWD/ctl
  unset XDG_RUNTIME_DIR
}

# json EXPRESSION: of the status, as python sees it: s.
json() {
  "$EV" status --json | python3 -c "import json, sys; s = json.load(sys.stdin); r = {x['name']: x for x in s['rules']}; print($1)"
}

@test "status shows what each rule did, as text, JSON and for Prometheus" {
  start --control ctl -e 'bad: after 10ms -- exit 3' -e 'tick: every 1h --initial -- true' -e 'rel: relay 127.0.0.1:0 127.0.0.1:9' -e 'echo: listen 127.0.0.1:0 -- cat'
  until_ok '[ "$(json "r[\"bad\"][\"runs\"]")" = 1 ]'
  [ "$(json "r['bad']['last_status'], r['bad']['failures'], r['bad']['state']")" = "3 1 ended" ]
  [ "$(json "r['tick']['runs'], 'next' in r['tick'], r['tick']['kind']")" = "1 True every" ]
  [ "$(json "s['loop']['turns'] > 0 and s['process']['descriptors'] > 3 and s['process']['memory'] > 100000")" = True ]
  run_ev status
  [ "$status" = 0 ]
  grep -Eq '^bad +after +ended +1 +1 +1 +0 +0 +0 +status 3 in ' <<<"$output"
  "$EV" status --prometheus | python3 "$ROOT/tests/prometheus.py" >counters
  grep -q '^evwatch_rule_failures_total{rule="bad",kind="after"} 1$' counters
}

@test "status counts the directories, watches and overflows of files, and what workers of a relay carry" {
  mkdir -p src/a/b src/c
  start --control ctl -e 'f: file src -- true' -e 'one: file src/c -- true' -e 'rel: relay 127.0.0.1:0 unix:echo --workers 2' -e 'echo: listen unix:echo -- cat'
  [ "$(json "r['f']['files']['directories'], r['f']['files']['watches'] >= 4, r['f']['files']['overflows']")" = "4 True 0" ]
  for word in one two three; do
    [ "$(tcp "$(port rel)" <<<$word)" = $word ]
  done
  until_ok '[ "$(json "r[\"rel\"][\"relay\"][\"accepted\"], r[\"rel\"][\"relay\"][\"connections\"]")" = "3 0" ]'
  [ "$(json "[(t['connections'], t['chosen'], t['bytes_to'], t['bytes_from']) for t in r['rel']['relay']['targets']]")" = "[(0, 3, 14, 14)]" ]
  run_ev status
  grep -q '^f: 4 directories, .* 0 overflows$' <<<"$output"
  grep -q '^one: 1 directory, ' <<<"$output"
  "$EV" status --prometheus | python3 "$ROOT/tests/prometheus.py" >counters
  grep -q '^evwatch_file_overflows_total{rule="f",kind="file"} 0$' counters
  grep -q '^evwatch_relay_target_chosen_total{rule="rel",kind="relay",target="unix:echo"} 3$' counters
}

@test "trigger runs a rule by hand, past its filters, with subjects; --wait has its status" {
  mkdir src
  start --control ctl -e 'f: file src --match "*.c" --debounce 1h -- echo "$EVWATCH_EVENT $*" >>log; exit "$#"' -e 't: every 1h -- sleep 100'
  run_ev trigger --wait f 'a b' --control "$EVWATCH_CONTROL" -- --c
  [ "$status" = 2 ]
  [ "$(cat log)" = 'trigger a b --c' ]
  run_ev trigger f
  [ "$status" = 0 ]
  until_ok '[ "$(lines_of log)" = 2 ]'
  "$EV" trigger t
  until_ok '[ "$(json "r[\"t\"][\"running\"]")" = 1 ]'
  run_ev trigger --wait t
  [ "$status" = 1 ]
  grep -q skipped <<<"$output"
  "$EV" stop t
  until_ok '[ "$(json "r[\"t\"][\"running\"]")" = 0 ]'
  [ "$(json "r['t']['last_status'], r['t']['failures'], r['t']['last_stopped']")" = "143 0 True" ]
  run_ev status
  grep -Eq '^t .* stopped after ' <<<"$output"
}

@test "trigger of a rule with --each runs each subject; --wait waits for all, with the first failure" {
  mkdir src
  start --control ctl -q -e 'f: file src --each -j 2 -- [ "$1" != b ] || { until [ -e c ]; do sleep 0.01; done; exit 5; }; touch "$1"; echo "$#" >>log'
  run_ev trigger --wait f a b c
  [ "$status" = 5 ]
  [ "$(tr '\n' ' ' <log)" = '1 1 ' ]
  [ -e a ] && [ -e c ]
  run_ev trigger --wait f a c
  [ "$status" = 0 ]
}

@test "what cannot be triggered, and a rule that is not there, are refused with a cure" {
  start --control ctl -e 'rel: relay 127.0.0.1:0 127.0.0.1:9' -e 'echo: listen 127.0.0.1:0 -- cat' -e 'timer: every 1h'
  for rule in rel echo; do
    run_ev trigger $rule
    [ "$status" = 1 ]
  done
  run_ev trigger tmier
  [ "$status" = 1 ]
  grep -q 'did you mean timer?' <<<"$output"
  run_ev trigger
  [ "$status" = 2 ]
  run_ev pause timer
  [ "$status" = 1 ]
  run_ev status --jason
  [ "$status" = 2 ]
  grep -q 'did you mean --json?' <<<"$output"
  run_ev trigger timer x
  [ "$status" = 0 ]
  until_ok 'grep -q "^trigger x$" out'
}

@test "a paused rule's events wait, and are run when it is resumed" {
  mkfifo fifo
  start --control ctl -e 'l: lines fifo -- echo "$1" >>log' -e 'f: file src -- echo "$@" >>flog' -e 't: every 1h -- true'
  "$EV" pause l
  "$EV" pause f
  "$EV" pause t
  run_ev trigger --wait t
  [ "$status" = 1 ]
  [ "$output" = 'evwatch: trigger: skipped: the rule is paused' ]
  printf 'a\nb\n' >fifo
  mkdir -p src
  touch src/1
  touch src/2
  [ "$(json "r['l']['state'], r['f']['state']")" = "paused paused" ]
  run timeout 1 "$EV" trigger --wait l c
  [ "$status" = 124 ]
  [ ! -e log ]
  [ ! -e flog ]
  "$EV" resume l
  "$EV" resume f
  until_ok '[ "$(sort log | tr "\n" " ")" = "a b c " ]'
  until_ok 'grep -q src/1 flog && grep -q src/2 flog'
}

@test "quit ends it as TERM does, a rule for TERM or not, and removes the socket" {
  start --control ctl -e 's: signal TERM -- true'
  "$EV" quit
  ended
  [ "$STATUS" = 143 ]
  [ ! -e ctl ]
}

@test "the socket is found: --control, EVWATCH_CONTROL, the one in XDG_RUNTIME_DIR" {
  unset EVWATCH_CONTROL
  run_ev status
  [ "$status" = 1 ]
  grep -q -- '--control PATH' <<<"$output"
  export XDG_RUNTIME_DIR=$PWD/run
  mkdir run
  run_ev status
  [ "$status" = 1 ]
  start --control "$PWD/run/evwatch/a" every 1h
  [ "$(stat -c %a run/evwatch/a run/evwatch)" = $'600\n700' ]
  run_ev status
  [ "$status" = 0 ]
  run timeout 100 "$EV" --control run/evwatch/a every 1h
  [ "$status" = 1 ]
  grep -qi 'address already in use' <<<"$output"
  start --control "$PWD/run/evwatch/b" every 1h
  run_ev status
  [ "$status" = 1 ]
  grep -q 'several' <<<"$output"
  run_ev status --control run/evwatch/b
  [ "$status" = 0 ]
}

@test "another user is refused, even where the socket's mode lets it in" {
  [ "$(id -u)" = 0 ] || skip "only root can try it"
  folder=$(mktemp -d)
  chmod 755 "$folder"
  start --control "$folder/ctl" every 1h
  chmod 777 "$folder/ctl"
  as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups timeout 100 nc -NU "$folder/ctl"; }
  as_nobody <<<'{"do":"quit"}' >/dev/null || true
  # It is answered before it asks: who writes first may find the connection closed.
  output=$(as_nobody </dev/null)
  kill -0 "$P"
  stop
  rmdir "$folder"
  grep -q 'belongs to another user' <<<"$output"
}

@test "clients that ask too much, nonsense, half or nothing disturb nobody" {
  start --control ctl -e 'e: every 100ms --missed one -- true'
  cat >clients.py <<'P'
import json, socket
def client():
    s = socket.socket(socket.AF_UNIX); s.connect("ctl"); return s
idle = [client() for i in range(200)]
for i, s in enumerate(idle):
    try:
        if i % 2: s.sendall(b'{"do":"sta')
    except OSError: pass
s = client()
sent = 0
try:
    while sent < 1 << 30: sent += s.send(b'x' * 65536)
except OSError: pass
assert sent < 4 << 20, sent
for bad in b'nonsense\n', b'[]\n', b'{"do":7}\n', b'{"do":"trigger","rule":"e","subjects":[1]}\n', b'\n', b'{"do":"stop","rule":"e"\0}\n':
    s = client(); s.sendall(bad)
    assert json.loads(s.makefile().readline())["ok"] is False, bad
s = client()
f = s.makefile()
for i in range(100):
    s.sendall(b'{"do":"status"}\n' * 10)
    for k in range(10): assert json.loads(f.readline())["ok"]
slow = client()
try: slow.sendall(b'{"do":"status"}\n' * 3000)
except OSError: pass
print("answered")
P
  run timeout 100 python3 clients.py
  [ "$output" = answered ] || { echo "$output"; return 1; }
  [ "$(json "r['e']['runs'] > 0")" = True ]
}
