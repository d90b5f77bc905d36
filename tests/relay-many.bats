#!/usr/bin/env bats
# relay: many connections, short ones and held ones: none is lost, and nothing is left of them.
load helper
load servers

prepare() {
  ulimit -n "$(ulimit -Hn)"
  python3 "$ROOT/tests/storm.py" serve target.port 3>&- &
  STARTED+=($!)
  until_ok '[ -e target.port ]'
}

descriptors() { ls "/proc/$R/fd" | wc -l; }
pipes() { find "/proc/$R/fd" -lname 'pipe:*' | wc -l; }
memory() { awk '/^RssAnon/ { print $2 }' "/proc/$R/status"; }

# relay TARGET: starts one; R is the process that carries, not its guardian.
relay() {
  start relay 127.0.0.1:0 "127.0.0.1:$1"
  R=$(loop_pid)
}

@test "a storm of short connections, with every ending, loses none and leaves no descriptor and no memory" {
  relay "$(cat target.port)"
  before=$(descriptors)
  timeout "${PATIENCE:-250}" python3 "$ROOT/tests/storm.py" storm "$(port)" 1000
  # What hangs is the target's, and a hundred at most: two descriptors each.
  until_ok '[ "$(descriptors)" -le $((before + 202)) ]'
  memory_before=$(memory)
  timeout "${PATIENCE:-250}" python3 "$ROOT/tests/storm.py" storm "$(port)" "${STORM:-3000}"
  until_ok '[ "$(descriptors)" -le $((before + 202)) ]'
  kill "${STARTED[0]}" # the target dies: nothing hangs any more
  until_ok '[ "$(descriptors)" -le "$before" ]'
  # The address sanitizer keeps what was freed.
  [ "$(memory)" -le $((memory_before + 100)) ] || grep -q __asan_init "$EV"
}

@test "9,500 connections are held open in one process, and answered" {
  [ "$(ulimit -n)" -ge 19100 ] || skip "only $(ulimit -n) descriptors may be open (ulimit -Hn)"
  relay "$(cat target.port)"
  before=$(descriptors)
  timeout 400 python3 "$ROOT/tests/storm.py" hold "$(port)" 9500
  until_ok '[ "$(descriptors)" -le "$before" ]'
}

@test "an idle connection holds no pipe, whatever it carried before" {
  server '
n = 0
def serve(c):
    global n
    while (d := c.recv(1 << 20)):
        n += len(d)
        if n == 100 * 300000: open("carried", "w").close()
while True: threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()'
  relay "$SERVER"
  before=$(pipes)
  python3 - "$(port)" "$R" <<'P' 3>&- &
import os, signal, socket, sys, time
cs = [socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60) for _ in range(100)]
time.sleep(0.2)
os.kill(int(sys.argv[2]), signal.SIGSTOP) # so that it finds full buffers
for c in cs: c.sendall(bytes(300000))
os.kill(int(sys.argv[2]), signal.SIGCONT)
time.sleep(60)
P
  STARTED+=($!)
  until_ok '[ -e carried ]'
  [ "$(pipes)" -gt "$before" ] # it was spliced, or this shows nothing
  # What is left is the pool: 64 pipes, of two ends, for all that come.
  until_ok '[ "$(pipes)" -le $((before + 128)) ]'
}
