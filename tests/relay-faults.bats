#!/usr/bin/env bats
# relay: limits of who may come and how many, and targets and clients that misbehave.
load helper
load servers

# A target that does what the first byte says: (e)cho, (d)ie at once, (r)eset, (h)ang, (f)lood and
# never read.
unruly='
import os, signal
def linger(c): c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
kept = []
def serve(c):
    try:
        what = c.recv(1)
        if what == b"r": linger(c)
        if what == b"h": kept.append(c)
        while what == b"f": c.sendall(bytes(65536))
        while what == b"e":
            d = c.recv(65536)
            if not d: break
            c.sendall(d)
        if what != b"h": c.close()
    except OSError: c.close()
threading.stack_size(65536)
while True: threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()'

# The sockets of evwatch, its pipes, and its memory in kB.
sockets_of() { find "/proc/$(loop_pid)/fd" -mindepth 1 -lname 'socket:*' | wc -l; }
pipes_of() { find "/proc/$(loop_pid)/fd" -mindepth 1 -lname 'pipe:*' | wc -l; }
memory_of() { awk '/^RssAnon/ { print $2 }' "/proc/$(loop_pid)/status"; }

# One round of every kind of trouble beside connections that work.
trouble() {
  timeout 100 python3 - "$(port)" <<'P'
import socket, struct, sys, threading
def connect(what):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(60)
    s.sendall(what)
    return s
def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); s.close()
wrong = []
def check(i):
    data = bytes([i]) * 300000
    s = connect(b"e")
    threading.Thread(target=lambda: (s.sendall(data), s.shutdown(1)), daemon=True).start()
    got = b""
    while (r := s.recv(65536)): got += r
    if got != data: wrong.append(i)
living = [threading.Thread(target=check, args=(i,)) for i in range(20)]
for t in living: t.start()
flooded = [connect(b"f") for _ in range(20)]
hung = [connect(b"h" + bytes(100000)) for _ in range(20)]
for what in b"d", b"r":
    for s in [connect(what) for _ in range(40)]:
        try: s.recv(1)
        except ConnectionResetError: pass
        s.close()
for s in flooded: s.recv(1); reset(s)
for s in hung: reset(s)
for t in living: t.join()
sys.exit(bool(wrong))
P
}

@test "targets that die, reset, hang, flood and never read: the others lose nothing, nothing stays" {
  server "$unruly"
  # Under ASan what is freed would be kept for a while, and each way to an allocation for ever.
  ASAN_OPTIONS=quarantine_size_mb=1:malloc_context_size=1:${ASAN_OPTIONS:-} start relay 127.0.0.1:0 "127.0.0.1:$SERVER"
  local sockets pipes memory
  sockets=$(sockets_of)
  pipes=$(pipes_of)
  trouble
  until_ok '[ "$(sockets_of)" = '"$sockets"' ]'
  memory=$(memory_of)
  for _ in 1 2 3; do trouble; done
  until_ok '[ "$(sockets_of)" = '"$sockets"' ]'
  # The pool keeps 64 pipes, of two ends each.
  [ "$(pipes_of)" -le $((pipes + 128)) ]
  [ "$(memory_of)" -le $((memory + 1024)) ] || { echo "$memory kB, then $(memory_of) kB"; false; }
}

@test "a target that is killed in mid-stream: its connections end, those of the other one go on" {
  server '
import os
def serve(name):
    s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(100)
    open(name + ".tmp", "w").write("%d %d" % (s.getsockname()[1], os.getpid()))
    os.rename(name + ".tmp", name)
    while True:
        c = s.accept()[0]
        threading.Thread(target=lambda c=c: [c.sendall(d) for d in iter(lambda: c.recv(65536), b"")], daemon=True).start()
if os.fork(): serve("a")
else: serve("b")'
  until_ok '[ -e a ] && [ -e b ]'
  start -v relay 127.0.0.1:0 "127.0.0.1:$(cut -d" " -f1 a)" "127.0.0.1:$(cut -d" " -f1 b)"
  timeout 100 python3 - "$(port)" "$(cut -d" " -f2 b)" <<'P'
import os, signal, socket, sys
def connect():
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(60)
    s.sendall(b"x"); assert s.recv(1) == b"x"
    return s
cs = [connect() for _ in range(10)] # in turns: a, b, a, b...
os.kill(int(sys.argv[2]), signal.SIGKILL)
while "(zombie)" not in open("/proc/%s/status" % sys.argv[2]).read(): pass # its port is closed then
for i, s in enumerate(cs):
    if i % 2:
        try: assert s.recv(1) == b"", "the end, one way or the other"
        except ConnectionResetError: pass
    else:
        s.sendall(b"still"); assert s.recv(5) == b"still"
connect(); connect() # b is passed over
P
}

@test "--max-conns: more wait in the backlog, and are served when one is over" {
  server "$unruly"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --max-conns 2
  timeout 100 python3 - "$(port)" <<'P'
import socket, sys
def connect():
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(60)
    s.sendall(b"ex")
    return s
one, two, three = connect(), connect(), connect()
assert one.recv(1) == b"x" and two.recv(1) == b"x"
three.settimeout(0.2)
try: raise SystemExit("served: %r" % three.recv(1))
except TimeoutError: pass
one.shutdown(1); assert one.recv(1) == b""
three.settimeout(60)
assert three.recv(1) == b"x"
P
}

# clients CODE: python with 40 clients cs that said x; answer(c) is None when one was reset.
clients() {
  timeout 100 python3 -c "
import socket, sys
cs = [socket.create_connection(('127.0.0.1', int(sys.argv[1]))) for _ in range(40)]
for c in cs: c.settimeout(60); c.sendall(b'x')
def answer(c):
    try: return c.recv(1)
    except ConnectionResetError: return None
$1" "$(port)"
}

@test "with no descriptors left clients wait and are served, none is reset; with all held by such, not for ever" {
  server "$echo_server"
  # Each connection takes two: the client has the last one, or there is none for it.
  for most in 24 25; do
    start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --connect-timeout 60s
    prlimit --nofile="$most:$most" --pid "$(loop_pid)"
    clients '
for c in cs: assert answer(c) == b"x"; c.close()'
    stop
    ! grep -q 'no target' err
    cat err >>both
  done
  [ "$(grep -c 'no descriptor is left for connections to targets: clients wait until one is free (ulimit -n)' both)" = 1 ]
  # Those that are served stay.
  for most in 24 25; do
    start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --connect-timeout 200ms
    prlimit --nofile="$most:$most" --pid "$(loop_pid)"
    clients '
import time
for c in cs: c.setblocking(False)
got, waiting, end = [], list(cs), time.monotonic() + 60
while time.monotonic() < end:
    for c in list(waiting):
        try: got.append(answer(c)); waiting.remove(c)
        except BlockingIOError: pass
    assert b"" not in got, got
    if b"x" in got: end = 0 if None in got else min(end, time.monotonic() + 4)
    time.sleep(0.01)
assert b"x" in got, got
print(got)' >>got
    stop
  done
  grep -q None got
}

@test "--allow and --deny: the first match decides, an --allow makes deny the default" {
  server "$unruly"
  from() { printf 'ehi' | timeout 100 nc -N -s "127.0.0.$1" 127.0.0.1 "$(port)" || true; }
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER" --deny 127.0.0.2 --allow 127.0.0.0/29
  [ "$(from 1)" = hi ]
  [ "$(from 2)" = '' ]
  [ "$(from 7)" = hi ]
  [ "$(from 8)" = '' ]
  [ "$(grep -c 'is refused: not allowed' err)" = 2 ]
  stop
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --deny 127.0.0.2
  [ "$(from 2)" = '' ]
  [ "$(from 8)" = hi ]
}

@test "--max-per-ip counts each address by itself, and what is over counts no more" {
  server "$unruly"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --max-per-ip 2
  timeout 100 python3 - "$(port)" <<'P'
import socket, sys
def connect(host):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60, (host, 0))
    try:
        s.sendall(b"ex"); ok = s.recv(1) == b"x"
    except OSError: ok = False
    return s, ok
held = [connect("127.0.0.1") for _ in range(3)]
assert [ok for _, ok in held] == [True, True, False]
assert connect("127.0.0.2")[1]
for i in range(20):
    s = held[0][0]; s.shutdown(1); assert s.recv(1) == b""; s.close()
    held[0] = connect("127.0.0.1"); assert held[0][1], i
P
}

@test "--drain: what is not over by then is cut, and told; evwatch dies of the signal" {
  server "$unruly"
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER" --drain 100ms
  printf h | nc 127.0.0.1 "$(port)" 3>&- &
  STARTED+=($!)
  until_ok 'ss -Htn state established | grep -q "127.0.0.1:$SERVER"'
  stop
  [ "$STATUS" = 143 ]
  grep -q ', stopped$' err
}

@test "--drain 0 ends all at once" {
  server "$unruly"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --drain 0
  printf h | nc 127.0.0.1 "$(port)" 3>&- &
  STARTED+=($!)
  until_ok 'ss -Htn state established | grep -q "127.0.0.1:$SERVER"'
  stop
  [ "$STATUS" = 143 ]
}

@test "while it drains nobody new is served" {
  server "$unruly"
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER" --drain 60s
  timeout 100 python3 - "$(port)" "$P" <<'P'
import os, signal, socket, sys, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(60)
s.sendall(b"ex"); assert s.recv(1) == b"x"
os.kill(int(sys.argv[2]), signal.SIGTERM)
while True:
    try: socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
    except ConnectionRefusedError: break
    except ConnectionResetError: pass # it stood in the backlog when the listener was closed
    time.sleep(0.01)
s.sendall(b"to the end"); assert s.recv(99) == b"to the end"
s.shutdown(1); assert s.recv(1) == b""
P
  ended
  [ "$STATUS" = 143 ]
}

@test "who was connected when it stops is served, also those that were not accepted yet" {
  server "$echo_server"
  for workers in 1 2; do
    start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER" --drain 60s --workers "$workers"
    local carriers
    carriers=$(loop_pid)
    [ "$workers" = 1 ] || until_ok 'carriers=$(pgrep -P "$(loop_pid)") && [ "$(wc -l <<<"$carriers")" = 2 ]'
    # More than are accepted in one turn; the signal is there before that.
    # shellcheck disable=SC2086
    timeout 100 python3 - "$(port)" "$(loop_pid)" $carriers <<'P'
import os, signal, socket, sys
carriers = [int(p) for p in sys.argv[3:]]
for p in carriers: os.kill(p, signal.SIGSTOP)
cs = [socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60) for _ in range(400)]
os.kill(int(sys.argv[2]), signal.SIGTERM)
for p in carriers: os.kill(p, signal.SIGCONT)
for c in cs: c.sendall(b"x"); c.shutdown(1)
for c in cs: assert c.recv(9) == b"x" and c.recv(9) == b""
P
    ended
    [ "$STATUS" = 143 ]
  done
}

@test "--idle: what carries bytes is not idle, in either direction" {
  server '
while True:
    c = l.accept()[0]
    try:
        for i in range(10): c.sendall(b"x"); time.sleep(0.06)
    except OSError: pass'
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER" --idle 300ms
  timeout 100 python3 - "$(port)" <<'P'
import socket, sys, time
def carried():
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(60)
    got, longest, last = b"", 0, time.monotonic()
    while len(got) < 10 and (r := s.recv(99)):
        got += r
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    if len(got) == 10: assert s.recv(1) == b""
    else: longest = max(longest, time.monotonic() - last)
    return got == b"x" * 10, longest
# A machine that stood still proves nothing.
while True:
    whole, longest = carried()
    if whole: break
    assert longest > 0.25, longest
P
  until_ok 'grep -q ", idle$" err'
}
