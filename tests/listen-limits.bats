#!/usr/bin/env bats
# listen: who may come, how many, and that nobody is left hanging.
load helper

# client CODE: python; connect() gives a connection, refused(c) tells a clean end without a byte.
client() {
  timeout 100 python3 -c "
import os, socket, sys, time
PORT = int(sys.argv[1])
def connect(host='127.0.0.1', source=None):
    c = socket.create_connection((host, PORT), source_address=(source, 0) if source else None)
    c.settimeout(60)
    return c
def read(c):
    d = b''
    while (r := c.recv(65536)): d += r
    return d
def refused(c): return read(c) == b''
$1" "$(port)"
}

@test "a refused peer sees a clean end, also when it spoke first" {
  start listen 127.0.0.1:0 --deny 127.0.0.0/8 -- echo in
  client '
for i in range(200):
    c = connect()
    c.sendall(b"hello")
    assert refused(c)'
}

@test "the first rule that matches decides; any --allow makes the rest denied" {
  start listen 'unix:s' '*:0' --deny 127.0.0.3 --allow 127.0.0.0/29 --deny 0.0.0.0/0 -- echo in
  PORT=$(sed -n 's/.* \[::\]:\([0-9]*\)$/\1/p' ready)
  timeout 100 python3 - "$PORT" <<'P'
import socket, sys
def ask(source, host="127.0.0.1"):
    c = socket.create_connection((host, int(sys.argv[1])), source_address=(source, 0)); c.settimeout(60)
    return c.recv(9)
assert ask("127.0.0.2") == b"in\n" # IPv4 on a dual-stack socket
assert ask("127.0.0.3") == b""
assert ask("127.0.0.8") == b""
assert ask("::1", "::1") == b"" # matches none, and some rule allows
P
  [ "$(nc -NU s </dev/null)" = in ] # its mode decides there
}

@test "--max-per-ip counts each address by itself, and forgets those that left" {
  start listen 127.0.0.1:0 --max-per-ip 2 -- 'echo in; cat'
  client '
def let_in(n, source=None):
    # Those of the round before count until their commands have ended.
    for attempt in range(5000):
        cs = [connect(source=source) for _ in range(n)]
        if all(c.recv(3) == b"in\n" for c in cs): return cs
        for c in cs: c.close()
        time.sleep(0.005)
    raise SystemExit("never let in again")
for round in range(20):
    a = let_in(2)
    assert refused(connect())
    b = let_in(1, "127.0.0.2")
    for c in a + b: c.close()'
}

@test "--jobs connections are served at once, the others wait and lose nothing" {
  start listen 127.0.0.1:0 -j 2 -- 'echo + >>log; cat'
  client '
cs = [connect() for _ in range(8)]
for i, c in enumerate(cs): c.sendall(b"%d" % i)
assert cs[0].recv(1) == b"0" and cs[1].recv(1) == b"1"
time.sleep(0.2)
assert len(open("log").readlines()) == 2
for i, c in enumerate(cs):
    c.shutdown(1)
    assert read(c) == (b"" if i < 2 else b"%d" % i)'
}

@test "--backlog is what the kernel keeps" {
  start -e 'a: listen 127.0.0.1:0 --backlog 7 -- cat' -e 'b: listen 127.0.0.1:0 -- cat'
  [ "$(ss -Hltn "sport = :$(port a)" | awk '{print $3}')" = 7 ]
  most=$(cat /proc/sys/net/core/somaxconn)
  [ "$(ss -Hltn "sport = :$(port b)" | awk '{print $3}')" = "$((most < 4096 ? most : 4096))" ]
}

@test "--banner comes first, with and without a command" {
  start listen 127.0.0.1:0 --banner $'welcome\n' -- cat
  [ "$(echo x | tcp "$(port)")" = "$(printf 'welcome\nx')" ]
  stop
  start listen 127.0.0.1:0 --banner hello
  [ "$(echo x | tcp "$(port)")" = hello ]
}

@test "--reuseport: two processes share a port; without it the second is refused" {
  start listen 127.0.0.1:0 --reuseport -- echo one
  first=$(port)
  cp ready ready1
  start listen "127.0.0.1:$first" --reuseport -- echo two
  for _ in {1..40}; do tcp "$first" </dev/null; done | sort -u >answers
  [ "$(cat answers)" = "$(printf 'one\ntwo')" ]
  run_ev listen "127.0.0.1:$first" -- cat
  [ "$status" = 1 ]
}

@test "with no descriptors left accepting stops, without spinning, and goes on when there are some" {
  start listen 127.0.0.1:0
  loop=$(loop_pid)
  prlimit --nofile=24:24 --pid "$loop"
  client '
cs = [connect() for _ in range(60)] # more than there are descriptors for
while not os.path.exists("go"): time.sleep(0.01)
for i, c in enumerate(cs): c.sendall(b"%d\n" % i); c.close()' &
  c=$!
  until_ok 'grep -q "cannot accept: Too many open files; others wait until one is free (ulimit -n)" err'
  # A second of waiting costs a few looks, not thousands.
  strace -f -o calls -p "$loop" 2>strace.err 3>&- &
  local tracer=$! before began
  until_ok '[ -s calls ]'
  before=$(wc -l <calls) began=$SECONDS
  command sleep 1
  [ $(($(wc -l <calls) - before)) -lt $((200 * (SECONDS - began + 1))) ]
  kill "$tracer"
  wait "$tracer" || true
  touch go
  wait "$c"
  until_ok '[ "$(sort -u out | wc -l)" = 60 ]'
  [ "$(wc -l <err)" = 1 ]
}

@test "commands get the connection on 0 and 1 although evwatch was started with 0, 1 and 2 closed" {
  "$EV" --ready-file ready listen 127.0.0.1:0 -- 'ls -l /proc/self/fd/2 >&2; cat' 0<&- 1>&- 2>&- 3>&- &
  P=$!
  STARTED+=("$P")
  until_ok '[ -e ready ]'
  [ "$(echo through | tcp "$(port)")" = through ]
}

@test "connections one after the other: none refused, no process and no descriptor left" {
  start listen 127.0.0.1:0 -- cat
  loop=$(loop_pid)
  echo warm | tcp "$(port)"
  before=$(find "/proc/$loop/fd" -mindepth 1 | wc -l)
  N=${CONNECTIONS:-1000} client '
for i in range(int(os.environ["N"])):
    c = connect(); c.sendall(b"%d" % i); c.shutdown(1)
    assert read(c) == b"%d" % i'
  until_ok '[ -z "$(pgrep -P "$loop")" ]' # zombies count
  until_ok '[ "$(find "/proc/$loop/fd" -mindepth 1 | wc -l)" = '"$before"' ]'
  [ ! -s err ]
}

@test "500 connections at once: none refused, each gets its own bytes" {
  start listen 127.0.0.1:0 -j 500 -- cat
  client '
cs = [connect() for _ in range(500)]
for i, c in enumerate(cs): c.sendall(b"%d" % i)
for i, c in enumerate(cs): c.shutdown(1)
for i, c in enumerate(cs): assert read(c) == b"%d" % i'
  loop=$(loop_pid)
  until_ok '[ -z "$(pgrep -P "$loop")" ]'
  [ ! -s err ]
}

@test "without a command a slow reader of the events holds the peers up, and no line is lost" {
  mkfifo events
  "$EV" --ready-file ready listen 127.0.0.1:0 >events 3>&- &
  P=$!
  STARTED+=("$P")
  exec 8<events
  until_ok '[ -e ready ]'
  client '
line = b"x" * 990
for i in range(4):
    c = connect()
    c.sendall(b"".join(b"%d-%06d-%s\n" % (i, n, line) for n in range(2500))); c.close()' &
  c=$!
  command sleep 0.5
  # What waits is bounded: the peers wait, not the memory of evwatch.
  rss=$(awk '/VmRSS/ { print $2 }' "/proc/$(loop_pid)/status")
  head -10000 <&8 | cut -c 6-13 | sort | uniq -c | awk '{ n++ } END { print n }' >count
  wait "$c"
  [ "$(cat count)" = 10000 ]
  case $EV in *asan*) ;; *) [ "$rss" -lt 8000 ] ;; esac
}

@test "a line that does not end is not kept for ever" {
  start listen 127.0.0.1:0
  python3 - "$(port)" <<'P' &
import os, socket, sys, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"a" * 3000000)
while not os.path.exists("seen"): time.sleep(0.01)
P
  local c=$!
  until_ok '[ "$(wc -c <out)" -ge 2000000 ]' || { touch seen; return 1; }
  [ "$(awk '{ if (length > n) n = length } END { print n }' out)" -le 66000 ]
  touch seen
  wait "$c"
}

@test "NUL bytes in a line are taken out, not its end" {
  start listen 127.0.0.1:0
  printf 'a\0b\r\nc' | tcp "$(port)"
  until_ok '[ "$(cat out)" = "$(printf "line ab\nline c")" ]'
}
