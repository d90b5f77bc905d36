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

# planted NAME TARGET: a link in the directory `open`, which everybody may write, of another user.
planted() {
  mkdir -p open
  chmod 777 open
  ln -s "$2" "open/$1"
  [ "$(id -u)" != 0 ] || chown -h 12345:12345 "open/$1"
}

@test "a link in a directory that others may write is not followed, whatever is opened" {
  echo precious >file
  mkdir directory
  planted file ../file
  planted directory ../directory
  echo 'every 1h' >directory/rules
  planted rules ../directory/rules
  local words refused='a link on the way is in a directory that others may write'
  while read -r words; do
    eval "run_ev --within 5s $words"
    [ "$status" != 0 ]
    grep -q "$refused" <<<"$output" || { echo "$words: $output"; false; }
    grep -q 'name the file that it leads to' <<<"$output"
  done <<'T'
every 10ms --output open/file -- echo x
relay 0 1 --dump open/file
--pidfile open/file every 1h
--ready-file open/directory/ready every 1h
every 10ms --catch-up open/directory -- true
-f open/rules
-f open/directory/rules
T
  [ "$(cat file)" = precious ]
  [ "$(ls directory)" = rules ]
}

@test "in a sticky directory a link is followed if it is one's own or the directory's owner's" {
  [ "$(id -u)" = 0 ] || skip "links of other users take root"
  planted theirs ../file
  planted mine ../file
  chown -h 0:0 open/mine
  chmod 1777 open
  run_ev -1 every 10ms --output open/mine -- echo x
  [ "$status" = 0 ]
  [ "$(cat file)" = x ]
  run_ev -1 every 10ms --output open/theirs -- echo x
  [ "$status" = 1 ]
}

@test "what is no file is refused at once where a file is needed" {
  mkfifo fifo
  local words
  while read -r words; do
    eval "run_ev --within 5s $words"
    [ "$status" != 0 ] && [ "$status" != 124 ]
    grep -q 'it is a FIFO\|it is no regular file' <<<"$output" || { echo "$words: $output"; false; }
  done <<'T'
--pidfile fifo every 1h
--pidfile /dev/null every 1h
-f fifo
-f /dev/zero
T
  mkdir past
  mkfifo past/every1.last
  run_ev --within 5s every 10ms --catch-up past -- true
  [ "$status" = 1 ]
  run bash -c "'$EV' check -f <(echo 'every 1s -- date')"
  [ "$status" = 0 ]
}

@test "a dump is its owner's alone, and no file of another user" {
  umask 0
  start relay 127.0.0.1:0 127.0.0.1:1 --dump mine
  [ "$(stat -c %a mine)" = 600 ]
  [ "$(id -u)" = 0 ] || skip "files of other users take root"
  touch theirs
  chown 12345 theirs
  run_ev relay 0 1 --dump theirs
  [ "$status" = 1 ]
  grep -q 'it belongs to another user' <<<"$output"
}

@test "root does not trust rules or a pid file that others may write" {
  [ "$(id -u)" = 0 ] || skip "takes root"
  echo 'every 1h' >rules
  chmod 666 rules
  run_ev check -f rules
  [ "$status" = 2 ]
  grep -q 'rules: others than its owner and root may write it' <<<"$output"
  grep -q 'chmod go-w' <<<"$output"
  run_ev --pidfile rules every 1h
  [ "$status" = 1 ]
  chmod 644 rules
  run_ev check -f rules
  [ "$status" = 0 ]
}

@test "two instances never have the same pid file, even if one starts while the other ends" {
  command -v strace >/dev/null || skip "strace is not installed"
  start --pidfile pid every 1h
  local first=$P loop
  # The second stops behind its open(2) of the file, before it locks it.
  strace -f -o /dev/null -P pid -e trace=openat -e inject=openat:signal=STOP:when=2 \
    "$EV" --no-guard --pidfile pid --ready-file ready2 every 1h 2>err2 3>&- &
  STARTED+=("$!")
  until_ok "loop=\$(pgrep -P $! -x evwatch) && grep -q '^State:.[Tt]' /proc/\$loop/status"
  kill -TERM "$first"
  wait "$first" || true
  [ ! -e pid ]
  kill -CONT "$loop"
  until_ok '[ -e ready2 ]'
  [ "$(cat pid)" = "$loop" ]
  kill -TERM "$loop"
}
