#!/usr/bin/env bats
# check and --dry-run: what only this machine can say.
load helper

# wrong RULE PATTERN: check and --dry-run refuse the rule, and say why.
wrong() {
  run_ev check -e "$1"
  [ "$status" = 2 ] && grep -q -- "$2" <<<"$output" || { echo "$1: $status $output"; return 1; }
  run_ev -n -e "$1"
  [ "$status" = 2 ] && grep -q -- "$2" <<<"$output"
}

@test "programs, users and directories that are not there are errors with their place" {
  touch plain
  wrong 'every 1h -- nonesuch-program' '^evwatch: -e:1:1: nonesuch-program: command not found'
  wrong 'every 1h -- ./nonesuch' './nonesuch: command not found'
  wrong 'every 1h -- ./plain x' 'plain is no program that may be executed'
  wrong 'every 1h --env PATH=/nonesuch -- true-to-life' 'PATH is /nonesuch'
  wrong 'every 1h --run-as nonesuch-user -- true' '--run-as: .*nonesuch-user'
  wrong 'every 1h --cwd /nonesuch -- true' '--cwd: /nonesuch is no directory'
  run_ev check every 1h -- nonesuch-program x
  [ "$status" = 2 ]
}

@test "text that the shell does not take is an error, and the commands are not run" {
  wrong 'every 1h -- if true; then echo' 'the shell rejects the command: .*[Ss]yntax error'
  wrong 'every 1h -- echo "a' 'the shell rejects the command'
  run_ev check -e 'a: every 1h -- touch made; [ "$1" ] && nonesuch | true' -e 'b: every 1h -- X=1 true'
  [ "$status" = 0 ]
  [ ! -e made ]
}

@test "an address that another process has is an error; that of an evwatch is none" {
  port=$(free_port)
  python3 -c "
import socket, time
s = socket.create_server(('127.0.0.1', $port)); open('up', 'w'); time.sleep(1000)" 3>&- &
  STARTED+=("$!")
  until_ok '[ -e up ]'
  wrong "listen 127.0.0.1:$port -- cat" "cannot listen on 127.0.0.1:$port"
  wrong "relay 127.0.0.1:$port 127.0.0.1:9" "cannot listen on 127.0.0.1:$port"
  wrong 'listen unix:nonesuch/sock -- cat' 'cannot listen on unix:nonesuch/sock'
  start -e 'listen 127.0.0.1:0 -- cat'
  run_ev check -e "listen 127.0.0.1:$(port) unix:sock -- cat"
  [ "$status" = 0 ]
  [ ! -e sock ]
}

@test "an address that two rules want is an error of the second, also while an evwatch has it" {
  p=$(free_port)
  for words in "listen 127.0.0.1:$p -- cat" "relay *:$p 127.0.0.1:9" "run --socket $p -- exec sleep 9"; do
    run_ev check -e "a: listen $p -- cat" -e "$words"
    [ "$status" = 2 ] && grep -q "^evwatch: -e:1:1: .*cannot listen on .*:$p: Address already in use" <<<"$output" ||
      { echo "$words: $output"; return 1; }
    grep -q '\^ another rule of this evwatch listens there' <<<"$output"
  done
  run_ev check -e "listen unix:s -- cat" -e "listen unix:s -- cat"
  [ "$status" = 2 ] && grep -q '\^ another rule of this evwatch listens there' <<<"$output"
  start listen "127.0.0.1:$p" -- cat
  run_ev check -e "listen 127.0.0.1:$p -- cat" -e "listen 127.0.0.1:$p -- cat"
  [ "$status" = 2 ]
  # What may share an address, and what has another one.
  run_ev check -e "listen udp:$p --reuseport -- cat" -e "listen udp:$p --reuseport -- cat" -e 'listen 0 0 -- cat' \
    -e 'listen 0 -- cat' -e 'listen unix:t -- cat' -e 'run --socket unix:u -- exec sleep 9'
  [ "$status" = 0 ] || { echo "$output"; return 1; }
}

@test "all errors are told at once; --json has them, and the rules, for editors" {
  printf 'a: every 1h -- nonesuch-1\nb: every 1h --cwd /nonesuch -- nonesuch-2\n' >r
  run_ev check -f r
  [ "$status" = 2 ]
  [ "$(grep -c '^evwatch: r:' <<<"$output")" = 3 ]
  run_ev check --json -f r
  [ "$status" = 2 ]
  python3 -c '
import json, sys
found = [json.loads(l) for l in sys.stdin]
assert [(f["line"], f["level"], f["file"]) for f in found] == [(1, "error", "r"), (2, "error", "r"), (2, "error", "r")], found' <<<"$output"
  run_ev check --json -e 'x: every 1h -- true'
  [ "$output" = '{"rule":"x","kind":"every","does":"x: on a tick every 1h, run true; skipped while it still runs"}' ]
  run_ev check --json -e 'x: evry 1h -- true'
  [ "$status" = 2 ]
  grep -q '"line":1,"column":4,"hint":"did you mean every?"' <<<"$output"
}

@test "the words of a rule hold every option of it: those of set too, each once, quoted" {
  cat >site.rules <<'E'
set --tag --nice 3
t: task --timeout 3s --nice 5 -- true
c: lines log --follow --catch-up state --from start --max-line 10k --stdin paths --output group --env 'A=b c' --env D=e --throttle 3s --on-busy parallel -j 3 -- cat
p: probe http://127.0.0.1:1/ --expect 204 --rise 2 --interval 2s --first --on-busy skip -- true
r: run --restart always --backoff 1s:3s --retry 4 --stop-signal INT -- true
e: every 1h --jitter 3s --missed none --late 3s --debounce 0 -- true
E
  run_ev check --control ctl -f site.rules
  [ "${lines[0]}" = 't: on what other rules (--to) or "evwatch trigger" hand to it, run true; stopped after 3s; with --tag --nice 5' ]
  [ "${lines[1]}" = "c: on each new line of log, from where it ended before (record in state), run cat; at most once in 3s; beside one that still runs; at most 3 at once; with --tag --nice 3 --from start --max-line 10k --stdin paths --output group --env 'A=b c' --env D=e" ]
  [ "${lines[2]}" = 'p: on http://127.0.0.1:1/ going up or down, the first answer included, run true; skipped while it still runs; with --tag --nice 3 --expect 204 --rise 2 --interval 2s' ]
  [ "${lines[3]}" = 'r: at the start, and again after each end (after 1s, doubling to 3s; until 4 in a row have failed), run true; with --tag --nice 3 --stop-signal INT' ]
  [ "${lines[4]}" = 'e: on a tick every 1h, none that is noticed more than 3s late, run true; at once; skipped while it still runs; with --tag --nice 3 --jitter 3s' ]
}

@test "check warns of {} in shell text, of options of evwatch behind --, and of --last of a rule without end" {
  run_ev check -e 'every 1s -- date {}'
  [ "$status" = 0 ]
  grep -qF '{} is plain text in a shell command' <<<"$output"
  run_ev check every 1s -- date --on-busy restart
  grep -q -- 'warning: --on-busy after -- belongs to the command' <<<"$output"
  run_ev check -e 'run --restart always --last -- true' -e 'file . --last -- true'
  [ "$(grep -c -- 'warning: --last has no effect: this rule never ends by itself' <<<"$output")" = 2 ]
  grep -q -- '--restart no ends it with its command' <<<"$output"
  run_ev check -e 'run --restart no --last -- true' -e 'every 1s --last --runs 2 -- true' -e 'after 1s --last -- true'
  ! grep -q warning <<<"$output" || return 1
  # What other programs have too is theirs.
  run_ev check -e "every 1s -- find . -exec cat {} +" -e 'every 2s -- date --once' every 3s -- echo {}
  ! grep -q warning <<<"$output"
}
