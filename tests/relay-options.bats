#!/usr/bin/env bats
# relay: what its options promise, one by one.
load helper
load servers

# The time that evwatch has worked, in ticks (proc_pid_stat(5)).
worked() {
  awk '{print $14 + $15}' "/proc/$(loop_pid)/stat"
}

@test "--rate: each way of a connection is held back, and nobody spins meanwhile" {
  server "$echo_server"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --rate 50k/s
  head -c 30000 /dev/urandom >sent
  before=$(worked)
  python3 - "$(port)" <<'P'
import socket, sys, time
begin = time.monotonic()
sent = open("sent", "rb").read()
c = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
c.sendall(sent); c.shutdown(1)
got = b""
while (r := c.recv(65536)): got += r
assert got == sent
# All but the first burst, a tenth of a second's, has to wait.
assert time.monotonic() - begin > 30000 / 51200 - 0.12, time.monotonic() - begin
P
  [ $(($(worked) - before)) -lt 20 ]
}

@test "--rate: a connection that waits holds no other up" {
  server "$echo_server"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --rate 100/s
  python3 - "$(port)" <<'P'
import socket, sys
slow = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
slow.sendall(bytes(100000))
c = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
c.sendall(b"x"); assert c.recv(1) == b"x"
P
}

@test "--rate refuses what is no rate" {
  run_ev relay 7001 7000 --rate fast
  [ "$status" = 2 ]
  run_ev relay 7001 7000 --rate 0/s
  [ "$status" = 2 ]
}

@test "--dump tells connection, direction, offset, hex and text; a second start appends" {
  server "$echo_server"
  for _ in 1 2; do
    start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --dump hex
    [ "$(printf 'Hello, world: 20 bytes\x01\xff' | tcp "$(port)" | wc -c)" = 24 ]
    stop
  done
  [ "$(grep -c '^# [0-9-]*T[0-9:.+-]* relay1 1: 127.0.0.1:[0-9]* > 127.0.0.1:'"$SERVER"'$' hex)" = 2 ]
  [ "$(grep -c ' relay1 1: 127.0.0.1:[0-9]* < 127.0.0.1:' hex)" = 2 ]
  grep -qFx '00000000  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 3a 20 32 30  |Hello, world: 20|' hex
  [ "$(grep -cFx '00000010  20 62 79 74 65 73 01 ff                           | bytes..|' hex)" = 4 ]
}

@test "--dump - is standard output: all bytes are there, and all arrive" {
  server "$echo_server"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --dump - --json
  head -c 300000 /dev/urandom >sent
  tcp "$(port)" <sent >received
  cmp sent received
  until_ok 'grep -q "\"event\":\"close\"" out'
  # A number that counts on: what is missing would show.
  for way in '>' '<'; do
    awk -v way="$way" '/^#/ { on = $6 == way; next }
      on && /^[0-9a-f]+ / { print substr($0, 11, 49) }' out | xxd -r -p | cmp - sent
  done
}

@test "--dump to a reader that stopped: connections go on, and what is lost is told" {
  server "$echo_server"
  mkfifo hex
  sleep 100 <>hex &
  STARTED+=($!)
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --dump hex
  head -c 1000000 /dev/urandom >sent
  tcp "$(port)" <sent | cmp - sent
  timeout 100 cat hex >read 3>&- &
  local reader=$!
  # The pipe takes the rest of what it took a part of, then what is new.
  until_ok 'echo | tcp "$(port)" >/dev/null; grep -q "^# [0-9]* bytes are not shown: the reader is slow" read'
  kill "$reader"
}

@test "--dump: what its reader has not taken at the end is told as lost" {
  server "$echo_server"
  mkfifo hex
  sleep 100 <>hex &
  STARTED+=($!)
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --dump hex
  head -c 1000000 /dev/zero | tcp "$(port)" >/dev/null
  stop
  grep -q 'the end of the --dump is lost: the reader is slow' err
}

@test "--dump to a file that cannot be written is told, at start and later" {
  run_ev relay 127.0.0.1:0 127.0.0.1:1 --dump nowhere/hex
  [ "$status" = 1 ]
  [[ "$output" == *'relay1: cannot write --dump to nowhere/hex: No such file or directory'* ]]
  server "$echo_server"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --dump /dev/full
  for _ in 1 2; do [ "$(echo hi | tcp "$(port)")" = hi ]; done
  [ "$(grep -c 'relay1: --dump ends: No space left on device' err)" = 1 ]
}

# A server that says where a connection comes from.
whence='
while True:
    c, a = l.accept()
    c.sendall(("%s\n" % a[0]).encode()); c.close()'

@test "--bind: connections to targets come from this address, and many may" {
  server "$whence"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --bind 127.0.0.3
  for _ in 1 2 3; do [ "$(tcp "$(port)" </dev/null)" = 127.0.0.3 ]; done
  stop
  # Also where names are raced, and of the looks of --check.
  start relay 127.0.0.1:0 "localhost:$SERVER" --bind 127.0.0.4 --check 10ms
  [ "$(tcp "$(port)" </dev/null)" = 127.0.0.4 ]
}

@test "--bind: IPv6, with and without brackets" {
  "$EV" --ready-file r2 listen '[::1]:0' -- 'echo "$EVWATCH_REMOTE_ADDR"' 3>&- &
  STARTED+=($!)
  until_ok '[ -e r2 ]'
  local to
  to=$(sed 's/.*\[/[/' r2)
  for from in ::1 '[::1]'; do
    start relay 127.0.0.1:0 "$to" --bind "$from"
    [ "$(tcp "$(port)" </dev/null)" = ::1 ]
    stop
  done
}

@test "--bind: an address that is not ours, no address, or of the other family is told at start" {
  run_ev relay 127.0.0.1:0 127.0.0.1:1 --bind 203.0.113.9
  [ "$status" = 1 ]
  [[ $output == *'relay1: cannot connect from 203.0.113.9: Cannot assign requested address'*'--bind takes an address of this machine'* ]]
  for wrong in example.org '*' '' 1.2.3 7000; do
    run_ev relay 127.0.0.1:0 127.0.0.1:1 --bind "$wrong"
    [ "$status" = 2 ]
    [[ $output == *'is not an address'* ]]
  done
  run_ev relay 127.0.0.1:0 '[::1]:1' --bind 127.0.0.1
  [ "$status" = 2 ]
  [[ $output == *'[::1]:1 cannot be connected to from the address of --bind'*'one is IPv4, the other IPv6'* ]]
}

@test "--bind: datagrams go to targets from this address as well" {
  server '
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0))
open("udp.tmp", "w").write(str(u.getsockname()[1])); os.rename("udp.tmp", "udp")
d, a = u.recvfrom(99); u.sendto(a[0].encode(), a); time.sleep(9)'
  until_ok '[ -e udp ]'
  start relay udp:127.0.0.1:0 "udp:127.0.0.1:$(cat udp)" --bind 127.0.0.3
  python3 - "$(port)" <<'P'
import socket, sys
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(60)
u.sendto(b"x", ("127.0.0.1", int(sys.argv[1])))
assert u.recv(99) == b"127.0.0.3"
P
}
