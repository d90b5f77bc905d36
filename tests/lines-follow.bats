#!/usr/bin/env bats
# lines --follow: whatever happens to the path and to the file, each line comes once.
load helper

# mount_real: the folder real is at m, by the server $fuse: it hangs while that is stopped.
mount_real() {
  command -v bindfs >/dev/null && [ -w /dev/fuse ] || skip "no bindfs, or no /dev/fuse"
  mkdir -p real m
  bindfs -f real m 3>&- &
  fuse=$!
  STARTED+=($fuse)
  until_ok 'mountpoint -q m'
}

# came LINE...: exactly these lines were printed, in this order.
came() {
  until_ok "[ \"\$(lines_of out)\" -ge $# ]"
  [ "$(sed 's/^line //' out)" = "$(printf '%s\n' "$@")" ]
}

# has LINE: it was printed.
has() {
  until_ok "grep -qx 'line $1' out"
}

@test "the directory of a log may be missing, made late, removed and made again" {
  start lines app/logs/a.log --follow
  [ "$(<err)" = 'evwatch: lines1: app/logs/a.log does not exist: waiting for it' ]
  mkdir app
  mkdir app/logs
  echo one >app/logs/a.log
  has one
  rm -r app
  mkdir -p app/logs
  echo two >app/logs/a.log
  has two
  echo three >>app/logs/a.log
  came one two three
}

@test "links are followed, and so is what they lead to: rotated, switched, at any level" {
  mkdir -p r1/log r2/log links
  echo old >r1/log/f
  ln -s r1 current
  ln -s ../current/log/f links/l
  start lines links/l --follow
  echo one >>r1/log/f
  has one
  mv r1/log/f r1/log/f.1
  echo two >r1/log/f
  has two
  echo three >r2/log/f
  ln -sfn r2 current
  has three
  echo four >other
  ln -sfn ../other links/l
  has four
  echo five >>other
  came one two three four five
}

@test "a rotated file is read on for a while: its writer has not been told yet" {
  : >log
  start lines log --follow
  exec 7>>log
  echo one >&7
  has one
  mv log log.1
  : >log
  echo new >>log
  has new
  echo two >&7
  has two
  # The rest of a line that began before the rotation belongs to it.
  mv log log.2
  printf 'tog' >>log.2
  echo last >log
  printf 'ether\n' >>log.2
  exec 7>&-
  has together
  came one new two together last
}

@test "fifty quick rotations lose no line, and leave as many watches as before" {
  : >log
  start lines log --follow --from start
  watches() { cat /proc/"$(loop_pid)"/fdinfo/* | grep -c '^inotify wd'; }
  before=$(watches)
  python3 - <<'END'
import os, time
n = 0
for i in range(50):
    with open('log', 'a') as f:
        for _ in range(50):
            n += 1
            f.write('%d\n' % n)
    os.rename('log', 'log.%d' % i)
    open('log', 'a').close()
    time.sleep(.01)
END
  has 2500
  [ "$(cat out)" = "$(seq -f 'line %g' 2500)" ]
  until_ok "[ \$(watches) = $before ]"
}

@test "files that came and went while the command was slow are read in order" {
  : >log
  start lines log --follow -- 'echo "line $1"; until [ -e go ]; do sleep 0.01; done'
  echo 1 >>log
  has 1
  # The loop is at work, and takes each file while the command runs.
  for i in 2 3 4; do
    mv log log.$i
    echo $i >log
    until_ok "ls -l /proc/$(loop_pid)/fd | grep -q \"\$PWD/log\$\""
  done
  touch go
  came 1 2 3 4
}

@test "a log in a lower layer of an overlay is followed when it is written" {
  unshare -m true 2>/dev/null || skip "no mount namespace to be had here"
  mkdir l u w m
  echo old >l/log
  unshare -m bash -c 'mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w m || exit 77
    "$0" -c 2 lines m/log --follow --ready-file ready >out & p=$!
    until [ -e ready ]; do sleep 0.01; done
    echo one >>m/log
    until grep -q one out; do sleep 0.01; done
    echo two >>m/log
    wait $p' "$EV" 3>&- || skip "no overlay here"
  came one two
}

@test "a file that is written anew with as many bytes, or more, is read from its start" {
  echo first >f
  start lines f --follow --format %s
  # One open and one write: when evwatch looks, the file is never shorter than it was.
  overwrite() { printf '%s\n' "$1" >part && dd if=part of=f conv=notrunc status=none; }
  overwrite again
  until_ok 'grep -qx again out'
  echo more >>f
  until_ok 'grep -qx more out'
  overwrite 'a line that is longer than all before'
  until_ok 'tail -n 1 out | grep -qx "a line that is longer than all before"'
  [ "$(cat out)" = "again
more
a line that is longer than all before" ]
}

@test "a line written in two halves comes as one" {
  : >log
  start lines log --follow
  printf 'first ' >>log
  until_ok '[ "$(lines_of out)" = 0 ]'
  printf 'half\nsecond\n' >>log
  has second
  [ "$(head -1 out)" = 'line first\040half' ]
}

@test "room that is written later is read then: NUL bytes are no text" {
  printf 'old\n' >log
  truncate -s 200000 log
  start lines log --follow --from start --max-line 10
  has old
  printf 'one\n' | dd of=log bs=1 seek=4 conv=notrunc 2>/dev/null
  has one
  printf 'two\n' | dd of=log bs=1 seek=8 conv=notrunc 2>/dev/null
  has two
  # Lines behind a hole are lines, too.
  printf 'three\n' >>log
  came old one two three
  ! grep -q 'longer than' err
}

@test "NUL bytes in a line do not count as its length" {
  { printf 'a'; head -c 300000 /dev/zero; printf 'b\nlong-long-long\n'; } >log
  run_ev -q lines log --max-line 4
  [ "$output" = $'line ab\nline long' ]
}

@test "a path may become a directory and a file again; it is said once" {
  echo old >log
  start lines log --follow
  echo one >>log
  has one
  rm log
  mkdir log
  until_ok 'grep -q "cannot read log: Is a directory" err'
  touch log
  rmdir log
  echo two >log
  came one two
  [ "$(grep -c directory err)" = 1 ]
}

@test "a file that may not be read yet is waited for" {
  [ "$(id -u)" = 0 ] || skip "only root becomes nobody"
  chmod 755 "$BATS_TEST_TMPDIR"
  mkdir -m 755 d
  (umask 077 && echo old >d/log)
  setpriv --reuid=65534 --clear-groups true || skip "no setpriv here"
  setpriv --reuid=65534 --clear-groups "$EV" lines d/log --follow --from start >out 2>err 3>&- &
  STARTED+=($!)
  until_ok 'grep -q "cannot read d/log: Permission denied" err' || { namei -l "$PWD/d/log"; false; }
  chmod 644 d/log
  came old
  [ "$(grep -c Permission err)" = 1 ]
}

@test "a read that fails ends nothing: it is said, and tried again" {
  command -v strace >/dev/null || skip "no strace"
  : >log
  start lines log --follow
  strace -qq -o trace -e trace=pread64 -e inject=pread64:error=ESTALE:when=1 -p "$(loop_pid)" 3>&- &
  STARTED+=($!)
  until_ok "grep -q '^TracerPid:.[1-9]' /proc/$(loop_pid)/status"
  echo one >>log
  has one
  grep -q 'cannot read log: Stale file handle' err
  echo two >>log
  came one two
}

@test "records that were overwritten before they were read (EPIPE) are said, and the next ones come" {
  command -v strace >/dev/null || skip "no strace"
  mkfifo f
  exec 7<>f
  start lines f
  strace -qq -o trace -P "$PWD/f" -e trace=read -e inject=read:error=EPIPE:when=1 -p "$(loop_pid)" 3>&- &
  STARTED+=($!)
  until_ok "grep -q '^TracerPid:.[1-9]' /proc/$(loop_pid)/status"
  echo one >&7
  has one
  grep -q 'f was overwritten before it was read' err
  kill %2
}

@test "a file system that others change is looked at every second, which is said" {
  command -v bindfs >/dev/null || skip "no bindfs"
  mkdir real m
  echo old >real/log
  bindfs real m 3>&- || skip "no FUSE here"
  start lines m/log --follow --from start
  grep -q '/m is a file system of type fuse: .* it is read every second' err
  echo one >>real/log
  has one
  echo two >>real/log
  came old one two
  (cd m && exec "$EV" lines log --follow --from start >../within 3>&-) &
  STARTED+=($!)
  until_ok 'grep -q two within'
}

@test "a file system that does not answer holds up neither the start, nor other rules, nor the end" {
  mount_real
  start -e 'lines m/log --follow' -e 'every 20ms'
  grep -q "m/log does not exist" err
  until_ok "grep -q tick out"
  kill -STOP $fuse
  later=$(($(grep -c tick out) + 100))
  until_ok '[ "$(grep -c tick out)" -ge $later ]'
  kill $P
  wait $P || :
  start lines m/log --follow --from start
  kill -CONT $fuse
  echo one >real/log
  has one
}

@test "beside a file system that may hang a link through 1,990 directories is followed within a minute" {
  command -v bindfs >/dev/null || skip "no bindfs"
  mkdir real m
  bindfs real m 3>&- || skip "no FUSE here"
  python3 -c '
import os
os.symlink("a/" * 1990 + "log", "link")
for i in range(1990):
    os.mkdir("a")
    os.chdir("a")
open("log", "w").write("deep\n")'
  timeout 60 "$EV" lines link --follow --from start --once >out
  has deep
}

@test "a file system that hangs while it is read holds up nothing, and each line comes once, across rotation and restart" {
  mkdir real state
  # Each line needs a read of its own, and the kernel reads a few of them ahead.
  for i in {1..150}; do printf '%d %060000d\n' "$i" 0; done >real/log
  mount_real
  log='lines m/log --follow --from start --catch-up state -- echo "${1%% *}"'
  start -e "log: $log" -e 'every 20ms'
  until_ok 'grep -qx 3 out'
  kill -STOP $fuse
  later=$(($(grep -c tick out) + 50))
  until_ok '[ "$(grep -c tick out)" -ge $later ]'
  ! grep -qx 150 out
  kill -CONT $fuse
  until_ok 'grep -qx 150 out'
  mv m/log m/log.1
  echo 151 >>real/log.1
  echo 152 >real/log
  until_ok 'grep -qx 152 out'
  kill -STOP $fuse
  kill $P
  wait $P || :
  kill -CONT $fuse
  [ "$(grep '^[0-9]' out)" = "$(seq 152)" ]
  echo 153 >>real/log
  mv m/log m/log.2
  echo 154 >real/log
  start -e "log: $log"
  until_ok 'grep -qx 154 out'
  [ "$(cat out)" = "$(seq 153 154)" ]
}

@test "of a file system that may hang it is said, too, that what was read last is gone" {
  command -v bindfs >/dev/null || skip "no bindfs"
  mkdir real m state
  bindfs real m 3>&- || skip "no FUSE here"
  echo one >real/log
  start lines m/log --follow --from start --catch-up state -- echo line {}
  has one
  kill $P
  wait $P || :
  ln real/log kept
  rm real/log
  echo two >real/log
  start lines m/log --follow --catch-up state -- echo line {}
  has two
  until_ok "grep -q 'what was read last of m/log is gone' err"
  ! grep -q 'cannot read' err
}

@test "a link that leads elsewhere while what was rotated is looked for in a file system that may hang loses nothing" {
  mount_real
  echo one >real/log
  ln -s m/log link
  start --no-guard lines link --follow --from start
  has one
  # What was rotated is read by the thread alone.
  strace -f -qq -o trace -P "$PWD/m/log.2" -e trace=pread64 -e inject=pread64:delay_enter=1000000 -p $P 3>&- &
  STARTED+=($!)
  until_ok "grep -q '^TracerPid:.[1-9]' /proc/$P/status"
  kill -STOP $fuse
  mv real/log real/log.1
  sleep 0.05
  echo two >real/log
  mv real/log real/log.2
  sleep 0.05
  echo three >real/log
  kill -CONT $fuse
  until_ok 'grep -q pread64 trace'
  echo four >near
  ln -sfn near link
  has four
  came one two three four
}

@test "a file that is rotated or mounted anew by others, in a file system that may hang, is read on" {
  command -v bindfs >/dev/null || skip "no bindfs"
  mkdir real m other
  for i in {1..100}; do printf '%d %060000d\n' "$i" 0; done >real/log
  bindfs real m 3>&- || skip "no FUSE here"
  start lines m/log --follow --from start -- 'echo "${1%% *}"; sleep 0.02'
  until_ok 'grep -qx 10 out'
  mv real/log real/log.1
  echo 101 >real/log
  until_ok 'grep -qx 101 out'
  umount -l m
  until_ok '! mountpoint -q m'
  sleep 1
  echo 102 >>real/log
  bindfs real other 3>&- # so that the device is another
  bindfs real m 3>&-
  umount -l other
  until_ok 'grep -qx 102 out'
  [ "$(cat out)" = "$(seq 102)" ]
}

@test "a rotated file whose read is interrupted, in a file system that may hang, is read to its end" {
  command -v bindfs >/dev/null || skip "no bindfs"
  mkdir real m
  for i in {1..100}; do printf '%d %060000d\n' "$i" 0; done >real/log
  bindfs real m 3>&- || skip "no FUSE here"
  start --no-guard lines m/log --follow --from start -- 'echo "${1%% *}"; sleep 0.02'
  until_ok 'grep -qx 10 out'
  mv m/log m/log.1
  echo 101 >m/log
  strace -f -qq -o trace -P "$PWD/m/log.1" -e trace=pread64 -e inject=pread64:error=EINTR:when=60 -p $P 3>&- &
  STARTED+=($!)
  until_ok 'grep -qx 101 out'
  grep -q EINTR trace
  [ "$(cat out)" = "$(seq 101)" ]
}

@test "where watches run out a log is looked at every second, and the limit is named" {
  unshare -Ur true || skip "no user namespace to be had here"
  : >log
  unshare -Ur sh -c 'echo 1 >/proc/sys/user/max_inotify_watches; exec "$@"' 1 \
    "$EV" lines log --follow --ready-file ready >out 2>err 3>&- &
  STARTED+=($!)
  until_ok '[ -e ready ]'
  echo one >>log
  has one
  grep -q 'user.max_inotify_watches is 1' err
}

@test "of 2,000 followed logs one that is written costs what a lone one costs" {
  mkdir d
  (cd d && seq 2000 | xargs touch)
  start lines d/* --follow
  ticks() { awk '{ print $14 + $15 }' "/proc/$(loop_pid)/stat"; }
  # The paths were walked twice: when they were armed, and in the first turn (mounts).
  echo 0 >>d/1
  has 0
  before=$(ticks)
  for i in {1..50}; do
    echo "$i" >>d/7
    until_ok "[ \$(lines_of out) = $((i + 1)) ]"
  done
  # It takes 3 ms a line to look at 2,000 files.
  echo "$(($(ticks) - before)) ticks"
  [ $(($(ticks) - before)) -lt 10 ]
}
