#!/usr/bin/env bats
# What strangers may try: no line, tree, peer or user stops evwatch, or wins what it may not have.
load helper

@test "a user who stops the command of --run-as before its exec stops nobody else" {
  [ "$(id -u)" = 0 ] || skip "--run-as takes root"
  local uid=$((200000 + RANDOM))
  setpriv --reuid $uid --regid $uid --clear-groups bash -c 'while :; do kill -STOP -1; done' 2>/dev/null 3>&- &
  STARTED+=($!)
  # So many directories that the search for the program takes its time.
  local path
  path=$(printf '/no:%.0s' {1..30000})
  cat >rules <<R
theirs: every 100ms --stop-timeout 100ms --env PATH=$path --run-as $uid:$uid -- nonesuch x
mine: every 10ms
R
  start -f rules
  # Stopped before its exec it still has the name of evwatch.
  until_ok "pgrep -u $uid -r T -x evwatch >/dev/null"
  local ticks
  ticks=$(lines_of out)
  until_ok "[ \$(lines_of out) -ge $((ticks + 50)) ]"
  stop
  [ "$STATUS" = 143 ]
}

# long PART TIMES: the part so many times, without a line's end.
long() {
  python3 -c 'import sys; sys.stdout.write(sys.argv[1] * int(sys.argv[2]))' "$1" "$2"
}

@test "a line that is hard to match delays neither timers nor TERM" {
  { long abaabbabaaabbb 600000; echo; } >log
  start -e 'tick: every 20ms --json' \
    -e "hard: lines log --follow --from start --max-line 10M --match '([ab]*a[ab]{3000})[xz]'"
  until_ok '[ $(lines_of out) -ge 20 ]'
  [ "$(sed -n 's/.*"missed":\([0-9]*\).*/\1/p' out | awk '{ n += $1 } END { print n < 20 }')" = 1 ]
  stop
  [ "$STATUS" = 143 ]
}

@test "a long line is matched in time that grows with its length alone" {
  { long 'Failed ' 9000; echo 'from nowhere'; long 'a: b: ' 20000; echo ' end'; } >log
  run_ev lines log --match 'Failed .* from ([0-9.]+)'
  [ "$output" = '' ]
  run_ev lines log --match '(.*): (.*): (.*) end' -- 'echo "${#1} $3"'
  [ "$output" = '120004 b' ]
}

@test "lines keep their order when one of them takes several turns" {
  { echo 'x 1'; long abaabbabaaabbb 3000; echo 'x'; echo 'x 3'; } >log
  run_ev lines log --match '([ab]*a[ab]{900})[xz]|x (.)' -- 'echo "${#2} $3"'
  [ "$output" = $'0 1\n42000 \n0 3' ]
  run_ev lines log - --match '([ab]*a[ab]{900})[xz]|x (.)' -- 'echo "${#2} $3"' <log
  [ "$(sort <<<"$output" | uniq -c | tr -s ' \n')" = "$(printf ' 2 0 1\n 2 0 3\n 2 42000 \n')" ]
}

@test "an invalid byte does not hide a line, whatever the locale" {
  printf 'Failed password for \xff from 1.2.3.4\n' >log
  LC_ALL=C.UTF-8 run_ev lines log --match 'Failed .* from ([0-9.]+)' -- 'echo "$2"'
  [ "$output" = 1.2.3.4 ]
}

@test "an expression that is too large, too deep or has a back-reference is refused" {
  run_ev lines log --match '(((a{300}){300}){300}){300}'
  [ "$status" = 2 ]
  grep -q 'too large' <<<"$output"
  run_ev lines log --match "$(long '(' 20000)"
  [ "$status" = 2 ]
  run_ev lines log --match '(a)\1'
  [ "$status" = 2 ]
  grep -q 'back-references are not matched' <<<"$output"
  grep -q 'linear time' <<<"$output"
}

@test "check warns where an expression is hardly meant" {
  run_ev check -e "bans: lines log --match 'from (\d+)' -- ban"
  [ "$status" = 0 ]
  grep -q '^evwatch: -e:1:32: warning: --match: .d is the character d here$' <<<"$output"
  grep -q '\^ write \[0-9\] for a digit$' <<<"$output"
}
