#!/usr/bin/env bats
# listen udp:…: datagrams, their answers and their limits.
load helper

udp_port() {
  sed -n 's/^.* udp:[^ ]*:\([0-9]*\)$/\1/p' ready | head -1
}

# client CODE: python; c(host) is a connected socket, ask(s, bytes) gets the answer.
client() {
  timeout 100 python3 -c "
import socket, sys, time
PORT = int(sys.argv[1])
def c(host='127.0.0.1'):
    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(60)
    s.connect((host, PORT))
    return s
def ask(s, what):
    s.send(what)
    return s.recv(70000)
$1" "$(udp_port)"
}

@test "an answer leaves from the address that was asked" {
  start listen 'udp:*:0' -- cat
  # A connected socket takes datagrams from that address alone.
  client '
for host in "127.0.0.1", "127.0.0.2", "127.3.3.3", "::1", "::ffff:127.0.0.4":
    assert ask(c(host), b"x") == b"x", host'
}

@test "a command gets sender and own address, the datagram as input, and answers with all its output" {
  start listen 'udp:*:0' -- 'echo "$EVWATCH_EVENT $PROTO $1 $EVWATCH_REMOTE_ADDR:$EVWATCH_REMOTE_PORT $EVWATCH_LOCAL_ADDR:$EVWATCH_LOCAL_PORT $EVWATCH_CONNECTIONS"; cat'
  client '
s = c("127.0.0.2"); me = "%s:%d" % s.getsockname()
want = "datagram UDP %s %s 127.0.0.2:%d 1\nhello" % (me, me, PORT)
assert ask(s, b"hello").decode() == want'
}

@test "empty datagrams, and the largest, pass both ways" {
  start listen udp:127.0.0.1:0 -- 'wc -c'
  client 'assert int(ask(c(), b"")) == 0; assert int(ask(c(), bytes(65507))) == 65507'
  stop
  start listen udp:127.0.0.1:0 -- cat
  client 'assert ask(c(), b"z" * 65507) == b"z" * 65507'
}

@test "a command without output answers nothing" {
  start listen udp:127.0.0.1:0 -- 'cat >>got'
  client 'c().send(b"one")'
  until_ok '[ "$(cat got 2>/dev/null)" = one ]'
  ! grep -q reply err
}

@test "an answer that is too long is told" {
  start listen udp:127.0.0.1:0 -- 'head -c 70000 /dev/zero'
  client 'c().send(b"x")'
  until_ok 'grep -q "a reply is lost: Message too long" err'
}

@test "--jobs datagrams are worked on at once, the others wait" {
  start listen udp:127.0.0.1:0 -j 3 -- 'echo + >>log; cat; until [ -e go ]; do sleep 0.02; done'
  client '
s = c()
for i in range(20): s.send(b"%d" % i)
import os
def begun(): return len(open("log").readlines()) if os.path.exists("log") else 0
while begun() < 3: time.sleep(0.01)
time.sleep(0.2)
assert begun() == 3
open("go", "w")
assert sorted(int(s.recv(9)) for _ in range(20)) == list(range(20))'
}

@test "--deny, --max-conns and --max-per-ip drop datagrams, and say so" {
  start -v -e "a: listen udp:127.0.0.1:0 --deny 127.0.0.0/8 -- echo in"
  client 'c().send(b"x")'
  until_ok 'grep -q "a datagram of 127.0.0.1:[0-9]* is refused: not allowed" err'
  stop
  for limit in max-conns max-per-ip; do
    rm -f go
    start -v listen udp:127.0.0.1:0 "--$limit" 2 -- 'cat; until [ -e go ]; do sleep 0.02; done'
    client '
s = c()
for i in range(3): s.send(b"%d" % i)'
    until_ok "grep -q 'a datagram of 127.0.0.1:[0-9]* is refused: too many .*--$limit' err"
    touch go
    # Once the others are answered.
    client '
s = c(); s.settimeout(0.5)
while True:
    try: assert ask(s, b"again") == b"again"; break
    except TimeoutError: pass'
    stop
  done
}

@test "without a command the text of datagrams is printed, without what no line can hold" {
  start --json listen udp:127.0.0.1:0
  client '
s = c()
for d in b"one", b"", b"a\0b": s.send(d)'
  until_ok '[ "$(wc -l <out)" = 3 ]'
  [ "$(python3 -c 'import json; print([json.loads(l)["subjects"][0] for l in open("out")])')" = "['one', '', 'ab']" ]
  grep -q '"local_addr":"127.0.0.1"' out
}

@test "one rule may listen to streams and datagrams alike" {
  start listen 127.0.0.1:0 udp:127.0.0.1:0 -- cat
  [ "$(echo tcp | tcp "$(port)")" = tcp ]
  client 'assert ask(c(), b"udp") == b"udp"'
}

@test "a datagram that claims to be from the very port is dropped: no echo for ever" {
  unshare -n true 2>/dev/null || skip "no raw socket can be had here"
  unshare -n python3 - "$EV" <<'P'
import socket, struct, subprocess, sys, time, os
os.system("ip link set lo up")
p = subprocess.Popen([sys.argv[1], "-v", "--ready-file", "ready", "listen", "udp:127.0.0.1:7000", "--", "cat"], stderr=open("log", "w"))
while not os.path.exists("ready"): time.sleep(0.01)
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
raw.bind(("127.0.0.1", 0))
raw.sendto(struct.pack("!HHHH", 7000, 7000, 8 + 4, 0) + b"spin", ("127.0.0.1", 0))
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.settimeout(60)
c.sendto(b"a", ("127.0.0.1", 7000)); assert c.recv(10) == b"a"
p.terminate(); p.wait()
log = open("log").read()
assert "claims to be from this very port" in log and log.count("started: pid") <= 1, log
P
}

@test "a question that was read is answered, though TERM came meanwhile" {
  start listen udp:127.0.0.1:0 --stop-timeout 100s -- 'trap "" TERM; read x; : >"began"; until [ -e go ]; do sleep 0.01; done; echo "answer $x"'
  python3 - "$(port)" "$P" <<'P'
import os, signal, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(60)
s.sendto(b"q\n", ("127.0.0.1", int(sys.argv[1])))
while not os.path.exists("began"): time.sleep(0.01)
os.kill(int(sys.argv[2]), signal.SIGTERM); time.sleep(0.1); open("go", "w")
assert s.recv(100) == b"answer q\n"
P
  ended
}

@test "a multicast group is joined, on every interface or on the one named" {
  local e
  for e in udp:239.9.9.9:18023 udp:239.9.9.9%lo:18023; do
    start listen "$e"
    python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1")); s.sendto(b"hello", ("239.9.9.9", 18023))'
    until_ok 'grep -q "^datagram hello" out'
    stop
  done
  start listen 'udp:[ff02::5357%lo]:18023'
  grep -q 'lo.*ff020000000000000000000000005357' /proc/net/igmp6
  stop
  run_ev listen 239.9.9.9:18023 -- cat
  [ "$status" = 1 ]
  [[ $output == *'multicast group'*'udp:239.9.9.9:18023'* ]]
}
