#!/usr/bin/env bats
# What a service manager is told, by one that stands in for systemd.
load helper

# manager: a socket that NOTIFY_SOCKET names; each datagram is a line of `told`, with its sender.
manager() {
  cat >manager.py <<'P'
import socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(sys.argv[1].replace('@', '\0', 1))
open('up', 'w')
while True:
    data, control, _, _ = s.recvmsg(4096, 1024)
    pid = struct.unpack('3i', control[0][2])[0]
    print(pid, data.decode().replace('\n', ' '), file=open('told', 'a'), flush=True)
P
  python3 manager.py "$1" 3>&- &
  STARTED+=("$!")
  until_ok '[ -e up ]'
}

@test "ready, reloading and stopping are told by the main process, and commands do not inherit the socket" {
  manager "$PWD/notify"
  export NOTIFY_SOCKET=$PWD/notify
  echo 'a: every 1h --initial -- env >environment' >r
  start -f r
  until_ok 'grep -q "^$P READY=1 STATUS=1 rule armed$" told'
  until_ok '[ -s environment ]'
  ! grep NOTIFY_SOCKET environment
  echo 'b: every 1h' >>r
  kill -HUP "$P"
  until_ok 'grep -Eq "^$P RELOADING=1 MONOTONIC_USEC=[0-9]+$" told && grep -q "^$P READY=1 STATUS=2 rules armed$" told'
  stop
  grep -q "^$P STOPPING=1$" told
}

@test "the watchdog is fed while the loop turns, and not while it stands still" {
  manager "@evwatch-test-$$-$BATS_TEST_NUMBER"
  export NOTIFY_SOCKET=@evwatch-test-$$-$BATS_TEST_NUMBER WATCHDOG_USEC=200000
  start every 1h
  until_ok '[ "$(grep -c "^$P WATCHDOG=1" told)" -ge 3 ]'
  kill -STOP "$(loop_pid)"
  until_ok 'grep -q "^State:.T" /proc/$(loop_pid)/status'
  sleep 0.3
  n=$(lines_of told)
  sleep 1
  [ "$(lines_of told)" = "$n" ]
  kill -CONT "$(loop_pid)"
  until_ok '[ "$(lines_of told)" -gt "$n" ]'
}

@test "without a guardian the loop tells; a watchdog for another process is none" {
  manager "$PWD/notify"
  export NOTIFY_SOCKET=$PWD/notify WATCHDOG_USEC=20000 WATCHDOG_PID=1
  start --no-guard every 1h
  until_ok 'grep -q "^$P READY=1" told'
  stop
  ! grep WATCHDOG told
}

@test "lines for the journal have their level" {
  JOURNAL_STREAM=$(stat -L -c %d:%i /dev/null) run bash -c '"$0" -1 after 1ms -- nonesuch-program 2>err' "$EV"
  ! grep -q '^<' err
  : >err
  JOURNAL_STREAM=$(stat -c %d:%i err) "$EV" -v -1 after 1ms -- nonesuch-program 2>>err || true
  grep -q '^<3>evwatch: after1: nonesuch-program: command not found' err
  grep -q '^<6>evwatch: after1: ' err
}
