#!/usr/bin/env bats
# relay udp:… udp:…: a session for each client, and answers from the address it spoke to.
load helper

# server [ADDRESS [CODE [PORT]]]: a python UDP server in the background; its port is SERVER, a free_port for
# one that is to go: no other test gets it then. CODE sees the socket s and handles each datagram d of client
# a; the default sends it back.
server() {
  local n=$((++SERVERS))
  python3 -c "
import os, socket, sys, time
host, text = sys.argv[1], sys.argv[2]
s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((host, int(sys.argv[4])))
open(sys.argv[3] + '.tmp', 'w').write(str(s.getsockname()[1]))
os.rename(sys.argv[3] + '.tmp', sys.argv[3])
code = compile(text, 'server', 'exec')
while True:
    d, a = s.recvfrom(70000)
    exec(code)
" "${1:-127.0.0.1}" "${2:-s.sendto(d, a)}" "server$n" "${3:-0}" 3>&- &
  STARTED+=($!)
  SERVER_PID=$!
  until_ok "[ -e server$n ]"
  SERVER=$(cat "server$n")
}

# client CODE [ARGS]: python that speaks to port PORT of the relay; c(host) is a connected socket.
client() {
  timeout 100 python3 -c "
import socket, sys, time
PORT = int(sys.argv[1])
def c(host='127.0.0.1', port=PORT):
    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(60)
    s.connect((host, port))
    return s
def ask(s, what):
    s.send(what)
    return s.recv(70000)
$1" "$(udp_port)" "${@:2}"
}

udp_port() {
  sed -n 's/^.* udp:[^ ]*:\([0-9]*\)$/\1/p' ready | head -1
}

@test "each client gets its own answers" {
  server
  start relay udp:127.0.0.1:0 "udp:127.0.0.1:$SERVER"
  client '
cs = [c() for _ in range(100)]
for i, s in enumerate(cs): s.send(b"%d" % i)
for i, s in enumerate(cs): assert s.recv(100) == b"%d" % i'
}

@test "datagrams pass whole: empty ones, the largest, and in order" {
  server
  start relay udp:127.0.0.1:0 "udp:127.0.0.1:$SERVER"
  client '
s = c()
assert ask(s, b"") == b""
for n in 1, 1472, 9000, 65507:
    assert ask(s, bytes(i % 251 for i in range(n))) == bytes(i % 251 for i in range(n)), n
for round in range(20):
    for i in range(50): s.send(b"%d" % i)
    assert [s.recv(9) for _ in range(50)] == [b"%d" % i for i in range(50)]'
}

@test "several answers to one question arrive" {
  server 127.0.0.1 'for i in range(40): s.sendto(b"%d" % i, a)'
  start relay udp:127.0.0.1:0 "udp:127.0.0.1:$SERVER"
  client '
s = c(); s.send(b"q")
assert [s.recv(9) for _ in range(40)] == [b"%d" % i for i in range(40)]'
}

@test "an answer leaves from the address that the client spoke to" {
  server
  start relay 'udp:*:0' "udp:127.0.0.1:$SERVER"
  # A connected socket takes datagrams from that address alone.
  client '
for host in "127.0.0.1", "127.0.0.2", "127.3.3.3", "::1", "::ffff:127.0.0.4":
    assert ask(c(host), b"x") == b"x", host'
}

@test "one client socket that speaks to two of our addresses has two sessions" {
  server
  start relay -v 'udp:*:0' "udp:127.0.0.1:$SERVER" --idle 200ms
  client '
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(60)
for host in "127.0.0.1", "127.0.0.2":
    s.sendto(b"x", (host, PORT))
    assert s.recvfrom(9) == (b"x", (host, PORT))'
  until_ok '[ "$(grep -c "1 bytes to, 1 from, .*, idle" err)" = 2 ]'
}

@test "udp:PORT is loopback, both families; so is a target" {
  server ::1
  start relay udp:0 "udp:$SERVER"
  grep -q '^relay1 udp:127\.0\.0\.1:' ready
  grep -q '^relay1 udp:\[::1\]:' ready
  # 127.0.0.1 refuses: the datagram that brought that to light is not lost.
  client 'assert ask(c(), b"x") == b"x"; assert ask(c("::1"), b"y") == b"y"'
}

@test "answers to clients of both families, ready in one turn, each leave from their own socket" {
  server 127.0.0.1 '
q = globals().get("q", []) + [(d, a)]
if len(q) == 40:
    for d, a in q: s.sendto(d, a)'
  start relay udp:0 "udp:127.0.0.1:$SERVER"
  client '
cs = [c("::1" if i % 2 else "127.0.0.1") for i in range(40)]
for i, s in enumerate(cs): s.send(b"%d" % i)
for i, s in enumerate(cs): assert s.recv(9) == b"%d" % i'
}

@test "a name is a target" {
  server
  start relay udp:127.0.0.1:0 "udp:localhost:$SERVER"
  client 'assert ask(c(), b"x") == b"x"'
}

@test "a name that nobody knows is told, and the others serve" {
  server
  start relay -v udp:127.0.0.1:0 udp:no-such-host.invalid:9 "udp:127.0.0.1:$SERVER"
  client 'assert ask(c(), b"x") == b"x"'
  grep -q 'udp:no-such-host.invalid:9: ' err
}

@test "a target that refuses is passed over, and no datagram is lost" {
  server
  dead=$(free_port)
  for how in round-robin least-conn source first; do
    start relay udp:127.0.0.1:0 "udp:127.0.0.1:$dead" "udp:127.0.0.1:$SERVER" --balance "$how"
    client '
for _ in range(20):
    s = c()
    for i in range(3): s.send(b"%d" % i)
    assert [s.recv(9) for _ in range(3)] == [b"0", b"1", b"2"]'
    stop
  done
}

@test "a target that dies in mid-session: the next one takes over" {
  server '' '' "$(free_port)"
  first=$SERVER first_pid=$SERVER_PID
  server
  start relay udp:127.0.0.1:0 "udp:127.0.0.1:$first" "udp:127.0.0.1:$SERVER" --balance first
  mkfifo gone
  client '
s = c()
assert ask(s, b"x") == b"x"
open("answered", "w")
open("gone").read()
s.settimeout(0.2)
for _ in range(300):
    try:
        assert ask(s, b"y") == b"y"; break
    except TimeoutError: pass # as any client would, it asks again
else: raise SystemExit("no answer")' &
  c=$!
  until_ok '[ -e answered ]'
  kill -9 "$first_pid"
  echo >gone
  wait "$c"
}

@test "what no answer came for goes to the next target too, up to sixteen datagrams; what was answered does not" {
  for n in 3 17 0; do
    rm -f sent gone seen got
    server 127.0.0.1 'open("got", "ab").write(d); d == b"z" or d == b"x" and '"$n"' or s.sendto(d, a)' "$(free_port)"
    first=$SERVER first_pid=$SERVER_PID
    server 127.0.0.1 'open("seen", "ab").write(d); s.sendto(d, a)'
    start relay -v udp:127.0.0.1:0 "udp:127.0.0.1:$first" "udp:127.0.0.1:$SERVER" --balance first
    mkfifo gone
    client '
s, n = c(), int(sys.argv[2])
for _ in range(n): s.send(b"x")
if not n: assert ask(s, b"x") == b"x"; s.send(b"z") # after an answer nothing is kept
open("sent", "w")
open("gone").read()
s.settimeout(5) # each of these is kept, too
for _ in range(10):
    s.send(b"y")
    try:
        while s.recv(9) != b"y": pass
        break
    except TimeoutError: pass
else: raise SystemExit("no answer")' "$n" &
    c=$!
    # Of 17 that come before there is a session one is too many.
    until_ok "[ -e sent ] && [ -e got ] && [ \$(wc -c <got) -ge $((n == 3 ? 3 : n ? 16 : 2)) ]"
    kill -9 "$first_pid"
    wait "$first_pid" || true
    echo >gone
    wait "$c"
    stop
    [ "$(tr -dc xz <seen | wc -c)" = $((n == 3 ? 3 : 0)) ] || { echo "$n: $(cat seen)"; return 1; }
  done
}

@test "targets that die one after the other, and come back, are no end of the session" {
  server '' '' "$(free_port)"; a=$SERVER a_pid=$SERVER_PID
  server '' '' "$(free_port)"; b=$SERVER b_pid=$SERVER_PID
  start relay -v udp:127.0.0.1:0 "udp:127.0.0.1:$a" "udp:127.0.0.1:$b" --balance first
  mkfifo go
  client '
s = c()
def until_answered():
    s.settimeout(0.2)
    for _ in range(300):
        try: assert ask(s, b"y") == b"y"; return
        except TimeoutError: pass
    raise SystemExit("no answer")
for i in range(4):
    until_answered()
    open("answered%d" % i, "w")
    open("go").read()' &
  c=$!
  until_ok '[ -e answered0 ]'
  kill -9 "$a_pid"; echo >go
  until_ok '[ -e answered1 ]'
  server 127.0.0.1 's.sendto(d, a)' "$a"; a_pid=$SERVER_PID
  kill -9 "$b_pid"; echo >go
  until_ok '[ -e answered2 ]'
  server 127.0.0.1 's.sendto(d, a)' "$b"
  kill -9 "$a_pid"; echo >go
  until_ok '[ -e answered3 ]'
  echo >go
  wait "$c"
  ! grep -q 'no target' err
}

@test "when all refuse the session ends, and the next datagram finds the target that came back" {
  dead=$(free_port)
  start relay -v udp:127.0.0.1:0 "udp:127.0.0.1:$dead"
  client 'c().send(b"x"); c().send(b"y")'
  until_ok '[ "$(grep -c "1 bytes to, 0 from, .*no target" err)" = 2 ]'
  server 127.0.0.1 's.sendto(d, a)' "$dead"
  client 'assert ask(c(), b"x") == b"x"'
}

@test "round-robin takes turns by session, source keeps a client with its target" {
  server 127.0.0.1 's.sendto(b"1", a)'
  one=$SERVER
  server 127.0.0.1 's.sendto(b"2", a)'
  start relay udp:127.0.0.1:0 "udp:127.0.0.1:$one" "udp:127.0.0.1:$SERVER"
  client '
cs = [c() for _ in range(4)]
for _ in range(3): assert [ask(s, b"q") for s in cs] == [b"1", b"2", b"1", b"2"]'
  stop
  start relay udp:127.0.0.1:0 "udp:127.0.0.1:$one" "udp:127.0.0.1:$SERVER" --balance source
  client 'assert len({ask(c(), b"q") for _ in range(10)}) == 1'
}

@test "a silent session is over after --idle, and -v tells what it carried" {
  server
  start relay -v --json udp:127.0.0.1:0 "udp:127.0.0.1:$SERVER" --idle 100ms
  # Again, where the machine stood still for so long.
  client '
while True:
    s = c(); s.settimeout(1); s.send(b"12345"); s.send(b"6")
    try: assert (s.recv(9), s.recv(9)) == (b"12345", b"6"); break
    except TimeoutError: pass'
  until_ok 'grep -q "127.0.0.1:[0-9]* -> udp:127.0.0.1:$SERVER: 6 bytes to, 6 from, .*idle" err'
  until_ok 'grep -q "\"event\":\"close\"" out'
  until_ok '[ "$(grep -c "\"event\":\"open\"" out)" = "$(grep -c "\"event\":\"close\"" out)" ]'
  grep -q "\"target\":\"udp:127.0.0.1:$SERVER\"" out
}

@test "--max-conns: a new session replaces the one that was silent longest" {
  server
  start relay -v udp:127.0.0.1:0 "udp:127.0.0.1:$SERVER" --max-conns 2
  client '
a, b, d = c(), c(), c()
ask(a, b"a"); ask(b, b"b"); ask(a, b"a")
assert ask(d, b"d") == b"d" # b was silent longest
assert ask(a, b"a") == b"a"; assert ask(b, b"b") == b"b"'
  grep -q ': 1 bytes to, 1 from, .*replaced by a newer one' err
  ! grep -q ': 2 bytes to.*replaced' err
}

@test "--max-per-ip, --allow and --deny drop datagrams, and tell" {
  server
  start relay -v 'udp:*:0' "udp:127.0.0.1:$SERVER" --max-per-ip 2 --deny 127.0.0.9 --allow 127.0.0.0/8
  client '
a, b, d = c(), c(), c()
assert ask(a, b"a") == b"a"; assert ask(b, b"b") == b"b"
d.settimeout(0.2)
def dropped(s):
    try: ask(s, b"d")
    except TimeoutError: return True
assert dropped(d)
e = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); e.bind(("127.0.0.9", 0))
e.connect(("127.0.0.1", PORT)); e.settimeout(0.2)
while "127.0.0.9:" not in open("err").read(): assert dropped(e) # the log tells once a second
f = c("::1"); f.settimeout(0.2)
assert dropped(f)'
  grep -q 'is refused: too many sessions from this address (--max-per-ip)' err
  grep -q '127.0.0.9:[0-9]* is refused: not allowed' err
}

@test "datagrams that are refused do not fill the log, and all are counted" {
  server
  start relay -v udp:127.0.0.1:0 "udp:127.0.0.1:$SERVER" --deny 127.0.0.1
  client '
s = c()
for _ in range(100): s.send(b"x")
for _ in range(100): c().send(b"x")
# It comes behind them, on the same socket.
last = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); last.bind(("127.0.0.2", 0))
last.settimeout(60); last.connect(("127.0.0.1", PORT))
assert ask(last, b"y") == b"y"'
  stop
  grep -q '127.0.0.1:[0-9]* is refused: not allowed ([0-9]* datagrams so far)' err
  grep -q ' accepted, 200 refused$' err
  [ "$(grep -c 'not allowed' err)" -lt 50 ]
}

@test "with no descriptors left new sessions replace old ones" {
  server
  start relay udp:127.0.0.1:0 "udp:127.0.0.1:$SERVER" --max-conns 1000
  prlimit --nofile=30:30 --pid "$(loop_pid)"
  client '
cs = [c() for _ in range(100)]
for i, s in enumerate(cs): assert ask(s, b"%d" % i) == b"%d" % i
for i, s in enumerate(cs): assert ask(s, b"%d" % i) == b"%d" % i'
  [ "$(grep -c 'no descriptor is left' err)" = 1 ]
}

@test "--rate drops what is too much, whole datagrams each way, and counts them" {
  server
  start -v relay udp:127.0.0.1:0 "udp:127.0.0.1:$SERVER" --rate 20k/s --idle 300ms
  client '
s = c()
began = time.monotonic()
n = 0
for i in range(300):
    s.send(b"%06d" % i + bytes(994)); time.sleep(0.002)
try:
    while n < 2 and s.recv(2000): n += 1
    s.settimeout(1)
    while s.recv(2000): n += 1
except TimeoutError: pass
# A burst of a tenth of a second, and what came while it lasted: no more than that.
assert 2 <= n <= 4 + 21 * (time.monotonic() - began), n'
  until_ok 'grep -q "[1-9][0-9]* datagrams lost, .*idle" err'
}

@test "--dump shows each datagram, its session and its way" {
  server 127.0.0.1 's.sendto(d.upper(), a)'
  start relay udp:127.0.0.1:0 "udp:127.0.0.1:$SERVER" --dump dump
  client 'a, b = c(), c(); ask(a, b"one"); ask(b, b"two"); ask(a, b"more")'
  for word in one ONE two TWO more MORE; do grep -q "|$word|" dump; done
  grep -q " relay1 1: 127.0.0.1:[0-9]* > udp:127.0.0.1:$SERVER" dump
  grep -q " relay1 2: 127.0.0.1:[0-9]* < udp:127.0.0.1:$SERVER" dump
  grep -q '^00000003  6d 6f 72 65' dump
}

@test "TERM: a question that is under way gets its answer; nothing else is waited for" {
  server 127.0.0.1 'open("asked", "w"); time.sleep(0.5); s.sendto(d, a)'
  start relay -v udp:127.0.0.1:0 "udp:127.0.0.1:$SERVER" --drain 60s
  client '
s = c(); s.send(b"x")
assert s.recv(9) == b"x"' &
  c=$!
  until_ok '[ -e asked ]'
  stop
  wait "$c"
  [ "$STATUS" = 143 ]
  grep -q '1 bytes to, 1 from, .*stopped' err
}

@test "TERM: --drain is the longest that an answer is waited for" {
  server 127.0.0.1 'open("asked", "w")'
  start relay -v udp:127.0.0.1:0 "udp:127.0.0.1:$SERVER" --drain 100ms
  client 'c().send(b"x")'
  until_ok '[ -e asked ]'
  stop
  grep -q '1 bytes to, 0 from, .*stopped' err
}

@test "TERM: while it drains nobody new gets a session" {
  server 127.0.0.1 '
if d == b"wait": waits = a; open("waits", "w")
elif d == b"go": s.sendto(b"gone", waits)
else: s.sendto(d, a)'
  start relay udp:127.0.0.1:0 "udp:127.0.0.1:$SERVER" --drain 60s
  client '
import os, signal
s = c()
assert ask(s, b"x") == b"x"
s.send(b"wait")
while not os.path.exists("waits"): time.sleep(0.01)
os.kill(int(sys.argv[2]), signal.SIGTERM)
for _ in range(300):
    new = c(); new.settimeout(0.3)
    try: ask(new, b"new")
    except (TimeoutError, ConnectionRefusedError): break
else: raise SystemExit("new ones are served")
s.send(b"go")
assert s.recv(9) == b"gone"' "$P"
  ended
}

@test "fd:N may be a datagram socket" {
  server
  python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))
os.dup2(s.fileno(), 7)
os.execvp(sys.argv[1], sys.argv[1:])' "$EV" --ready-file ready relay fd:7 "udp:127.0.0.1:$SERVER" 2>err 3>&- &
  STARTED+=($!)
  until_ok '[ -e ready ]'
  client 'assert ask(c(), b"x") == b"x"'
}

@test "datagrams and streams do not mix" {
  run_ev relay udp:7001 127.0.0.1:7000
  [ "$status" = 2 ]
  grep -q 'one side is udp:' <<<"$output"
  grep -q 'write udp: on both sides: udp:127.0.0.1:7000' <<<"$output"
  run_ev relay 7001 udp:127.0.0.1:7000
  [ "$status" = 2 ]
  grep -q 'write udp: on both sides: udp:7001' <<<"$output"
  run_ev relay udp:7001 unix:x
  grep -q 'write udp: on both sides: udp:HOST:PORT' <<<"$output"
  run_ev relay udp:7001 udp:7002 unix:s
  [ "$status" = 2 ]
  run_ev relay fd:0 udp:7002 </dev/null
  [ "$status" = 1 ]
}

@test "a datagram that is too large for the way is lost alone" {
  server
  start -v relay udp:127.0.0.1:0 "udp:[::1]:9" "udp:127.0.0.1:$SERVER" --balance first
  client '
s = c()
for what in b"a", b"b": assert ask(s, what) == what'
  stop
  unshare -n true 2>/dev/null || skip "no network namespace can be made here"
  unshare -n python3 - "$EV" <<'P'
import os, socket, subprocess, sys, threading, time
os.system("ip link set lo up mtu 1300")
t = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); t.bind(("::1", 7001)); ports = set()
def serve():
    while True: d, a = t.recvfrom(70000); ports.add(a[1]); t.sendto(d[:1], a)
threading.Thread(target=serve, daemon=True).start()
p = subprocess.Popen([sys.argv[1], "-v", "--ready-file", "r", "relay", "udp:127.0.0.1:7000", "udp:[::1]:7001"], stderr=subprocess.PIPE)
while not os.path.exists("r"): time.sleep(0.01)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("127.0.0.1", 7000)); s.settimeout(60)
for n in 100, 60000, 100: s.send(b"x" * n); assert s.recv(10) == b"x"
assert len(ports) == 1, ports
p.terminate(); p.wait()
P
}

@test "what waits for silent targets takes 4 MB at most" {
  server 127.0.0.1 pass
  start --no-guard relay udp:127.0.0.1:0 "udp:127.0.0.1:$SERVER" "udp:127.0.0.1:$SERVER"
  client '
for _ in range(150):
    s = c()
    for _ in range(16): s.send(b"x" * 60000)'
  # The address sanitizer keeps what was freed.
  [ "$(awk '/^VmRSS/ { print $2 }' /proc/$P/status)" -lt 20000 ] || grep -q __asan_init "$EV"
}

@test "a flood of new clients does not take the place of those that were answered" {
  server 127.0.0.1 'd.startswith(b"q") and s.sendto(d, a)'
  start relay udp:127.0.0.1:0 "udp:127.0.0.1:$SERVER" --max-conns 50
  client '
known = [c() for _ in range(10)]
for s in known: assert ask(s, b"q1") == b"q1"
ports = [s.getsockname() for s in known]
for _ in range(500):
    f = c(); f.send(b"flood")
assert ask(c(), b"q") == b"q"
for s in known: assert ask(s, b"q2") == b"q2"'
  stop
  [ "$(grep -c 'replaced by' err)" = 0 ] # without -v nothing is told
}

@test "a datagram that claims to come from the very port is dropped" {
  unshare -n true 2>/dev/null || skip "no raw socket can be had here"
  unshare -n python3 - "$EV" <<'P'
import os, socket, struct, subprocess, sys, threading, time
os.system("ip link set lo up")
t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); t.bind(("127.0.0.1", 7001)); seen = []
def serve():
    while True: d, a = t.recvfrom(100); seen.append(d); t.sendto(d, a)
threading.Thread(target=serve, daemon=True).start()
p = subprocess.Popen([sys.argv[1], "--ready-file", "r", "relay", "udp:127.0.0.1:7000", "udp:127.0.0.1:7001"])
while not os.path.exists("r"): time.sleep(0.01)
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
raw.sendto(struct.pack("!HHHH", 7000, 7000, 12, 0) + b"spin", ("127.0.0.1", 0))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("127.0.0.1", 7000)); s.settimeout(60); s.send(b"a"); assert s.recv(9) == b"a"
p.terminate(); p.wait()
assert seen == [b"a"], seen[:5]
P
}

@test "a session moves when its target is silent and the name has another address" {
  cc -shared -fPIC -D_GNU_SOURCE -o names.so "$BATS_TEST_DIRNAME/shim/names.c" -ldl
  printf '#!/bin/sh\nLD_PRELOAD=%s ASAN_OPTIONS=verify_asan_link_order=0:$ASAN_OPTIONS exec "%s" "$@"\n' "$PWD/names.so" "$EV" >evwatch
  chmod +x evwatch
  EV=$PWD/evwatch
  server 127.0.0.2 'open("second", "ab").write(d)'
  echo 'svc.test 127.0.0.3' >NAMES
  python3 -c 'import socket, sys, time; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(("127.0.0.3", int(sys.argv[1]))); open("up", "w"); time.sleep(1000)' "$SERVER" 3>&- &
  STARTED+=($!)
  until_ok '[ -e up ]'
  start relay udp:127.0.0.1:0 "udp:svc.test:$SERVER" --dns-ttl 50ms
  client '
import os
s = c(); s.send(b"1"); open("NAMES", "w").write("svc.test 127.0.0.2\n")
while not os.path.exists("second"): s.send(b"2"); time.sleep(0.02)'
}

@test "dig asks dnsmasq through a relay: by datagrams, and by a stream where the answer is too long for one" {
  local at port
  at=$(free_port)
  port=$(free_port)
  dnsmasq -k -C /dev/null -p "$at" --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts --pid-file= --user="$(id -un)" \
    --host-record=one.test,192.0.2.7 --txt-record="long.test,$(printf '%0200d,' {1..4})end" 3>&- &
  STARTED+=($!)
  start -e "relay udp:127.0.0.1:$port udp:127.0.0.1:$at" -e "relay 127.0.0.1:$port 127.0.0.1:$at"
  until_ok '[ "$(dig +short +tries=1 +time=1 @127.0.0.1 -p $at one.test)" = 192.0.2.7 ]'
  [ "$(dig +short @127.0.0.1 -p "$port" one.test)" = 192.0.2.7 ]
  [ "$(dig +short +notcp +ignore +bufsize=512 @127.0.0.1 -p "$port" long.test txt | wc -c)" -lt 800 ]
  [ "$(dig +short +bufsize=512 @127.0.0.1 -p "$port" long.test txt | wc -c)" -gt 800 ]
}
