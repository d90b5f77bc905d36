#!/usr/bin/env bats
# relay: from a client to a target that takes it, when that is not easy.
load helper
load servers

# reset PORT: connects, and is it reset?
is_reset() {
  python3 - "$1" <<'P'
import socket, sys
try:
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60); s.recv(1)
    sys.exit("not reset")
except ConnectionResetError: pass
P
}

@test "a target that is down is never reached by a connection of the relay to itself" {
  unshare -n true 2>/dev/null || skip "no network namespace can be made here"
  unshare -n python3 - "$EV" <<'P'
import os, socket, subprocess, sys, time
os.system("ip link set lo up; echo 40000 40009 >/proc/sys/net/ipv4/ip_local_port_range")
p = subprocess.Popen([sys.argv[1], "--ready-file", "ready", "relay", "127.0.0.1:7001", "127.0.0.1:40004"], stderr=subprocess.DEVNULL)
while not os.path.exists("ready"): time.sleep(0.01)
for i in range(100):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 5000 + i)); s.settimeout(60)
    try: s.connect(("127.0.0.1", 7001)); s.send(b"hello"); got = s.recv(100)
    except ConnectionError: got = None
    assert got is None, (i, got)
    s.close()
t = socket.socket(); t.bind(("127.0.0.1", 40004)); t.listen(5)  # it can start
p.terminate(); p.wait()
P
}

@test "a relay that is told to relay to itself refuses, by any of its addresses" {
  local p
  p=$(free_port)
  for target in "127.0.0.1:$p" "[::1]:$p" "localhost:$p"; do
    start -v relay "*:$p" "$target"
    is_reset "$p"
    until_ok 'grep -q "Connection refused" err'
    stop
    grep -q ' 1 accepted' err
  done
}

@test "a Unix target whose backlog is full is waited for" {
  python3 -c '
import os, socket, threading, time
s = socket.socket(socket.AF_UNIX); s.bind("t"); s.listen(1); open("up", "w")
while not os.path.exists("go"): time.sleep(0.01)
def serve(c): c.sendall(b"echo:" + c.recv(100)); c.close()
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()' 3>&- &
  STARTED+=($!)
  until_ok '[ -e up ]'
  start relay 127.0.0.1:0 unix:t --connect-timeout 60s
  python3 - "$(port)" <<'P'
import socket, sys, threading
cs = [socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60) for _ in range(10)]
for c in cs: c.sendall(b"x")
open("go", "w")
assert [c.recv(100) for c in cs] == [b"echo:x"] * 10
P
}

@test "--retry waits between its rounds: a target that comes back is found" {
  python3 -c '
import os, socket, time
b = socket.socket(); b.bind(("127.0.0.1", 0)); open("p.tmp", "w").write(str(b.getsockname()[1])); os.rename("p.tmp", "p")
while not os.path.exists("go"): time.sleep(0.01)
b.listen(5)
while True: c = b.accept()[0]; c.recv(9); c.sendall(b"hi"); c.close()' 3>&- &
  STARTED+=($!)
  until_ok '[ -e p ]'
  start -v relay 127.0.0.1:0 "127.0.0.1:$(cat p)" --retry 1000
  echo | tcp "$(port)" >got &
  until_ok '[ "$(grep -c "Connection refused" err)" -ge 3 ]'
  [ "$(grep -c 'Connection refused' err)" -le 6 ]
  : >go
  until_ok '[ "$(cat got)" = hi ]'
}

@test "a client that resets, or ends without a word, while it waits holds no place" {
  start -v relay 127.0.0.1:0 127.0.0.1:1 --retry 1000 --max-conns 1
  local how
  for how in reset end; do
    python3 - "$(port)" $how <<'P'
import socket, struct, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60)
if sys.argv[2] == "reset": s.send(b"x"); s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
s.close()
P
  done
  until_ok '[ "$(grep -c ", left by the client\|, no target" err)" = 2 ]'
}

@test "a reset of the client is passed on while the target does not read" {
  server 'l.settimeout(100)
c, _ = l.accept(); open("taken", "w")
import select
w = select.poll(); w.register(c, 0)
open("told", "w").write(str(bool(w.poll(60000)))); time.sleep(100)'
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  python3 - "$(port)" <<'P'
import socket, struct, sys, time, os
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60); s.setblocking(False)
while not os.path.exists("taken"): time.sleep(0.01)
last = time.time()
while time.time() - last < 0.5:
    try: s.send(b"x" * 65536); last = time.time()
    except BlockingIOError: time.sleep(0.01)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); s.close()
P
  until_ok '[ -s told ]'
  [ "$(cat told)" = True ]
}

@test "least-conn: a target that refuses rests, and its neighbour is not given all" {
  python3 - "$EV" <<'P'
import collections, os, socket, subprocess, sys, threading, time
socks = []
for i in range(4):
    s = socket.socket(); s.bind(("127.0.0.1", 0)); socks.append(s)
    if i: s.listen(100)
def serve(i):
    keep = []
    while True: c, _ = socks[i].accept(); c.sendall(b"%d" % i); keep.append(c)
for i in (1, 2, 3): threading.Thread(target=serve, args=(i,), daemon=True).start()
p = subprocess.Popen([sys.argv[1], "--ready-file", "ready", "relay", "127.0.0.1:0", *["127.0.0.1:%d" % s.getsockname()[1] for s in socks], "--balance", "least-conn"], stderr=subprocess.DEVNULL)
while not os.path.exists("ready"): time.sleep(0.01)
port = int(open("ready").read().rsplit(":", 1)[1]); n = collections.Counter(); keep = []
for _ in range(30): c = socket.create_connection(("127.0.0.1", port), 60); n[c.recv(1)] += 1; keep.append(c)
p.terminate(); p.wait()
got = [n[b"%d" % i] for i in (1, 2, 3)]; assert max(got) - min(got) <= 2, got
P
}

@test "source: 250 clients are shared out evenly over 3 and 11 targets, and stay where a target is taken out" {
  python3 - "$EV" <<'P'
import collections, os, socket, subprocess, sys, threading, time
socks = []
# Their names decide: with ports of the day one of fifty runs would be uneven by chance.
for i in range(11): s = socket.socket(socket.AF_UNIX); s.bind("t%d" % i); s.listen(300); socks.append(s)
def serve(i):
    while True: c, _ = socks[i].accept(); c.sendall(b"%02d" % i); c.close()
for i in range(11): threading.Thread(target=serve, args=(i,), daemon=True).start()
def run(which):
    if os.path.exists("ready"): os.unlink("ready")
    p = subprocess.Popen([sys.argv[1], "--ready-file", "ready", "relay", "127.0.0.1:0", *["unix:t%d" % i for i in which], "--balance", "source"], stderr=subprocess.DEVNULL)
    while not os.path.exists("ready"): time.sleep(0.01)
    port = int(open("ready").read().rsplit(":", 1)[1]); whose = []
    for k in range(250):
        s = socket.create_connection(("127.0.0.1", port), 60, source_address=("127.0.%d.1" % k, 0)); whose.append(int(s.recv(2))); s.close()
    p.terminate(); p.wait(); return whose
three, eleven, ten = run(range(3)), run(range(11)), run(range(1, 11))
for whose, n in (three, 3), (eleven, 11):
    counts = [collections.Counter(whose)[i] for i in range(n)]
    # By chance each share spreads by its root: three times that.
    assert all(abs(c - 250 / n) < 3 * (250 / n) ** 0.5 for c in counts), counts
assert all(a == b for a, b in zip(eleven, ten) if a != 0)
P
}

@test "what came while the process was stopped goes before --idle" {
  server "$echo_server"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --idle 500ms
  python3 - "$(port)" "$(loop_pid)" <<'P'
import os, signal, socket, sys, time
for _ in range(3):
    c = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60); c.send(b"a"); assert c.recv(1) == b"a"
    os.kill(int(sys.argv[2]), signal.SIGSTOP); c.send(b"hello"); time.sleep(0.7); os.kill(int(sys.argv[2]), signal.SIGCONT)
    assert c.recv(10) == b"hello"
    c.close()
P
}

@test "--proxy accept: a check that connects and leaves is no warning" {
  server 'while True: c = l.accept()[0]; c.close()'
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER" --proxy accept
  local i
  for i in 1 2 3; do nc -z 127.0.0.1 "$(port)"; done
  until_ok '[ "$(grep -c "left without a PROXY header" err)" = 3 ]'
  stop
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --proxy accept
  for i in 1 2 3; do nc -z 127.0.0.1 "$(port)"; done
  printf 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n' | tcp "$(port)"
  ! grep refused err
}
