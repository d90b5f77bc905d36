#!/usr/bin/env bats
# relay --workers N: processes that share the port, and nothing lost when one of them dies.
load helper

# An echo server in the background; its port is SERVER.
prepare() {
  python3 -c '
import os, socket, threading
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(4096)
open("server.tmp", "w").write(str(l.getsockname()[1])); os.rename("server.tmp", "server")
def serve(c):
    while (d := c.recv(65536)): c.sendall(d)
    c.close()
while True: threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()' 3>&- &
  STARTED+=($!)
  until_ok '[ -e server ]'
  SERVER=$(cat server)
}

# workers: the pids of the workers, in the order they were started: pids grow, and begin anew. The
# loop's process is the guardian's child.
workers() {
  local loop
  loop=$(loop_pid)
  pgrep -P "$loop" | awk -v loop="$loop" '{ print $1 < loop, $1 }' | sort -n -k 1,1 -k 2,2 | cut -d ' ' -f 2
}

# client CODE: python with N connections cs to the relay; ask(c, bytes) gets them back.
client() {
  timeout 100 python3 -c "
import os, socket, sys, time
PORT, PIDS = int(sys.argv[1]), [int(p) for p in sys.argv[2].split()]
def connect():
    c = socket.create_connection(('127.0.0.1', PORT)); c.settimeout(60)
    return c
def ask(c, what):
    c.sendall(what)
    d = b''
    while len(d) < len(what):
        r = c.recv(65536)
        if not r: raise ConnectionResetError
        d += r
    assert d == what
    return True
def lives(c):
    try: return ask(c, b'?')
    except (ConnectionResetError, BrokenPipeError): return False
$1" "$(port)" "$(workers | xargs)"
}

@test "all workers serve one port, which port 0 may have chosen" {
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 3
  [ "$(wc -l <ready)" = 1 ]
  until_ok '[ "$(workers | wc -l)" = 3 ]'
  client '
cs = [connect() for _ in range(60)]
for i, c in enumerate(cs): ask(c, b"%d" % i)
# Each of them has some: two sockets a connection.
for p in PIDS: assert len(os.listdir("/proc/%d/fd" % p)) > 12'
  until_ok '[ "$(grep -c " bytes to, .* done$" err)" = 60 ]'
}

@test "PORT alone: both families, on one port" {
  start relay 0 "127.0.0.1:$SERVER" --workers 2
  [ "$(wc -l <ready)" = 2 ]
  python3 - "$(port)" <<'P'
import socket, sys
for host in "127.0.0.1", "::1":
    for _ in range(8):
        c = socket.create_connection((host, int(sys.argv[1]))); c.settimeout(60)
        c.sendall(b"x"); assert c.recv(1) == b"x"
P
}

@test "a worker that dies takes its own connections with it, is told once and replaced" {
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 2
  until_ok '[ "$(workers | wc -l)" = 2 ]'
  victim=$(workers | head -1)
  client '
cs = [connect() for _ in range(40)]
for c in cs: ask(c, b"x")
os.kill(PIDS[0], 9)
n = sum(lives(c) for c in cs)
assert 0 < n < 40, n
for _ in range(20): ask(connect(), b"y")'
  until_ok '[ "$(workers | wc -l)" = 2 ]'
  [ "$(grep -c "worker 1, pid $victim, ended with signal 9 (Killed); [0-9]* connections are lost; another one takes its place" err)" = 1 ]
  [ "$(wc -l <err)" = 1 ]
  grep -q "worker 1, pid $victim, .* takes its place in 100ms$" err
  # One that keeps dying is given more and more time, unless it lived for long: on a machine that
  # stands still it did.
  local deaths=1
  until grep -q 'worker 1, .* takes its place in 400ms$' err; do
    [ $deaths -lt 20 ]
    kill -9 "$(workers | tail -1)"
    deaths=$((deaths + 1))
    until_ok "[ \$(grep -c 'worker 1, .* takes its place in ' err) = $deaths ] && [ \"\$(workers | wc -l)\" = 2 ]"
  done
  grep -q 'worker 1, .* takes its place in 200ms$' err
}

@test "who waits in the queue of a dead worker is served by the next one" {
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 2
  until_ok '[ "$(workers | wc -l)" = 2 ]'
  client '
for p in PIDS: os.kill(p, 9)
cs = [connect() for _ in range(100)]
for i, c in enumerate(cs): ask(c, b"%d" % i)'
}

@test "TERM drains all workers, and no process is left" {
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 3 --drain 60s
  until_ok '[ "$(workers | wc -l)" = 3 ]'
  all="$(workers | xargs) $(loop_pid)"
  mkfifo go
  client '
cs = [connect() for _ in range(30)]
for c in cs: ask(c, b"x")
open("connected", "w")
open("go").read()
for c in cs: ask(c, b"late")' &
  c=$!
  until_ok '[ -e connected ]'
  # As pkill(1) does it, to every process.
  # shellcheck disable=SC2086
  kill -TERM "$P" $all
  until_ok '! timeout 100 nc -z 127.0.0.1 "$(port)"'
  echo >go
  wait "$c"
  ended
  [ "$STATUS" = 143 ]
  for p in $all; do until_ok "! kill -0 $p 2>/dev/null"; done
  [ ! -s err ]
}

@test "kill -9 of evwatch leaves no worker" {
  for victim in guardian loop; do
    start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 3
    until_ok '[ "$(workers | wc -l)" = 3 ]'
    all=$(workers)
    if [ "$victim" = guardian ]; then kill -9 "$P"; else kill -9 "$(loop_pid)"; fi
    for p in $all; do until_ok "! kill -0 $p 2>/dev/null"; done
    ended
  done
}

@test "--no-guard: kill -9 of evwatch leaves no worker" {
  start --no-guard relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 2
  until_ok '[ "$(pgrep -P $P | wc -l)" = 2 ]'
  all=$(pgrep -P "$P")
  kill -9 "$P"
  for p in $all; do until_ok "! kill -0 $p 2>/dev/null"; done
}

@test "--max-conns counts all workers together" {
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 3 --max-conns 3
  until_ok '[ "$(workers | wc -l)" = 3 ]'
  client '
cs = []
while len(cs) < 3: # one that comes while another worker accepts may pass the limit for an instant
    cs.append(connect()); ask(cs[-1], b"x")
late = [connect() for _ in range(6)]
for c in late: c.sendall(b"y"); c.settimeout(0.1)
def waits(c):
    try: c.recv(1)
    except TimeoutError: return True
assert all(waits(c) for c in late)
# As they go, the others come, whichever worker they wait for.
for c in cs: c.close()
for c in late: c.settimeout(60)
left = list(late)
while left:
    c = left.pop(0)
    c.settimeout(0.2)
    try:
        assert c.recv(1) == b"y"; c.close()
    except TimeoutError: left.append(c)'
}

@test "--max-conns: the connections of a worker that died make room in the others" {
  # Only where the late one is with the other worker: chance decides.
  for _ in $(seq 30); do
    start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 2 --max-conns 1
    until_ok '[ "$(workers | wc -l)" = 2 ]'
    client '
def held(): return [len(os.listdir("/proc/%d/fd" % p)) for p in PIDS]
before = held()
c = connect(); ask(c, b"x")
after = held()
owner, other = (0, 1) if after[0] > before[0] else (1, 0)
late = connect(); late.sendall(b"y")
for _ in range(100): # nothing shows that it waits with the owner
    if held()[other] > after[other]: open("other", "w"); break
    time.sleep(0.01)
os.kill(PIDS[owner], 9)
try: assert late.recv(1) == b"y"
except ConnectionResetError: assert not os.path.exists("other")'
    stop
    [ ! -e other ] || return 0
  done
  return 1
}

@test "UDP: --max-conns counts all workers together" {
  python3 -c '
import os, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))
open("udp.tmp", "w").write(str(s.getsockname()[1])); os.rename("udp.tmp", "udp")
while True: s.sendto(*s.recvfrom(70000))' 3>&- &
  STARTED+=($!)
  until_ok '[ -e udp ]'
  start relay -v udp:127.0.0.1:0 "udp:127.0.0.1:$(cat udp)" --workers 2 --max-conns 2
  until_ok '[ "$(workers | wc -l)" = 2 ]'
  client '
for _ in range(20):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(60)
    s.connect(("127.0.0.1", PORT)); s.send(b"x"); assert s.recv(9) == b"x"'
  # Of twenty at most two are left.
  until_ok '[ "$(grep -c "replaced by a newer one" err)" -ge 18 ]'
}

@test "TERM: a worker that hangs is killed when its time is over" {
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 2 --drain 0
  until_ok '[ "$(workers | wc -l)" = 2 ]'
  hung=$(workers | head -1)
  kill -STOP "$hung"
  kill -TERM "$P"
  until_ok '! kill -0 "$P" 2>/dev/null' || { kill -KILL "$hung"; return 1; }
  ! kill -0 "$hung" 2>/dev/null
}

@test "a port in use is told, as without workers" {
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 2
  run_ev relay "127.0.0.1:$(port)" "127.0.0.1:$SERVER" --workers 2
  [ "$status" = 1 ]
  grep -q 'relay1: cannot listen on .*: Address already in use' <<<"$output"
  run_ev relay "127.0.0.1:$(port)" "127.0.0.1:$SERVER"
  [ "$status" = 1 ]
}

@test "a Unix socket is shared by all workers, and removed at the end" {
  start relay unix:s "127.0.0.1:$SERVER" --workers 2
  for i in 1 2 3 4 5 6; do [ "$(echo "$i" | timeout 100 nc -NU s)" = "$i" ]; done
  kill -9 "$(workers | head -1)"
  for i in 1 2 3 4 5 6; do [ "$(echo "$i" | timeout 100 nc -NU s)" = "$i" ]; done
  [ -S s ]
  stop
  [ ! -e s ]
}

@test "UDP: each client has its worker" {
  python3 -c '
import os, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))
open("udp.tmp", "w").write(str(s.getsockname()[1])); os.rename("udp.tmp", "udp")
while True: s.sendto(*s.recvfrom(70000))' 3>&- &
  STARTED+=($!)
  until_ok '[ -e udp ]'
  start relay udp:127.0.0.1:0 "udp:127.0.0.1:$(cat udp)" --workers 2
  until_ok '[ "$(workers | wc -l)" = 2 ]'
  client '
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(60)
    s.connect(("127.0.0.1", PORT))
    return s
cs = [udp() for _ in range(40)]
for i, s in enumerate(cs): s.send(b"%d" % i)
for i, s in enumerate(cs): assert s.recv(9) == b"%d" % i
for p in PIDS: assert len(os.listdir("/proc/%d/fd" % p)) > 12
# Who dies is replaced, and its sessions begin anew.
os.kill(PIDS[0], 9)
for i, s in enumerate(cs):
    s.settimeout(0.3)
    for attempt in range(200):
        try:
            s.send(b"again %d" % i)
            assert s.recv(99) == b"again %d" % i; break
        except TimeoutError: pass
    else: raise SystemExit("no answer")'
}

@test "events are printed by one process, whole and counted" {
  start --json relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 4
  client '
for _ in range(5):
    cs = [connect() for _ in range(40)]
    for c in cs: ask(c, b"x")
    for c in cs: c.close()'
  until_ok '[ "$(wc -l <out)" = 400 ]'
  python3 -c '
import json
es = [json.loads(l) for l in open("out")]
assert [e["count"] for e in es] == list(range(1, 401))
assert len([e for e in es if e["event"] == "open"]) == 200'
  stop
  [ "$STATUS" = 143 ]
}

@test "a loop that does not take the events in is waited for, and gets them all" {
  start --json relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 2
  until_ok '[ "$(workers | wc -l)" = 2 ]'
  client "
import signal
LOOP = $(loop_pid)"'
os.kill(LOOP, signal.SIGSTOP)
late = None
for n in range(1, 6000):
    c = connect(); c.settimeout(1); c.sendall(b"x")
    try: assert c.recv(1) == b"x"; c.close()
    except TimeoutError: late = c; break
os.kill(LOOP, signal.SIGCONT)
assert late, "they are accepted for ever"
late.settimeout(60); assert late.recv(1) == b"x"; late.close()
open("n", "w").write(str(n))'
  until_ok '[ "$(wc -l <out)" = $((2 * $(cat n))) ]'
}

@test "the last words of a worker that is killed are heard" {
  start --json relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 2
  until_ok '[ "$(workers | wc -l)" = 2 ]'
  client "
import signal
LOOP = $(loop_pid)"'
os.kill(LOOP, signal.SIGSTOP)
# More than is read at once, less than a socket takes.
cs = [connect() for _ in range(320)]
for c in cs: ask(c, b"x")
for p in PIDS: os.kill(p, 9)
os.kill(LOOP, signal.SIGCONT)'
  until_ok '[ "$(grep -c "\"event\":\"open\"" out)" = 320 ]'
}

@test "--dump is shown by all workers, whole" {
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 3 --dump -
  client '
for i in range(30): ask(connect(), b"dump %02d" % i)'
  until_ok '[ "$(grep -c "|dump [0-9]*|$" out)" = 60 ]'
  stop
  run_ev relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 2 --dump no/such/folder
  [ "$status" = 1 ]
}

@test "--dump by workers comes to its end by itself, more than a socket takes at once" {
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 2 --dump -
  head -c 60000 /dev/zero | tcp "$(port)" | cmp - <(head -c 60000 /dev/zero)
  until_ok '[ "$(grep -c "^0000ea50  00" out)" = 2 ]'
}

@test "other rules are not multiplied, and workers hold nothing of theirs" {
  start -e 'a: listen 127.0.0.1:0 -- cat' -e "b: relay 127.0.0.1:0 127.0.0.1:$SERVER --workers 3" \
    -e 'c: after 10ms -- echo x >>once'
  until_ok '[ "$(workers | wc -l)" -ge 3 ] && [ -s once ]'
  [ "$(echo hi | tcp "$(port a)")" = hi ]
  [ "$(echo hi | tcp "$(port b)")" = hi ]
  # The socket of `a` is open in the loop's process alone.
  inode=$(awk -v p="$(printf ':%04X' "$(port a)")" '$2 ~ p && $4 == "0A" { print $10 }' /proc/net/tcp)
  [ -n "$inode" ]
  holders=0
  for p in $(loop_pid) $(workers); do
    if find "/proc/$p/fd" -lname "socket:\[$inode\]" 2>/dev/null | grep -q .; then holders=$((holders + 1)); fi
  done
  [ "$holders" = 1 ]
  [ "$(wc -l <once)" = 1 ]
}

@test "-v: each worker sums up at the end" {
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 3 --drain 60s
  for i in {1..10}; do [ "$(echo "$i" | tcp "$(port)")" = "$i" ]; done
  stop
  [ "$STATUS" = 143 ]
  [ "$(grep -c ' accepted, 0 refused$' err)" = 3 ]
  [ "$(grep -o '[0-9]* accepted, 0 refused$' err | awk '{ n += $1 } END { print n }')" = 10 ]
  # Also of connections that all end then: more lines than a socket takes.
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 2 --drain 0
  until_ok '[ "$(workers | wc -l)" = 2 ]'
  client '
cs = [connect() for _ in range(900)]
for c in cs: c.sendall(b"x")
for c in cs: assert c.recv(1) == b"x"
open("connected", "w")
for c in cs:
    try: c.recv(1)
    except ConnectionResetError: pass' &
  c=$!
  until_ok '[ -e connected ]'
  stop
  wait "$c"
  [ "$(grep -c ' 1 bytes to, 1 from, .*, stopped$' err)" = 900 ]
  [ "$(grep -c ' accepted, 0 refused$' err)" = 2 ]
}

@test "--check: one worker looks, all know what it saw, and another looks when it is dead" {
  start -v relay 127.0.0.1:0 unix:a "127.0.0.1:$SERVER" --workers 3 --check 20ms --fall 1
  until_ok '[ "$(workers | wc -l)" = 3 ] && grep -q "unix:a is down: No such file or directory" err'
  client '
cs = [connect() for _ in range(60)]
for i, c in enumerate(cs): ask(c, b"%d" % i)
for p in PIDS: assert len(os.listdir("/proc/%d/fd" % p)) > 12'
  [ "$(grep -c 'unix:a: No such file' err)" = 0 ] # nobody tried
  kill -9 "$(workers | head -1)"
  until_ok 'grep -q "worker 1, .* another one takes its place" err && [ "$(workers | wc -l)" = 3 ]'
  "$EV" --ready-file a.ready listen unix:a -- cat 3>&- &
  STARTED+=($!)
  until_ok 'grep -q "unix:a is up again" err'
  [ "$(grep -c 'unix:a is down' err)" = 1 ]
  [ "$(grep -c "127.0.0.1:$SERVER is up" err)" -le 2 ] # once by each that looked
}

@test "--workers is a number from 1 to 256; 1 is no worker at all" {
  run_ev relay 7001 7000 --workers 0
  [ "$status" = 2 ]
  run_ev relay 7001 7000 --workers 257
  [ "$status" = 2 ]
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 1
  [ "$(workers | wc -l)" = 0 ]
  [ "$(echo hi | tcp "$(port)")" = hi ]
}

@test "a worker's last words arrive, however slowly the loop's process takes them" {
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 2 --json --drain 200ms
  until_ok '[ "$(workers | wc -l)" = 2 ]'
  client "
import resource, signal
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
cs = [connect() for _ in range(600)]
for c in cs: ask(c, b'?')
while open('out').read().count('open') < 600: time.sleep(0.01)
os.kill($P, signal.SIGTERM)
while True:
    try: connect().close()
    except ConnectionRefusedError: break
    except ConnectionResetError: pass # one of them has
# All have closed the port: so they were told to stop. Their channels cannot hold what comes now.
os.kill($(loop_pid), signal.SIGSTOP)
for c in cs: assert c.recv(1) == b''
time.sleep(1.5)
os.kill($(loop_pid), signal.SIGCONT)"
  ended
  [ "$(grep -c ': 1 bytes to, 1 from, .*, stopped$' err)" = 600 ]
  [ "$(grep -c '"open"' out)" = "$(grep -c '"close"' out)" ]
  [ "$(grep -c ' accepted, 0 refused$' err)" = 2 ]
}

@test "a worker that cannot be started for want of descriptors is tried again" {
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --workers 2
  until_ok '[ "$(workers | wc -l)" = 2 ]'
  # The lowest ones are in use for good; poll(2) wants the limit to be no less than what it watches.
  prlimit --nofile=7: --pid "$(loop_pid)"
  kill -9 "$(workers | head -1)"
  until_ok 'grep -q "cannot start worker [12]: Too many open files; it is tried again" err'
  prlimit --nofile=1024: --pid "$(loop_pid)"
  until_ok '[ "$(workers | wc -l)" = 2 ]'
  client 'assert all(lives(connect()) for _ in range(20))'
}
