#!/usr/bin/env bats
# listen: a command for each connection.
load helper

@test "the connection is the command's input and output" {
  start listen 0 -- 'read -r x; echo "hello $x"'
  [ "$(echo you | tcp "$(port)")" = 'hello you' ]
}

@test "the connection ends when the command closes it, and not before what it left in the background does" {
  start -e 'early: listen 127.0.0.1:0 -- echo hi; exec <&- >&-; exec sleep 200' \
    -e 'late: listen 127.0.0.1:0 -- (until [ -e go ]; do sleep 0.01; done; echo late) & echo now'
  [ "$(tcp "$(port early)" </dev/null)" = hi ] # its command still runs
  tcp "$(port late)" </dev/null >answer &
  client=$!
  until_ok '[ "$(cat answer)" = now ]'
  touch go
  wait "$client"
  [ "$(xargs <answer)" = 'now late' ]
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
  until_ok 'grep -q "\"connections\":1,\"remote_addr\":\"127.0.0.1\",\"local_addr\":\"127.0.0.1\",\"remote_port\":[0-9]*,\"local_port\":$(port)}" out'
  echo b | nc -N -U s
  until_ok 'grep -q "\"b\".*\"remote_addr\":\"\",\"local_addr\":\"s\"}" out'
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

@test "each connection has a run of its own: --throttle, --debounce and --retry are refused, and passed over in set" {
  local o
  for o in '--throttle 1s' '--debounce 1s' '--debounce 1s --max-wait 2s' '--retry 2'; do
    # shellcheck disable=SC2086
    run_ev listen 127.0.0.1:0 $o -- cat
    [ "$status" = 2 ]
    [[ $output == *"--${o:2:5}"*'each connection has a run of its own'* ]]
  done
  printf 'set --throttle 1h --debounce 1h --retry 3\nlisten 127.0.0.1:0 -- read x; echo "got $x"; exit 1\n' >rules
  start -f rules
  [ "$(echo a | tcp "$(port)")" = 'got a' ]
  [ "$(echo b | tcp "$(port)")" = 'got b' ]
  stop
  [ ! -s out ]
}

@test "--max-conns N serves N at once, without --jobs" {
  start listen 127.0.0.1:0 --max-conns 60 -- 'echo on; cat'
  python3 - "$(port)" <<'P'
import socket, sys
cs = [socket.create_connection(("127.0.0.1", int(sys.argv[1])), 100) for _ in range(60)]
assert [c.recv(10) for c in cs] == [b"on\n"] * 60
P
}

@test "after TERM the port is free while commands still run" {
  start listen 127.0.0.1:0 --stop-timeout 100s -- 'trap "" TERM; echo on; read x; echo "got $x"'
  local p
  p=$(port)
  exec 8<>"/dev/tcp/127.0.0.1/$p"
  read -r line <&8
  [ "$line" = on ]
  kill "$P"
  until_ok '! nc -z 127.0.0.1 "$p"'
  python3 -c 'import socket, sys; s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(1)' "$p"
  echo late >&8
  read -r line <&8
  [ "$line" = 'got late' ]
  exec 8>&-
  ended
}

@test "a socket that cannot be accepted from is named, and does not spin" {
  python3 - "$EV" <<'P'
import os, socket, subprocess, sys, time
for kind in ["listen", "relay"]:
    s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(5); os.set_inheritable(s.fileno(), True)
    p = subprocess.Popen([sys.argv[1], "--no-guard", kind, "fd:%d" % s.fileno()] + (["127.0.0.1:9"] if kind == "relay" else ["--", "cat"]),
                         pass_fds=[s.fileno()], stderr=subprocess.PIPE)
    def used():
        f = open("/proc/%d/stat" % p.pid).read().rsplit(")", 1)[1].split(); return int(f[11]) + int(f[12])
    time.sleep(0.3); s.shutdown(socket.SHUT_RDWR)
    line = p.stderr.readline().decode()
    assert "cannot accept: Invalid argument" in line, line
    a = used(); time.sleep(1); spent = used() - a
    p.terminate(); p.wait()
    assert spent < 20, (kind, spent)  # of 100 ticks
P
}

@test "an IPv4 address may be written as dual-stack programs do, and who holds it is named" {
  start listen '[::ffff:127.0.0.1]:0' -- cat
  [ "$(echo a | tcp "$(port)")" = a ]
  run_ev listen "[::ffff:127.0.0.1]:$(port)" -- cat
  [ "$status" = 1 ]
  [[ $output == *"held by pid $(loop_pid) (evwatch)"* ]]
  p=$(free_port)
  run_ev -e "listen 127.0.0.1:$p -- cat" -e "listen 127.0.0.1:$p -- cat"
  [ "$status" = 1 ]
  [[ $output == *"another rule of this evwatch listens there"* ]]
}

@test "an IPv6 address that is tentative is waited for" {
  unshare -n true 2>/dev/null || skip "no network namespace can be made here"
  unshare -n bash -c '
    ip link add v0 type veth peer name v1 && ip link set lo up && ip link set v1 up && ip link set v0 up || exit 77
    ip addr add 2001:db8::1/64 dev v0
    "$0" listen "[2001:db8::1]:7000" --within 100ms -- cat' "$EV" 2>err || { [ $? = 77 ] && skip "no veth here"; cat err; false; }
}
