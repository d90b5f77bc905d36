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

@test "a user who kills the command of --run-as before its exec ends nobody else" {
  [ "$(id -u)" = 0 ] || skip "--run-as takes root"
  local uid=$((200000 + RANDOM))
  setpriv --reuid $uid --regid $uid --clear-groups bash -c 'while :; do kill -ABRT -1; done' 2>/dev/null 3>&- &
  STARTED+=($!)
  local path
  path=$(printf '/no:%.0s' {1..30000})
  start -q -e "theirs: every 20ms --env PATH=$path --run-as $uid:$uid -- 'nonesuch x'" -e 'mine: every 10ms'
  until_ok '[ $(lines_of out) -ge 50 ]'
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

@test "who rotates a log thousands of times at once delays nobody, and what is not read is said" {
  echo first >log
  start lines log --follow --from start --format %s
  until_ok 'grep -q first out'
  missed 'python3 -c "
import os
os.rename(\"log\", \"log.0\")
open(\"log\", \"w\").write(\"two rotations\\n\")
os.rename(\"log\", \"log.1\")
for i in range(2, 2000): open(f\"log.{i}\", \"w\").write(f\"{i}\\n\")
open(\"log\", \"w\").write(\"last\\n\")"'
  until_ok 'grep -q last out'
  [ "$(lines_of out)" -le 70 ]
  [ "$(grep -c 'log was rotated more than 64 times at once' err)" = 1 ]
  python3 -c '
import os, time
for i in range(300):
    os.rename("log", "log.0")
    open("log", "w").write(f"live {i}\n")
    time.sleep(0.002)'
  until_ok 'grep -q "live 299" out'
  # Each would be kept for 5 s.
  until_ok '[ "$(ls "/proc/$(loop_pid)/fd" | wc -l)" -le 120 ]' 2
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
  grep -q 'back-references are not supported' <<<"$output"
  grep -qF 'make each a group' <<<"$output"
}

@test "check warns where an expression is hardly meant" {
  run_ev check -e "bans: lines log --match 'from (\d+)' -- true"
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
every 10ms --catch-up open/directory/new -- true
-f open/rules
-f open/directory/rules
file --paths-from open/rules
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
file --paths-from fifo
file --paths-from /dev/zero
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
  chown 12345 rules
  run_ev --pidfile rules every 1h
  [ "$status" = 1 ]
  grep -q 'rules: it belongs to another user' <<<"$output"
}

@test "two instances never have the same pid file, even if one starts while the other ends" {
  command -v strace >/dev/null || skip "strace is not installed"
  start --pidfile pid every 1h
  local first=$P loop
  # The second stops behind its open(2) of the file, before it locks it.
  strace -f -o trace -P pid -e trace=openat -e inject=openat:signal=STOP:when=2 \
    "$EV" --no-guard --pidfile pid --ready-file ready2 every 1h 2>err2 3>&- &
  STARTED+=("$!")
  until_ok "grep -q 'stopped by SIGSTOP' trace"
  loop=$(pgrep -P $! -x evwatch)
  kill -TERM "$first"
  wait "$first" || true
  [ ! -e pid ]
  kill -CONT "$loop"
  until_ok '[ -e ready2 ]'
  [ "$(cat pid)" = "$loop" ]
  kill -TERM "$loop"
}

@test "C1 controls and what changes the direction of text are escaped wherever people read them" {
  local c1=$'\xc2\x9b31m' raw=$'\x9b' bidi=$'\xe2\x80\xae'
  printf '%s\n' "a${c1}b${raw}c${bidi}d" >log
  run_ev lines log
  [ "$output" = 'line a\xc2\x9b31mb\x9bc\xe2\x80\xaed' ]
  run_ev lines log --format %s
  [ "$output" = 'a\xc2\x9b31mb\x9bc\xe2\x80\xaed' ]
  run_ev lines log --json
  grep -qF 'a\u009b31mb' <<<"$output"
  grep -qF 'c\u202ed' <<<"$output"
  run bash -c "'$EV' check -e \"every 1s -- echo 'x$c1$bidi'\"; '$EV' lines 'nowhere$c1$bidi$raw'; '$EV' check -e 'every $c1$bidi$raw'; '$EV' check -f 'none$bidi'"
  [ -z "$(LC_ALL=C grep -a $'\x9b\|\x80\xae' <<<"$output")" ]
  grep -qF '\xc2\x9b31m\xe2\x80\xae' <<<"$output"
}

@test "what answers on a control socket moves no cursor" {
  once_for_all_backends
  python3 - <<'PYTHON' 3>&- &
import socket
s = socket.socket(socket.AF_UNIX); s.bind("fake"); s.listen()
c, _ = s.accept(); c.recv(100)
c.sendall(rb'{"ok":true,"version":"\u001b]0;x","rules":[{"name":"a\u009b31m","kind":"\u202ek"}]}' + b"\n")
c.recv(100)
PYTHON
  STARTED+=($!)
  until_ok '[ -S fake ]'
  run_ev status --control fake
  [ "$status" = 0 ]
  [ -z "$(LC_ALL=C grep -a $'\033\|\x9b\|\x80\xae' <<<"$output")" ]
  grep -qF '\x1b]0;x' <<<"$output"
}

@test "a name in a PROXY header forges no line of a dump" {
  start relay unix:front unix:back --proxy accept --dump hex
  python3 - <<'PYTHON'
import socket, struct
back = socket.socket(socket.AF_UNIX); back.bind("back"); back.listen()
c = socket.socket(socket.AF_UNIX); c.connect("front")
name = b"/x\n# 2026-01-01T00:00:00Z relay1 9: forged"
body = name.ljust(108, b"\0") + b"/y".ljust(108, b"\0")
c.sendall(b"\r\n\r\n\0\r\nQUIT\n" + bytes((0x21, 0x31)) + struct.pack(">H", len(body)) + body + b"hello")
s, _ = back.accept(); s.recv(5)
PYTHON
  until_ok 'grep -q hello hex'
  ! grep -q '^# 2026-01-01T00:00:00Z' hex
  grep -qF '\n#\0402026-01-01' hex
}

@test "--stdin paths leaves out a path that would be two, and names it; -0 hands it over" {
  mkdir -p src/$'a\nsrc'
  start file src --debounce 0 --stdin paths -- sh -c 'cat >>got'
  touch $'src/a\nsrc/b' src/c
  until_ok 'grep -q "^src/c$" got'
  [ "$(grep -c src/b got)" = 0 ]
  grep -qF '"src/a\nsrc/b" is left out of --stdin paths' err
  grep -qF 'with -0' err
  stop
  start file src --debounce 0 --stdin paths -0 -- sh -c 'cat >>got0'
  touch $'src/a\nsrc/b'
  until_ok "tr '\\0\\n' '\\n|' <got0 | grep -qx 'src/a|src/b'"
}

@test "check warns where a stranger's subject may be an option, or the program" {
  run_ev check lines log -- rm {}
  [ "$status" = 0 ]
  grep -q 'warning: a subject that begins with - is an option to rm' <<<"$output"
  run_ev check probe 1 -- {} x
  grep -q 'warning: the subject is the program that is run' <<<"$output"
  run_ev check listen unix:@x -- echo {}
  grep -q 'warning' <<<"$output"
  run_ev check lines log -- rm -- {}
  ! grep -q warning <<<"$output"
  run_ev check file . -- cat {}
  ! grep -q warning <<<"$output"
}

@test "1 MB of bad rules are told in time that grows with their length alone" {
  once_for_all_backends
  yes 'nonsense kind --x' | head -c 1000000 >rules
  run timeout 50 bash -c "'$EV' check -f rules 2>&1 | tail -n 1"
  [[ $output =~ ^'evwatch: and 4'[0-9]*' more errors'$ ]]
  { echo 'set --priority 9'; yes 'every 1s --nope -- true' | head -c 1000000; } >rules
  run timeout 50 bash -c "'$EV' check -f rules 2>&1 | grep -c 'priority'"
  [ "$output" = 2 ]
  { echo "set $(printf -- '--tag %.0s' {1..3000})"; yes 'every 1s' | head -c 40000; } >rules
  run timeout 50 bash -c "'$EV' check -f rules 2>&1 | head -1"
  grep -q 'set gives more than 200 words of options' <<<"$output"
}

@test "peers leave descriptors for the other rules" {
  local most
  most=$(ulimit -Sn)
  ulimit -Sn 320
  start -e 'l: listen 127.0.0.1:0' -e 'mine: every 20ms --tag -- echo'
  ulimit -Sn "$most"
  python3 -c '
import socket, sys, time
held = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(400)]
time.sleep(100)' "$(port l)" 3>&- &
  STARTED+=($!)
  until_ok 'grep -q "l: cannot accept" err'
  local ticks
  ticks=$(grep -c "^mine" out)
  until_ok "[ \$(grep -c "^mine" out) -ge $((ticks + 20)) ]"
  ! grep -q mine: err
}

@test "a relay worker that strangers took over spoils only the numbers that it shares" {
  once_for_all_backends
  start --control ctl relay 127.0.0.1:0 127.0.0.1:9 --workers 2
  local worker
  until_ok '[ "$(pgrep -c -P "$(loop_pid)")" = 2 ]'
  worker=$(pgrep -o -P "$(loop_pid)")
  python3 - "$worker" <<'PYTHON' || skip "memory of other processes may not be written here"
import sys
pid = sys.argv[1]
shared = [l.split()[0] for l in open(f"/proc/{pid}/maps") if " rw-s " in l and "/dev/zero" in l]
assert len(shared) == 1, shared
begin, end = (int(x, 16) for x in shared[0].split("-"))
try: memory = open(f"/proc/{pid}/mem", "r+b", 0)
except PermissionError: sys.exit(1)
memory.seek(begin)
memory.write(b"\x7f" * (end - begin))
PYTHON
  run_ev status --control ctl --json
  [ "$status" = 0 ]
  grep -q '"accepted":' <<<"$output"
  kill -9 "$worker"
  until_ok 'grep -q "worker 1, pid $worker, ended" err'
  run_ev status --control ctl --json
  [ "$status" = 0 ]
  stop
  [ "$STATUS" = 143 ]
}

@test "what is to confine evwatch or a command, and is not there yet, is refused" {
  run_ev --sandbox -1 after 0
  [ "$status" = 2 ]
  grep -q -- '--sandbox: not there yet' <<<"$output"
  run_ev -1 after 0 --contain -- true
  [ "$status" = 2 ]
  grep -q -- '--contain: not there yet' <<<"$output"
}

# ids_of PID: its real, effective, saved and file-system user and group.
ids_of() {
  sed -n 's/^[UG]id:\t//p' "/proc/$1/status" | tr '\n\t' '  '
}

@test "--user: what only root may bind is served, and nobody stays root" {
  [ "$(id -u)" = 0 ] || skip "only root can become another user"
  mkdir -m 700 private
  local low=$((RANDOM % 400 + 600))
  start --user nobody --control private/ctl -e "web: listen 127.0.0.1:$low -- id -u" -e 'tick: every 50ms -- id -G' --output all
  [ "$(port web)" = $low ]
  local nobody
  nobody="$(id -u nobody) $(id -g nobody)"
  wanted=$(awk '{ print $1, $1, $1, $1, $2, $2, $2, $2 }' <<<"$nobody")
  until_ok '[ "$(ids_of "$P" | xargs)" = "$wanted" ]'
  [ "$(ids_of "$(loop_pid)" | xargs)" = "$wanted" ]
  [ "$(timeout 100 nc -N 127.0.0.1 $low </dev/null)" = "$(id -u nobody)" ]
  until_ok 'grep -qx "$(id -G nobody)" all'
  stop
  [ "$STATUS" = 143 ]
}

@test "--user: workers of a relay are not root, and a reload opens only what that user may" {
  [ "$(id -u)" = 0 ] || skip "only root can become another user"
  local low=$((RANDOM % 400 + 600)) p
  chmod 755 .
  mkdir -m 755 open
  cd open
  dir=$PWD
  echo 'r: relay 127.0.0.1:0 127.0.0.1:9 --workers 2' >r.rules
  chmod 600 r.rules
  start --user nobody --no-guard --control "$PWD/ctl" -f r.rules
  until_ok '[ "$(pgrep -c -P "$P")" = 2 ]'
  for p in $(pgrep -P "$P"); do
    [ "$(ids_of "$p" | tr ' ' '\n' | sort -u | xargs)" = "$(printf '%s\n' "$(id -u nobody)" "$(id -g nobody)" | sort -u | xargs)" ]
  done
  kill -HUP "$P"
  until_ok 'grep -q "cannot read r.rules: Permission denied" err && grep -q "the rules stay as they were" err'
  { cat r.rules; echo "web: listen 127.0.0.1:$low -- true"; } >more.rules
  mv more.rules r.rules
  kill -HUP "$P"
  until_ok "grep -q 'web: cannot listen on 127.0.0.1:$low: Permission denied' err"
  [ "$(pgrep -c -P "$P")" = 2 ]
}

@test "--user is refused beside what needs root while it runs, and for a user that is not there" {
  for rule in 'every 1s --run-as root -- id' 'file . --fanotify'; do
    # shellcheck disable=SC2086 # several words
    run_ev --user nobody $rule
    [ "$status" = 2 ]
    grep -q 'cannot be used together' <<<"$output"
  done
  run_ev --user nosuchuser every 1s
  [ "$status" = 2 ]
  grep -q -- '--user: there is no user "nosuchuser"' <<<"$output"
}

@test "who may not become another user is told so, and nothing is run" {
  [ "$(id -u)" = 0 ] || skip "needs another user to start as"
  command -v setpriv >/dev/null || skip "no setpriv"
  chmod 755 .
  cp "$EV" evwatch && chmod 755 evwatch
  run timeout 100 setpriv --reuid=65534 --regid=65534 --clear-groups ./evwatch --user root after 0 -- touch ran
  [ "$status" = 1 ]
  grep -q 'cannot become the user root: Operation not permitted' <<<"$output"
  run timeout 100 setpriv --reuid=65534 --regid=65534 --clear-groups ./evwatch after 0 --run-as root -- touch ran
  [ "$status" = 2 ]
  grep -q 'only root can run a command as root (rule after1)' <<<"$output"
  [ ! -e ran ]
}

@test "set-user-id is refused, and set-group-id" {
  [ "$(id -u)" = 0 ] || skip "only root can make such a program"
  cp "$EV" evwatch
  chown 65534:65534 evwatch
  local mode
  for mode in 4755 2755; do
    chmod $mode evwatch
    run timeout 100 ./evwatch after 0
    [ "$status" = 1 ] || skip "this file system knows no set-user-id"
    grep -q 'set-user-id is refused' <<<"$output"
  done
}

@test "the program is built to make bugs hard to use" {
  once_for_all_backends
  command -v readelf >/dev/null || skip "no readelf"
  case $EV in */build/evwatch) ;; *) skip "this is not the build that is released" ;; esac
  readelf -Whld "$EV" >elf
  grep -q 'Type: *DYN' elf
  grep -q GNU_RELRO elf
  grep -q 'BIND_NOW\|Flags:.* NOW' elf
  grep -q 'GNU_STACK .* RW ' elf
  readelf -Ws "$EV" >symbols
  grep -q __stack_chk_fail symbols
  grep -q '_chk@GLIBC' symbols || ! grep -q '@GLIBC' symbols
}

@test "below the stack of a start is memory that may not be touched" {
  once_for_all_backends
  start every 10ms -j 4 --on-busy parallel -- true
  python3 - "$(loop_pid)" <<'PYTHON'
import sys, time
end = time.monotonic() + 60
def guarded():
    maps = [l.split() for l in open(f"/proc/{sys.argv[1]}/maps")]
    spans = [[int(x, 16) for x in m[0].split("-")] + [m[1]] for m in maps if len(m) == 5]
    return any(a[2] == "---p" and a[1] - a[0] == 65536 and b[0] == a[1] and b[2] == "rw-p"
               for a, b in zip(spans, spans[1:]))
while not guarded():
    assert time.monotonic() < end
    time.sleep(0.01)
PYTHON
}
