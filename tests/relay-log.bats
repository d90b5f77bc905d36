#!/usr/bin/env bats
# relay: what is told of connections and targets.
load helper
load servers

# client CODE: a client that sends and then does what CODE says.
client() {
  python3 - "$(port)" <<P
import socket, struct, sys, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.settimeout(60)
def reset():
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); s.close()
$1
P
}

@test "-v tells of each connection: client, target, bytes each way, time, reason" {
  server "$echo_server"
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  echo 12345 | tcp "$(port)"
  until_ok 'grep -qE "relay1: 127\.0\.0\.1:[0-9]+ -> 127\.0\.0\.1:$SERVER: 6 bytes to, 6 from, [0-9.]+m?s, done" err'
}

@test "-v names who reset a connection: the client" {
  server "$echo_server"
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  client 's.sendall(b"x"); s.recv(1); reset()'
  until_ok 'grep -q "1 bytes to, 1 from, .*, reset by the client$" err'
}

@test "-v names who reset a connection: the target" {
  server '
c = l.accept()[0]
c.recv(1); c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); c.close(); time.sleep(9)'
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  client '
s.sendall(b"x")
try: s.recv(1)
except ConnectionResetError: pass'
  until_ok 'grep -q ", reset by the target$" err'
}

@test "-v names who reset a connection, whatever its direction: a client that does not read" {
  server '
c = l.accept()[0]
try:
    while True: c.sendall(bytes(65536))
except OSError: pass
time.sleep(9)'
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  client 's.recv(1, socket.MSG_PEEK); reset()'
  until_ok 'grep -q ", reset by the client$" err'
}

@test "-v names who reset a connection, whatever its direction: a target that does not read" {
  server '
c = l.accept()[0]
c.recv(1); c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
import fcntl, termios
while struct.unpack("i", fcntl.ioctl(c, termios.FIONREAD, b"0000"))[0] < 60000: time.sleep(0.01)
c.close(); time.sleep(9)'
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  client '
try:
    while True: s.sendall(bytes(65536))
except OSError: pass'
  until_ok 'grep -q ", reset by the target$" err'
}

@test "a reset by the client is passed on to the target as a reset" {
  server '
c = l.accept()[0]
try:
    c.sendall(c.recv(1))
    open("got", "w").write("FIN" if c.recv(1) == b"" else "")
except ConnectionResetError: open("got", "w").write("reset")
time.sleep(9)'
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  client 's.sendall(b"x"); s.recv(1); reset()'
  until_ok '[ "$(cat got 2>/dev/null)" = reset ]'
}

@test "without -v it is told once that no target can be reached, until one can" {
  server "$echo_server"
  start relay "127.0.0.1:0" unix:later
  for _ in 1 2; do echo | tcp "$(port)" || true; done
  until_ok 'grep -q "relay1: no target can be reached: unix:later: No such file or directory" err'
  [ "$(lines_of err)" = 1 ]
  "$EV" --ready-file ready2 relay unix:later "127.0.0.1:$SERVER" 3>&- &
  STARTED+=($!)
  local other=$!
  until_ok '[ -e ready2 ]'
  [ "$(echo hi | tcp "$(port)")" = hi ]
  kill "$other"
  until_ok '[ ! -e later ]'
  echo | tcp "$(port)" || true
  until_ok '[ "$(lines_of err)" = 2 ]'
}

@test "-v sums up at the end: connections, refusals, bytes and failures of each target" {
  server "$echo_server"
  start -v relay '127.0.0.1:0' 127.0.0.1:1 "127.0.0.1:$SERVER" --balance first --max-per-ip 1
  for _ in 1 2 3; do [ "$(echo hello | tcp "$(port)")" = hello ]; done
  client '
s.sendall(b"x"); assert s.recv(1) == b"x" # so it is carried, while
other = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
assert other.recv(1) == b"" # is one too many'
  grep -q 'relay1: 127.0.0.1:[0-9]* is refused: too many connections from this address (--max-per-ip)' err
  until_ok '[ "$(grep -c ", done$" err)" = 4 ]'
  stop
  grep -q 'relay1: 5 accepted, 1 refused' err
  # One that refused is passed over for a moment: how often it was tried depends on the time.
  grep -q 'relay1: 127.0.0.1:1: chosen \([1-4]\) times, failed \1 times, 0 bytes to, 0 from' err
  grep -q "relay1: 127.0.0.1:$SERVER: chosen 4 times, failed 0 times, 19 bytes to, 19 from" err
}

@test "a connection that was seen to open is seen to close, when evwatch stops as well" {
  server 'u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0))
open("silent", "w").write(str(u.getsockname()[1]))
'"$echo_server"
  until_ok '[ -s silent ]'
  # One ends while the relay drains, one is ended by it.
  start -e "a: relay 127.0.0.1:0 127.0.0.1:$SERVER --json --drain 500ms" \
    -e "u: relay udp:127.0.0.1:0 udp:127.0.0.1:$(cat silent) --json --drain 0"
  python3 - "$(port a)" "$(sed -n 's/^u udp:.*://p' ready)" "$P" <<'P'
import os, signal, socket, sys
def connect():
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(60)
    s.sendall(b"x"); assert s.recv(1) == b"x"
    return s
early, late = connect(), connect()
d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); d.bind(("127.0.0.1", 0))
d.sendto(b"x", ("127.0.0.1", int(sys.argv[2])))
while open("out").read().count('"open"') < 3: pass
os.kill(int(sys.argv[3]), signal.SIGTERM)
early.close()
assert late.recv(1) == b""
P
  ended
  [ "$STATUS" = 143 ]
  [ "$(grep -c '"rule":"a".*"event":"close"' out)" = 2 ]
  [ "$(grep -c '"rule":"u".*"event":"close"' out)" = 1 ]
  # --once is exact.
  start --once -e "a: relay 127.0.0.1:0 127.0.0.1:$SERVER --json"
  echo | tcp "$(port)"
  ended
  [ "$(lines_of out)" = 1 ]
}
