#!/usr/bin/env bats
# The command line: help, errors, limits, exit statuses.
load helper

@test "--version names the version and the backends" {
  run_ev --version
  [ "$status" = 0 ]
  [[ ${lines[0]} =~ ^evwatch\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
  [ "${lines[1]}" = "backends: epoll io_uring poll select" ]
}

@test "--help fits a screen and names every kind" {
  run_ev --help
  [ "$status" = 0 ]
  for kind in file every after at signal listen relay lines probe exit; do
    grep -q "^  $kind " <<<"$output"
  done
  [ "$(wc -l <<<"$output")" -le 50 ]
}

@test "every kind tells its options, events and two examples" {
  for kind in file every after at signal listen relay lines probe exit; do
    run_ev "$kind" --help
    [ "$status" = 0 ]
    grep -q '^Events:' <<<"$output"
    [ "$(grep -c "^  .*evwatch.* $kind " <<<"$output")" -ge 1 ]
  done
}

@test "the help of a kind fits a screen; all options and the topics are a word away" {
  for kind in $("$EV" --help | sed -n '/^Kinds/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    run_ev "$kind" --help
    [ "$(wc -l <<<"$output")" -le 60 ]
    [ "$(grep -c -- --stop-timeout <<<"$output")" = 0 ]
    grep -q "\"evwatch $kind --help all\"" <<<"$output"
    run_ev help "$kind" all
    grep -q -- '--json\|--stop-timeout' <<<"$output"
  done
  run_ev help help
  for topic in $(sed -n '/^Topics/,$s/^  \([a-z]*\) .*/\1/p' <<<"$output"); do
    run_ev help "$topic"
    [ "$status" = 0 ] && [ "${#lines[@]}" -gt 5 ]
  done
  run_ev help nonsense
  [ "$status" = 2 ]
  grep -q 'no kind, tool or topic "nonsense"' <<<"$output"
}

@test "help lists every kind and tool by what it is for" {
  run_ev help
  [ "$status" = 0 ] && [ "${#lines[@]}" -le 40 ]
  for word in $("$EV" --help | sed -n '/^Kinds/,/^$/s/^  \([a-z]*\) .*/\1/p; s/^Tools://p'); do
    [ "$word" = help ] || grep -q "^  .*[a-z].* $word\( \|$\)" <<<"$output" || { echo "$word is missing"; return 1; }
  done
}

@test "every tool tells its use; help is found among other letters and is no value" {
  for tool in check next backends status help; do
    run_ev "$tool" --help
    [ "$status" = 0 ]
    [[ ${lines[0]} = "usage: evwatch $tool "* ]]
    run_ev help "$tool"
    [ "$status" = 0 ]
  done
  run_ev -vh
  [ "$status" = 0 ]
  [[ ${lines[0]} = "usage: evwatch "* ]]
  run_ev -qV
  [[ ${lines[0]} = "evwatch "* ]]
  run_ev file --help --nonsense
  [[ ${lines[0]} = "usage: "* ]]
  [ "$(echo a-h | timeout 100 "$EV" -1 lines - --match -h)" = 'line a-h' ]
}

@test "nothing to do is a usage error that shows an example" {
  run_ev
  [ "$status" = 2 ]
  grep -q 'there is no rule' <<<"$output"
  grep -q 'for example' <<<"$output"
  printf '# nothing\nset --tag\n' >empty.rules
  for words in '-f empty.rules' '-f /dev/null' "-e ''" 'check -f empty.rules'; do
    eval "run_ev $words"
    [ "$status" = 2 ]
    grep -q 'there is no rule' <<<"$output"
  done
}

@test "what is printed to a full disk is not told to be printed" {
  for words in --help --version 'every --help' 'help file' 'next --help' backends 'check every 1s' '-n every 1s' 'next every 1s'; do
    # shellcheck disable=SC2016
    run bash -c 'timeout 100 "$0" $1 >/dev/full' "$EV" "$words"
    [ "$status" = 1 ] && [ "$output" = 'evwatch: cannot write to standard output: No space left on device' ] ||
      { echo "$words: $status $output"; return 1; }
  done
}

@test "an unknown kind is a usage error with the place and a hint" {
  run_ev fiel src
  [ "$status" = 2 ]
  [ "${lines[0]}" = 'evwatch: command line:1:1: there is no kind "fiel"' ]
  [ "${lines[2]}" = '  ^ did you mean file?' ]
  run_ev -q next after 1h
  [ "${lines[2]}" = '     ^ it is a tool, and goes first: evwatch next ...' ]
  run_ev help fiel
  [ "${lines[1]}" = '  did you mean file?' ]
  run_ev foo
  [[ ${lines[2]} = '  ^ "evwatch --help" lists the kinds; '* ]]
  run_ev next --from foo every 1s
  [ "${lines[0]}" = 'evwatch: next: --from: "foo" is not a time' ]
}

@test "an unknown option names a near one, or the kinds that have it" {
  run_ev file src --mach '*.c'
  [ "$status" = 2 ]
  grep -q 'did you mean --match' <<<"$output"
  run_ev every 1s --match '*.c'
  [ "$status" = 2 ]
  grep -q 'it is an option of file and lines' <<<"$output"
  run_ev file src --tz UTC
  grep -q 'it is an option of every, at, cron and calendar' <<<"$output"
}

@test "what is wrong with an option's value is shown where that value stands" {
  local words column what
  while IFS='|' read -r column what words; do
    eval "run_ev $words"
    [ "$status" = 2 ]
    [ "${lines[0]}" = "evwatch: command line:1:$column: $what" ]
    [ "${lines[2]:column+1:1}" = '^' ]
  done <<'T'
18|--match: "(": this ( is never closed|lines x --match '('
16|--match: "(": this ( is never closed|lines '--match=(' x
26|--match: "(": this ( is never closed|lines --match a --match '(' x
23|--format: there is no %q|every 1s --format 'ab %q' -n
10|--json and --format cannot be used together|every 1s --json --format x
20|--output: its value is empty|every 1s --output '' -- true
20|--max-line must be greater than 0|lines x --max-line 0
4|--count: 99999999999999999999 is too large|-c 99999999999999999999 every 1s
10|"x" is not a whole number|lines fd:x
10|no command follows "--"|every 1s --
13|the command is empty|every 1s -- ''
13|the command is empty|every 1s -- ' '
13|the command is empty|every 1s -- '' a
23|--tz: there is no time zone "Mars/X"|cron '0 0 * * *' --tz Mars/X
T
}

@test "an option that has no effect in its rule is refused with the cure; as a default it is for others" {
  run_ev every 1s --tag
  [ "$status" = 2 ]
  [ "${lines[0]}" = 'evwatch: command line:1:10: --tag has no effect without a command' ]
  [ "${lines[2]}" = '           ^ a command comes after "--"' ]
  run_ev relay 0 1 --cwd /
  [ "$status" = 2 ]
  grep -q -- '--cwd has no effect here: relay takes no command' <<<"$output"
  run_ev -e 'every 1s --format %e -- true'
  [ "$status" = 2 ]
  grep -q -- '--format has no effect here: the events go to the command' <<<"$output"
  printf 'set --tag --json\nevery 1s\nevery 2s -- true\n' >rules
  for words in '-n --retry 3 -e every\ 1s' '-n -f rules' '-n every 1s --tag -f rules' '-n probe 1 --timeout 1s' \
    '-n relay 0 1 --retry 2' '-n every 1s --priority 2' '-n file . --debounce 1s --max-wait 3s'; do
    eval "run_ev $words"
    [ "$status" = 0 ]
  done
}

@test "an unknown backend is refused with the list of those that work" {
  run_ev --backend nope every 1s
  [ "$status" = 2 ]
  grep -q 'epoll' <<<"$output"
  EVWATCH_BACKEND=nope run_ev every 1s
  [ "$status" = 2 ]
}

@test "what is not there yet is refused, never ignored" {
  for words in 'every 1s --sandbox'; do
    # shellcheck disable=SC2086
    run_ev $words
    [ "$status" = 2 ]
    grep -q 'not there yet' <<<"$output"
  done
}

@test "more rules than descriptors is told with the limit that stands in the way" {
  for i in $(seq 60); do echo "r$i: listen 127.0.0.1:0 -- true"; done >many.rules
  # shellcheck disable=SC2016
  run timeout 20 bash -c 'ulimit -n 40; "$0" -f many.rules' "$EV"
  [ "$status" = 1 ]
  grep -q 'Too many open files' <<<"$output"
  grep -q 'raise the limit of open files (ulimit -n)' <<<"$output"
}

@test "with too few descriptors it names the limit and runs nothing" {
  # shellcheck disable=SC2016
  run timeout 20 bash -c 'for n in $(seq 6 16); do
    ulimit -Sn "$n"
    "$0" -1 -e "after 0 -- echo ran" || echo "status $?"
  done' "$EV"
  grep -q '^ran' <<<"$output"
  [ "$(grep -c '^status 1' <<<"$output")" = "$(grep -c 'raise the limit of open files' <<<"$output")" ]
  [ "$(grep -c '^status\|^ran' <<<"$output")" = 11 ]
  [ "$(grep -c 'Too many open files' <<<"$output")" = "$(grep -c '^status 1' <<<"$output")" ]
}

@test "--once without a command prints one event" {
  run_ev --once every 10ms
  [ "$status" = 0 ]
  [ "$output" = tick ]
  run_ev -vv --once every 10ms
  [[ ${lines[0]} =~ ^[0-9:]{8}\.[0-9]{3}\ evwatch:\ every1:\ on\ a\ tick\ every\ 10ms ]]
  grep -q "evwatch: 1 rule is armed; the loop waits by $EVWATCH_BACKEND$" <<<"$output"
  grep -q 'evwatch: the loop has ended after 1 run$' <<<"$output"
}

@test "--count ends with the last run's status" {
  run_ev -c 2 every 10ms -- 'exit "$EVWATCH_COUNT"'
  [ "$status" = 2 ]
}

@test "--within ends with 124 when --once is not met, else with 0" {
  run_ev --once --within 50ms signal USR1
  [ "$status" = 124 ]
  run_ev --within 50ms signal USR1
  [ "$status" = 0 ]
}

@test "--fail-fast ends at the first failure with its status" {
  run_ev -x every 10ms -- 'test "$EVWATCH_COUNT" -lt 3 || exit 9'
  [ "$status" = 9 ]
}

@test "input that ends before --count is met is no success" {
  run bash -c "echo a | '$EV' -c 3 lines - -- true"
  [ "$status" = 1 ]
  grep -q '1 of 3 runs' <<<"$output"
}

@test "a command that is not found is 127, one that cannot be executed 126" {
  run_ev -1 after 1ms -- nonesuch-command
  [ "$status" = 127 ]
  grep -q 'not found' <<<"$output"
  run_ev -1 after 1ms -- /etc/passwd
  [ "$status" = 126 ]
}

@test "a command that dies of a signal counts as 128 and its number" {
  run_ev -1 after 1ms -- 'kill -9 $$'
  [ "$status" = 137 ]
}

@test "--dry-run says what the rules will do, and arms nothing" {
  run_ev -n -e 'a: file src -- make' -e 'listen 80 -- cat'
  [ "$status" = 0 ]
  [ "${lines[0]}" = 'a: on changes below src, run make' ]
  grep -q 'listen1: on each connection to' <<<"$output"
}

# HUP and INT come in one turn: what the first puts off to the next one, the second does at once.
@test "an INT beside another signal ends it at once, with nothing left armed" {
  start --no-guard signal USR1 -- 'trap "" TERM; echo $$ >pid; while :; do sleep 1; done'
  kill -USR1 "$P"
  until_ok '[ -s pid ]'
  kill -STOP "$P"
  kill -HUP "$P"
  kill -INT "$P"
  kill -CONT "$P"
  ended
  [ "$STATUS" = 129 ]
  [ ! -s err ]
  until_ok '! kill -0 "$(cat pid)" 2>/dev/null'
}

@test "INT, TERM and QUIT end it as these signals" {
  for s in INT:130 TERM:143 QUIT:131; do
    start every 1h
    stop "${s%:*}"
    [ "$STATUS" = "${s#*:}" ]
  done
}

@test "a signal that no rule takes ends it as that signal" {
  start every 1h
  stop USR1
  [ "$STATUS" = 138 ]
}

@test "--pidfile: a second instance does not start" {
  start --pidfile pid every 1h
  [ "$(cat pid)" = "$P" ]
  run_ev --pidfile pid every 1h
  [ "$status" = 1 ]
  grep -q "locked by another evwatch (pid $P)" <<<"$output"
}

@test "started with 0, 1 and 2 closed, sockets stay off them" {
  "$EV" --ready-file ready listen 0 -- 'echo ok' 0<&- 1>&- 2>&- 3>&- &
  STARTED+=($!)
  until_ok '[ -e ready ]'
  [ "$(tcp "$(port)" </dev/null)" = ok ]
}

@test "a reader that goes away ends it" {
  run bash -c "timeout 100 '$EV' every 5ms | head -1; echo \${PIPESTATUS[0]}"
  [ "${lines[0]}" = tick ]
  [ "${lines[1]}" = 141 ]
}

@test "a stopped reader does not stop the timers" {
  mkfifo f
  "$EV" --ready-file ready -e 'noise: lines n' -e 'every 10ms -- echo tick >>ticks' >f 2>err 3>&- &
  STARTED+=($!)
  seq 200000 >n
  exec 9<f
  until_ok '[ "$(lines_of ticks)" -ge 3 ]'
  local before
  before=$(lines_of ticks)
  until_ok "[ \"\$(lines_of ticks)\" -gt $before ]"
  exec 9<&-
}

@test "diagnostics as JSON are valid JSON" {
  run_ev --log json -1 after 1ms -- nonesuch-command
  python3 -c 'import json,sys; d=json.loads(sys.argv[1]); assert d["rule"]=="after1" and d["level"]=="error"' "${lines[0]}"
}

@test "backends tells what works here and what it is best for" {
  run_ev backends
  [ "$status" = 0 ]
  grep -q '^epoll  *works here$' <<<"$output"
  run_ev backends --json
  python3 -c 'import json,sys; d=[json.loads(l) for l in sys.argv[1].splitlines()]; assert [x["name"] for x in d]==["epoll","io_uring","poll","select"] and d[0]["available"]' "$output"
}

@test "an option without an effect in its rule is an error that names the cure; of set it is none" {
  refused() {
    run_ev --dry-run "${@:2}"
    [ "$status" = 2 ] && grep -qF -- "$1" <<<"$output" || { echo "$*: $output"; return 1; }
  }
  for o in '--rise 3' '--fall 1'; do
    # shellcheck disable=SC2086
    refused "${o% *} has no effect without --check" relay 1 2 $o
  done
  refused '--check DUR looks at the targets' relay 1 2 --rise 3
  refused '--connect-timeout has no effect here' relay udp:1 udp:2 --connect-timeout 1s
  refused '--bind has no effect here' relay 1 unix:x --bind 127.0.0.1
  for o in '--allow 10.0.0.0/8' '--deny ::/0' '--max-per-ip 3'; do
    # shellcheck disable=SC2086
    refused "${o% *} has no effect here: these peers have no IP address" relay unix:x 2 $o
    # shellcheck disable=SC2086
    refused "${o% *} has no effect here: these peers have no IP address" listen unix:x vsock:1:5 $o
  done
  for o in '--mode 0660' '--owner root'; do
    # shellcheck disable=SC2086
    refused "${o% *} has no effect here: it is for Unix sockets" listen 0 unix:@x fd:3 $o
  done
  refused '--reuseport has no effect here' listen unix:x --reuseport
  refused '--backlog has no effect here' listen udp:0 --backlog 3
  refused '--banner has no effect here' listen udp:0 --banner hello
  refused '--timeout has no effect here: relay takes no command' relay 1 2 --timeout 5s
  refused '--signal has no effect without --on-busy signal' every 1s --signal USR1 -- true
  refused '--backoff has no effect without --retry' every 1s --backoff 1s -- true
  refused '--max-wait has no effect without --debounce' every 1s --max-wait 1s -- true
  refused '--debounce: "auto" is for file only' every 1s --debounce auto -- true
  refused '--tz has no effect without --align' every 1h --tz UTC
  refused '--from has no effect without --follow' lines x --from start
  refused '--stdin has no effect here: the connection is' listen 0 --stdin null -- cat
  # What has one in any of the sockets, or may have, is none; nor what several rules share.
  for rule in 'relay 1 2 --rise 3 --check 1s' 'relay unix:x 2 --proxy accept --max-per-ip 3' \
    'relay fd:3 2 --allow ::1' 'relay 1 unix:x 2 --bind 127.0.0.1' 'relay udp:1 udp:2 --retry 1 --priority 0' \
    'relay udp:1 udp:2 --connect-timeout 1s --check 1s' 'probe udp:1 --rise 2 --fall 2' \
    'listen unix:x 0 --allow ::1 --mode 0660 --reuseport --banner x' 'listen systemd:x --max-per-ip 2' \
    'listen fd:3 --backlog 3 --banner x' 'listen unix:x --max-conns 3 --backlog 4' \
    'every 1s --on-busy signal --signal USR1 --retry 1 --backoff 1s --debounce 1s --max-wait 2s -- true' \
    'file x --debounce auto --max-wait 1s -- true' 'every 1h --tz UTC --align' 'lines x --from start --follow'; do
    run_ev --dry-run -e "$rule"
    [ "$status" = 0 ] || { echo "$rule: $output"; return 1; }
  done
  printf '%s\n' 'set --rise 3 --owner root --max-per-ip 2 --bind 127.0.0.1' 'relay 1 2' 'listen unix:x' 'listen 0' >rules
  run_ev --dry-run -f rules
  [ "$status" = 0 ]
  # Each at its own place.
  run_ev check -e 'relay 1 2 --rise 3 --fall=2'
  [ "$(grep -c 'has no effect without --check' <<<"$output")" = 2 ]
}
