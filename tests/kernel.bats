#!/usr/bin/env bats
# Where the kernel has not what evwatch uses (the table in lib/README.md): a filter answers ENOSYS, as an older
# kernel does.
load helper

prepare() {
  cc -O1 -Wall -Wextra -o without "$ROOT/tests/shim/without.c"
  ./without clone3 true || skip "no filter for system calls can be set here"
}

# lacking CALL,...: EV is evwatch on such a kernel from here on.
lacking() {
  printf '#!/bin/sh\nexec "%s" %s "%s" "$@"\n' "$PWD/without" "$1" "$(realpath "${EVWATCH:-$EV}")" >old-evwatch
  chmod +x old-evwatch
  EV=$PWD/old-evwatch
}

@test "timers, commands and signals serve on a kernel without pidfds, timerfd, epoll_pwait2 and eventfd" {
  lacking pidfd_open,timerfd_create,epoll_pwait2,eventfd2,clone3
  local begun
  begun=$(date +%s)
  run_ev -1 at now+1s -- echo wall
  [ "$status" = 0 ] && [ "$output" = wall ]
  [ $(($(date +%s) - begun)) -ge 1 ]
  start signal USR1 -- echo caught
  kill -USR1 "$P"
  until_ok "grep -q caught out"
}

@test "without close_range a command inherits none of our descriptors" {
  lacking close_range
  [ "$(ulimit -n)" -gt 2000 ] || ulimit -Sn 2001 || skip "no more than 2,000 descriptors"
  exec 7</dev/null 9</dev/null 2000</dev/null
  run_ev -1 after 1ms -- ls /proc/self/fd
  exec 7<&- 9<&- 2000<&-
  [ "$output" = $'0\n1\n2\n3' ] # 3: ls reads the folder
}

@test "without close_range a worker of a relay keeps none of the descriptors of its loop" {
  lacking close_range
  [ "$(ulimit -n)" -gt 2000 ] || ulimit -Sn 2001 || skip "no more than 2,000 descriptors"
  exec 2000</dev/null
  ulimit -Sn 1500
  start relay 127.0.0.1:0 127.0.0.1:9 --workers 2
  exec 2000<&-
  local loop worker
  loop=$(loop_pid)
  [ -e "/proc/$loop/fd/2000" ]
  until_ok "pgrep -P $loop >worker"
  read -r worker <worker
  until_ok "[ ! -e /proc/$worker/fd/2000 ]" 10
  [ -d "/proc/$worker/fd" ]
}

@test "without openat2 trees are watched, and their links are not followed" {
  lacking openat2
  mkdir -p tree/a elsewhere
  ln -s ../elsewhere tree/link
  start file tree
  mkdir -p tree/a/b
  echo x >tree/a/b/c
  echo x >elsewhere/hidden
  echo x >tree/last
  until_ok "grep -q 'tree/last' out && grep -q 'tree/a/b/c' out"
  ! grep hidden out || false
}

@test "without signalfd the guardian is refused with the cure, and --no-guard serves" {
  lacking signalfd4
  run_ev -1 after 1ms
  [ "$status" = 1 ]
  [[ $output == *"cannot start the guardian"*"--no-guard"* ]]
  run_ev --no-guard -1 after 1ms -- echo child
  [ "$output" = child ]
}

@test "without epoll or io_uring auto serves, and the backend by name is refused" {
  lacking io_uring_setup
  run_ev -b io_uring -1 after 1ms
  [[ $status != 0 && $output == *"io_uring: Function not implemented"*"those that work here: epoll, poll, select"* ]]
  lacking epoll_create1
  run_ev -b epoll -1 after 1ms
  [[ $status != 0 && $output == *"epoll: Function not implemented"*"those that work here: poll, select"* ]]
  run_ev -b auto -1 after 1ms
  [ "$output" = tick ]
}

@test "without fanotify --fanotify is refused with the reason, and inotify serves" {
  lacking fanotify_init
  run_ev -1 file --fanotify .
  [[ $status != 0 && $output == *"Function not implemented"*"Linux 5.17"* ]]
  start file .
  touch seen
  until_ok "grep -q seen out"
}

@test "without /proc commands run and end, and a port that is held is said to be" {
  [ "$(id -u)" = 0 ] || skip "takes root"
  unshare -m mount -t tmpfs none /proc 2>/dev/null || skip "nothing can be mounted here"
  local at
  at=$(free_port)
  nc -l 127.0.0.1 "$at" >/dev/null 3>&- &
  STARTED+=("$!")
  until_ok "ss -ltn | grep -q ':$at '"
  cat >hidden <<S
mount -t tmpfs none /proc
"$EV" -1 after 1ms -- echo begun
"$EV" listen 127.0.0.1:$at
S
  run timeout 100 unshare -m sh hidden
  echo "$output"
  [[ $output == *begun*"Address already in use"*"sport = :$at"* ]]
}
