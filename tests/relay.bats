#!/usr/bin/env bats
# relay: no byte lost, half-close and resets passed on.
load helper
load servers

@test "ten megabytes go through, both ways" {
  server "$echo_server"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  head -c 10000000 /dev/urandom >sent
  tcp "$(port)" <sent >received
  cmp sent received
}

@test "an answer two seconds after the client's FIN arrives" {
  server '
c = l.accept()[0]
while c.recv(100): pass
time.sleep(2); c.sendall(b"late"); c.close(); time.sleep(5)'
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  [ "$(echo q | tcp "$(port)")" = late ]
}

@test "data after the server's FIN arrives" {
  server '
c = l.accept()[0]
c.shutdown(1)
d = b""
while (r := c.recv(100)): d += r
open("got", "wb").write(d); time.sleep(5)'
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  python3 - "$(port)" <<'P'
import socket, sys, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
assert s.recv(1) == b""
s.sendall(b"after the FIN"); s.shutdown(1)
P
  until_ok '[ "$(cat got 2>/dev/null)" = "after the FIN" ]'
}

@test "a slow reader gets everything" {
  server '
c = l.accept()[0]
c.sendall(bytes(range(256)) * 20000); c.close(); time.sleep(20)'
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  python3 - "$(port)" <<'P'
import socket, sys, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
n = 0
while (r := s.recv(65536)):
    n += len(r)
    time.sleep(0.005)
assert n == 256 * 20000, n
P
}

@test "a client that stops in mid-stream, or does not read, holds nobody else up" {
  server '
def serve(c):
    while True:
        d = c.recv(65536)
        if not d: break
        if d == b"ping": c.sendall(b"pong")
        if d == b"bulk": c.sendall(bytes(8 << 20))
while True: threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()'
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  timeout 100 python3 - "$(port)" <<'P'
import socket, sys
def connect():
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    s.settimeout(60)
    return s
def ping():
    s = connect()
    s.sendall(b"ping")
    assert s.recv(4) == b"pong"
stopped = connect()
stopped.sendall(bytes(1 << 20)) # enough to be spliced, and then silence
ping()
deaf = connect()
deaf.sendall(b"bulk")
deaf.recv(1, socket.MSG_PEEK)
ping()
n = 0
while n < 8 << 20: n += len(deaf.recv(65536))
ping()
P
}

@test "an answer sent before a reset arrives" {
  server '
c = l.accept()[0]
c.recv(10)
c.sendall(b"too much"); c.close() # unread bytes: the kernel sends a reset
time.sleep(20)'
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  timeout 100 python3 - "$(port)" <<'P'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.settimeout(60)
s.sendall(bytes(30000))
assert s.recv(100) == b"too much"
try:
    assert s.recv(100) != b"", "a FIN instead of a reset"
except ConnectionResetError:
    pass
P
}

@test "an answer sent before a reset arrives, also when the client is looked at first" {
  server '
c = l.accept()[0]
c.recv(1); open("received", "w")
until = time.time() + 60
while not os.path.exists("sent") and time.time() < until: time.sleep(0.01)
c.sendall(b"enough")
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); c.close()
open("reset", "w")
time.sleep(20)'
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  timeout 100 python3 - "$(port)" "$(loop_pid)" <<'P'
import os, signal, socket, sys, time
loop = int(sys.argv[2])
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.settimeout(60)
s.sendall(b"x")
while not os.path.exists("received"): time.sleep(0.01)
time.sleep(0.1) # so that it waits again
os.kill(loop, signal.SIGSTOP)
try:
    s.sendall(b"more")
    open("sent", "w")
    while not os.path.exists("reset"): time.sleep(0.01)
finally:
    os.kill(loop, signal.SIGCONT)
assert s.recv(100) == b"enough"
P
}

@test "a reset is passed on as a reset" {
  server '
c = l.accept()[0]
c.recv(1)
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); c.close(); time.sleep(5)'
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  python3 - "$(port)" <<'P'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(60)
s.sendall(b"x")
try:
    s.recv(1); raise SystemExit("no reset")
except ConnectionResetError: pass
P
}

@test "a refused target is told at once" {
  start relay 127.0.0.1:0 127.0.0.1:1 --connect-timeout 1h
  python3 - "$(port)" <<'P'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(60)
try:
    assert s.recv(1) != b"", "closed instead of reset"
except ConnectionResetError: pass
P
}

@test "a target that is down is passed over" {
  server "$echo_server"
  start relay 127.0.0.1:0 127.0.0.1:1 "127.0.0.1:$SERVER"
  for _ in 1 2 3 4; do [ "$(echo hi | tcp "$(port)")" = hi ]; done
}

@test "where a read stops short, what is behind it is carried too: urgent data, descriptors, a FIN" {
  server "$echo_server"
  start -e "a: relay unix:s 127.0.0.1:$SERVER" -e "b: relay 127.0.0.1:0 127.0.0.1:$SERVER"
  timeout 100 python3 - "$(port b)" "$(loop_pid)" <<'P'
import os, signal, socket, sys
loop = int(sys.argv[2])
over_tcp, another = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(2)]
over_unix = socket.socket(socket.AF_UNIX)
over_unix.connect("s")

def next_six(c):
    got = b""
    while len(got) < 6 and (d := c.recv(6 - len(got))): got += d
    return got

def urgent():
    over_tcp.sendall(b"one")
    over_tcp.send(b"!", socket.MSG_OOB)
    over_tcp.sendall(b"two")

def descriptors():
    socket.send_fds(over_unix, [b"one"], [0])
    over_unix.sendall(b"two")

def end():
    another.sendall(b"onetwo")
    another.shutdown(socket.SHUT_WR)

for c, act in (over_tcp, urgent), (over_unix, descriptors), (another, end):
    c.settimeout(60)
    c.sendall(b"before") # so that the relay has settled
    assert next_six(c) == b"before"
    os.kill(loop, signal.SIGSTOP)
    try: act()
    finally: os.kill(loop, signal.SIGCONT)
    assert next_six(c) == b"onetwo", act
assert another.recv(1) == b"" # the FIN went there and back
P
}

@test "systemd socket activation: the socket that was passed is relayed, by workers as well" {
  command -v systemd-socket-activate >/dev/null || skip "systemd-socket-activate is not installed"
  server "$echo_server"
  for n in 1 2; do
    listen=127.0.0.1:$(free_port)
    systemd-socket-activate -l "$listen" --fdname=web "$EV" relay systemd:web "127.0.0.1:$SERVER" --workers $n 2>err 3>&- &
    STARTED+=($!)
    until_ok 'grep -q "Listening on" err'
    [ "$(echo "$n" | tcp "${listen#*:}")" = "$n" ]
  done
}

@test "Unix sockets on both sides, and names" {
  server "$echo_server"
  start -e "a: relay unix:s localhost:$SERVER" -e 'b: relay 127.0.0.1:0 unix:s'
  [ "$(echo through both | tcp "$(port b)")" = 'through both' ]
}

@test "small messages are sent at once, and a peer that is gone will be noticed, on both sides" {
  server "$echo_server"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" "localhost:$SERVER"
  run python3 - "$(port)" "$(loop_pid)" <<'P'
import ctypes, os, socket, sys
port, pid = map(int, sys.argv[1:])
cs = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
for c in cs: c.sendall(b"x"); assert c.recv(1) == b"x"
libc, found = ctypes.CDLL(None, use_errno=True), 0
handle = os.pidfd_open(pid)
for fd in os.listdir("/proc/%d/fd" % pid):
    if not os.readlink("/proc/%d/fd/%s" % (pid, fd)).startswith("socket:"): continue
    copy = libc.syscall(438, handle, int(fd), 0) # pidfd_getfd(2)
    if copy < 0: print("pidfd_getfd:", os.strerror(ctypes.get_errno())); sys.exit(77)
    s = socket.socket(fileno=copy)
    try: s.getpeername()
    except OSError: continue
    if s.family != socket.AF_INET: continue
    found += 1
    assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1, s
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1, s
assert found == 4, found
P
  echo "$output"
  [ "$status" != 77 ] || skip "$output"
  [ "$status" = 0 ]
}

@test "-v logs a line a connection, --json prints open and close" {
  server "$echo_server"
  start -v --json relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  echo 12345 | tcp "$(port)"
  until_ok 'grep -q "6 bytes to, 6 from, .*done" err'
  until_ok 'grep -q "\"event\":\"close\"" out'
  grep -q '"event":"open"' out
}

@test "a thousand connections at once lose no byte" {
  server "$echo_server"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  python3 - "$(port)" <<'P'
import socket, sys
cs = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(1000)]
for i, c in enumerate(cs): c.sendall(b"%06d" % i)
for i, c in enumerate(cs):
    d = b""
    while len(d) < 6: d += c.recv(6)
    assert d == b"%06d" % i
P
}

@test "five thousand connections at once lose no byte" {
  server '
import selectors
l.setblocking(False)
sel = selectors.DefaultSelector()
sel.register(l, 1)
while True:
    for key, _ in sel.select():
        if key.fileobj is l:
            c = l.accept()[0]
            sel.register(c, 1)
        elif (d := key.fileobj.recv(100)): key.fileobj.sendall(d)
        else: sel.unregister(key.fileobj); key.fileobj.close()'
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  python3 - "$(port)" <<'P'
import socket, sys
cs = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(5000)]
for i, c in enumerate(cs): c.sendall(b"%06d" % i)
for i, c in enumerate(cs):
    d = b""
    while len(d) < 6:
        r = c.recv(6)
        assert r, i
        d += r
    assert d == b"%06d" % i
P
}

@test "retries go on from the target that failed, for every balance" {
  server "$echo_server"
  for how in round-robin least-conn source first; do
    start relay 127.0.0.1:0 127.0.0.1:1 127.0.0.1:2 "127.0.0.1:$SERVER" --balance "$how"
    for _ in 1 2 3 4; do [ "$(echo hi | tcp "$(port)")" = hi ]; done
    stop
  done
}

@test "TERM drains: what was accepted is delivered" {
  server '
c = l.accept()[0]
d = b""
while (r := c.recv(65536)):
    d += r; time.sleep(0.01)
open("got", "wb").write(d); time.sleep(5)'
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --drain 60s
  head -c 2000000 /dev/urandom >sent
  tcp "$(port)" <sent >/dev/null &
  until_ok '[ -n "$(ss -Htn state connected "dport = :$SERVER")" ]'
  stop
  until_ok 'cmp -s sent got'
}

@test "an idle connection is closed after --idle" {
  server "$echo_server"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --idle 100ms
  python3 - "$(port)" <<'P'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(60)
assert s.recv(1) == b""
P
}

@test "the relay takes no command" {
  run_ev relay 7001 7000 -- cat
  [ "$status" = 2 ]
  grep -q 'relay takes no command' <<<"$output"
}
