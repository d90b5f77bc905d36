#!/usr/bin/env bats
# relay: which target a connection gets, and what becomes of those that are down.
load helper
load servers

# name NAME: a service on unix:NAME that says its name; its pid is in pid.NAME.
name() {
  rm -f "ready.$1"
  "$EV" --ready-file "ready.$1" listen "unix:$1" -- "printf '$1 '; cat" 3>&- &
  echo $! >"pid.$1"
  STARTED+=($!)
  until_ok "[ -e ready.$1 ]"
}

# down NAME: it is gone.
down() {
  kill "$(cat "pid.$1")"
  until_ok "[ ! -e $1 ]"
}

# who [N]: the names that N connections, one after the other, were given.
who() {
  local i
  for ((i = 0; i < ${1:-1}; i++)); do timeout 100 nc -N 127.0.0.1 "$(port)" </dev/null; done
}

# held N: N connections that are held open, and whose they are; `done` lets them go.
held() {
  python3 - "$(port)" "$1" <<'P'
import socket, sys
cs = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(int(sys.argv[2]))]
print("".join(c.recv(2).decode() for c in cs))
P
}

@test "round-robin gives each its turn" {
  name a; name b; name c
  start relay 127.0.0.1:0 unix:a unix:b unix:c
  [ "$(who 7)" = 'a b c a b c a ' ]
}

@test "first gives all to the first one that works" {
  name a; name b
  start relay 127.0.0.1:0 unix:a unix:b --balance first
  [ "$(who 3)" = 'a a a ' ]
  down a
  [ "$(who 3)" = 'b b b ' ]
}

@test "least-conn gives to the one with the fewest, and equals take turns" {
  name a; name b; name c
  start relay 127.0.0.1:0 unix:a unix:b unix:c --balance least-conn
  [ "$(who 4)" = 'a b c a ' ]
  python3 - "$(port)" <<'P'
import socket, sys
def connect():
    c = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60)
    return c, c.recv(2).decode()
six = [connect() for _ in range(6)]
assert sorted(name for _, name in six) == ["a ", "a ", "b ", "b ", "c ", "c "], six
# One of a's is over: the next one is a's, whoever's turn it is.
for c, name in six:
    if name == "a ":
        c.shutdown(1); assert c.recv(1) == b""; c.close()
        break
assert connect()[1] == "a "
P
}

@test "source gives a client the same one always, clients different ones, and others when it is down" {
  name a; name b; name c
  start relay 127.0.0.1:0 unix:a unix:b unix:c --balance source --check 100ms --fall 1 --rise 1
  of() { timeout 100 nc -N -s "127.0.0.$1" 127.0.0.1 "$(port)" </dev/null; }
  local all='' i again=''
  for i in 1 2 3 4 5 6 7 8 9; do all+=$(of "$i"); done
  [[ $all == *a* && $all == *b* && $all == *c* ]]
  stop
  start relay 127.0.0.1:0 unix:a unix:b unix:c --balance source --check 100ms --fall 1 --rise 1
  for i in 1 2 3 4 5 6 7 8 9; do again+=$(of "$i"); done
  [ "$all" = "$again" ]
  down b
  until_ok 'grep -q "unix:b is down" err'
  for ((i = 1; i < 10; i++)); do
    case ${all:i*2-2:1} in
      b) [ "$(of $i)" != 'b ' ] ;;
      *) [ "$(of $i)" = "${all:i*2-2:1} " ] ;;
    esac
  done
}

@test "--check: a target that goes down is told and passed over, and comes back" {
  name a; name b
  start relay 127.0.0.1:0 unix:a unix:b --check 20ms
  [ "$(who 2)" = 'a b ' ]
  down a
  until_ok 'grep -q "relay1: unix:a is down: No such file or directory" err'
  stop
  start -v relay 127.0.0.1:0 unix:a unix:b --check 20ms
  until_ok 'grep -q "relay1: unix:a is down: No such file or directory" err'
  [ "$(who 3)" = 'b b b ' ]
  [ "$(grep -c 'unix:a: No such file' err)" = 0 ] # nobody tried
  name a
  until_ok 'grep -q "relay1: unix:a is up again" err'
  [[ $(who 2) == *a* ]]
}

@test "--check: the first good answer is no return, and no warning" {
  name a
  start relay 127.0.0.1:0 unix:a --check 20ms
  [ "$(who)" = 'a ' ]
  down a
  until_ok 'grep -q "unix:a is down" err'
  [ "$(wc -l <err)" = 1 ]
  stop
  name a
  start -v relay 127.0.0.1:0 unix:a --check 20ms
  until_ok 'grep -q "unix:a is up" err'
  ! grep -q 'up again' err
}

@test "--check: whom a target fails is not given to one that is known to be down" {
  name a; name c
  start -v relay 127.0.0.1:0 unix:a unix:b unix:c --balance first --check 1h --rise 1 --fall 1
  until_ok '[ "$(grep -c "unix:[abc] is " err)" = 3 ]'
  down a
  [ "$(who)" = 'c ' ]
  ! grep -q 'unix:b: No such' err
}

@test "--check: when all targets are down they are tried all the same" {
  name a
  start relay 127.0.0.1:0 unix:a unix:b --check 100ms --fall 1 --rise 100000
  down a
  until_ok 'grep -q "unix:a is down" err && grep -q "unix:b is down" err'
  name a
  [ "$(who 2)" = 'a a ' ]
  [ "$(grep -c 'up again' err)" = 0 ]
}

@test "--check --rise N: it is up after N looks that were taken" {
  server '
n = 0
while True:
    l.accept()[0].close(); n += 1
    open("looks.tmp", "w").write(str(n)); os.rename("looks.tmp", "looks")'
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER" --check 50ms --rise 3
  until_ok 'grep -q "127.0.0.1:$SERVER is up" err'
  until_ok '[ "$(cat looks)" -ge 3 ]'
}

@test "--check: a target that takes no connection any more is down" {
  # A backlog that is full: the kernel answers no more.
  server '
l.listen(0)
full = []
while True:
    c = socket.socket(); c.setblocking(False)
    try: c.connect(l.getsockname())
    except BlockingIOError: pass
    full.append(c)
    if len(full) > 3: break
open("full", "w"); time.sleep(60)'
  until_ok '[ -e full ]'
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --check 20ms --connect-timeout 100ms --fall 2
  until_ok 'grep -q "127.0.0.1:$SERVER is down: Connection timed out" err'
}

@test "--check --proxy send-v2 looks with a header that tells nobody" {
  server '
c = l.accept()[0]
open("got.tmp", "wb").write(c.recv(100)); os.rename("got.tmp", "got"); time.sleep(20)'
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --check 1s --proxy send-v2
  until_ok '[ -e got ]'
  [ "$(xxd -p got)" = 0d0a0d0a000d0a515549540a20000000 ]
}

@test "--retry N tries all targets N times more, then the client is told" {
  start -v relay 127.0.0.1:0 unix:a unix:b --retry 2
  echo | tcp "$(port)" || true
  until_ok 'grep -q "no target$" err'
  [ "$(grep -c 'unix:a: No such file' err)" = 3 ]
  [ "$(grep -c 'unix:b: No such file' err)" = 3 ]
}

@test "a target that hangs is left after --connect-timeout, and the next one serves" {
  name b
  server '
l.listen(0)
full = [socket.socket() for _ in range(4)]
for c in full:
    c.setblocking(False)
    try: c.connect(l.getsockname())
    except BlockingIOError: pass
open("full", "w"); time.sleep(60)'
  until_ok '[ -e full ]'
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" unix:b --balance first --connect-timeout 100ms
  [ "$(who 2)" = 'b b ' ]
}
