#!/usr/bin/env bats
# listen: a command for each connection.
load helper

@test "the connection is the command's input and output" {
  start listen 0 -- 'read -r x; echo "hello $x"'
  [ "$(echo you | tcp "$(port)")" = 'hello you' ]
}

@test "PORT alone is loopback, both families" {
  start listen 0 -- cat
  grep -q ' 127\.0\.0\.1:' ready
  grep -q ' \[::1\]:' ready
}

@test "peers are told, with UCSPI names" {
  start listen 127.0.0.1:0 -- 'echo "$PROTO $TCPREMOTEIP $EVWATCH_REMOTE_ADDR ${TCPLOCALPORT} $1"'
  run tcp "$(port)" </dev/null
  [[ $output == "TCP 127.0.0.1 127.0.0.1 $(port) 127.0.0.1:"* ]]
}

@test "a UCSPI program runs unchanged" {
  echo 'hi there' >index
  start listen 127.0.0.1:0 -- 'recordio cat'
  [ "$(echo abc | tcp "$(port)")" = abc ]
}

@test "a Unix socket: mode 0600, credentials, removed at the end" {
  start listen unix:s -- 'echo "$PROTO $IPCREMOTEEUID"'
  [ "$(stat -c %a s)" = 600 ]
  [ "$(nc -NU s </dev/null)" = "IPC $(id -u)" ]
  stop
  [ ! -e s ]
}

@test "a stale Unix socket is replaced; a live one, and a regular file, never" {
  python3 -c 'import socket; s=socket.socket(socket.AF_UNIX); s.bind("stale")'
  start listen unix:stale -- 'echo ok'
  [ "$(nc -NU stale </dev/null)" = ok ]
  run_ev listen unix:stale -- cat
  [ "$status" = 1 ]
  echo precious >file
  run_ev listen unix:file -- cat
  [ "$status" = 1 ]
  [ "$(cat file)" = precious ]
}

@test "a port in use is told" {
  start listen 127.0.0.1:0 -- cat
  run_ev listen "127.0.0.1:$(port)" -- cat
  [ "$status" = 1 ]
  grep -q 'listen1: .*in use' <<<"$output"
}

@test "UDP: the datagram is the input, the output is the reply" {
  start listen udp:127.0.0.1:0 -- 'tr a-z A-Z'
  [ "$(python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(60)
s.sendto(b"hello", ("127.0.0.1", int(sys.argv[1])))
print(s.recv(100).decode())' "$(port)")" = HELLO ]
}

@test "--allow and --deny" {
  start -e 'a: listen 127.0.0.1:0 --deny 127.0.0.0/8 -- echo in' -e 'b: listen 127.0.0.1:0 --allow 127.0.0.1 -- echo in'
  [ "$(tcp "$(port a)" </dev/null || true)" = '' ]
  [ "$(tcp "$(port b)" </dev/null)" = in ]
}

@test "--max-conns refuses the next one, and lets it in later" {
  start listen 127.0.0.1:0 --max-conns 1 -- 'echo in; cat'
  exec 8<>"/dev/tcp/127.0.0.1/$(port)"
  read -r x <&8
  [ "$x" = in ]
  [ "$(tcp "$(port)" </dev/null || true)" = '' ]
  exec 8>&-
  until_ok '[ "$(tcp "$(port)" </dev/null)" = in ]'
}

@test "without a command the lines received are printed" {
  start listen 127.0.0.1:0
  printf 'a\nb\n' | tcp "$(port)"
  until_ok '[ "$(cat out)" = "$(printf "line a\nline b")" ]'
  stop
  start --json listen 127.0.0.1:0 unix:s
  echo a | tcp "$(port)"
  until_ok 'grep -q "\"remote_addr\":\"127.0.0.1\",\"remote_port\":[0-9]*}" out'
  echo b | nc -N -U s
  until_ok 'grep -q "\"b\".*\"remote_addr\":\"\"}" out'
}

@test "200 connections at once are all served" {
  start listen 127.0.0.1:0 -- cat
  python3 - "$(port)" <<'P'
import socket, sys
cs = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(200)]
for i, c in enumerate(cs):
    c.sendall(b"%d" % i); c.shutdown(1)
for i, c in enumerate(cs):
    d = b""
    while (r := c.recv(100)): d += r
    assert d == b"%d" % i, (i, d)
P
}

@test "TCPCONNNUM counts the connections from one address" {
  start listen 127.0.0.1:0 -- 'echo $TCPCONNNUM; cat'
  python3 - "$(port)" <<'P'
import socket, sys
def number(host):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60, (host, 0))
    open_ones.append(s)
    return int(s.recv(9))
open_ones = []
assert [number(h) for h in ("127.0.0.1", "127.0.0.2", "127.0.0.1")] == [1, 1, 2]
P
}
