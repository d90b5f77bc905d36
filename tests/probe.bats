#!/usr/bin/env bats
# probe: changes of a service's health.
load helper
load servers

@test "waits for a service to come" {
  start probe unix:later --interval 20ms --once
  "$EV" listen unix:later -- true 3>&- &
  STARTED+=($!)
  ended
  [ "$STATUS" = 0 ]
  [ "$(cat out)" = 'up unix:later' ]
}

@test "a service that is down is no event at first, but told with the reason, and 124 in the end" {
  run_ev --once --within 200ms probe 127.0.0.1:1 --interval 20ms
  [ "$status" = 124 ]
  [ "${lines[0]}" = 'evwatch: probe1: 127.0.0.1:1: Connection refused: waiting for it' ]
  [ "${lines[1]}" = 'evwatch: --within ran out before --once was met' ]
  run_ev --once --within 200ms probe 127.0.0.1:1 127.0.0.1:2 --all --interval 20ms
  [ "$(grep -c 'Connection refused: waiting for it' <<<"$output")" = 2 ]
  run_ev -q --once --within 200ms probe 127.0.0.1:1 --interval 20ms
  [ "$output" = '' ]
}

@test "changes only: up, then down" {
  "$EV" --ready-file r2 listen unix:s -- true 3>&- &
  local other=$!
  STARTED+=("$other")
  until_ok '[ -e r2 ]'
  start probe unix:s --interval 20ms --fall 2
  until_ok 'grep -q "^up" out'
  kill "$other"
  until_ok 'grep -q "^down" out'
  [ "$(cat out)" = $'up unix:s\ndown unix:s' ]
}

@test "UDP: a closed port is down, an open one up" {
  start -e 'listen udp:127.0.0.1:0 -- cat'
  run_ev --once --within 60s probe "udp:127.0.0.1:$(port)" --timeout 100ms
  [ "$status" = 0 ]
  run_ev --once --within 300ms probe udp:127.0.0.1:1 --timeout 100ms --interval 50ms
  [ "$status" = 124 ]
}

@test "several endpoints: each of them is told" {
  start -e 'a: listen unix:a -- true' -e 'b: probe unix:b unix:a unix:c --interval 20ms'
  until_ok 'grep -q "^up unix:a" out'
  "$EV" listen unix:c -- true 3>&- &
  STARTED+=($!)
  until_ok 'grep -q "^up unix:c" out'
  [ "$(cat out)" = $'up unix:a\nup unix:c' ]
}

@test "TCP: --timeout tells a port that does not answer, and the end of that" {
  cat >server.py <<'P'
import os, select, signal, socket
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(0)
open("port.tmp", "w").write(str(l.getsockname()[1])); os.rename("port.tmp", "port")
deaf = False
def turn(*_):
    global deaf
    deaf = not deaf
signal.signal(signal.SIGUSR1, turn)
while True:
    # While it is deaf its backlog fills, and the kernel answers no more.
    if deaf: select.select([], [], [], 0.01)
    elif select.select([l], [], [], 0.01)[0]: l.accept()[0].close()
P
  python3 server.py 3>&- &
  local server=$!
  STARTED+=("$server")
  until_ok '[ -e port ]'
  start -v probe "127.0.0.1:$(cat port)" --interval 20ms --timeout 50ms --fall 2
  until_ok 'grep -q "^up" out'
  kill -USR1 "$server"
  until_ok '[[ $(tail -1 out) == down* ]]'
  grep -q 'Connection timed out' err
  kill -USR1 "$server"
  until_ok '[[ $(tail -1 out) == up* ]]'
  # Each is a change. There are more than these where the server itself had no time to answer.
  [ "$(head -1 out | cut -d" " -f1)" = up ]
  [ "$(cut -d" " -f1 out | uniq | wc -l)" = "$(wc -l <out)" ]
}

@test "a command gets the endpoint and the event's name" {
  start -e 'a: listen unix:a -- true' -e 'p: probe unix:a --interval 20ms -- echo "$EVWATCH_EVENT $1" >got'
  until_ok '[ "$(cat got 2>/dev/null)" = "up unix:a" ]'
}

@test "what cannot be probed, or not so, is refused" {
  run_ev probe 7000 '*:7000'
  [ "$status" = 2 ]
  run_ev probe 7000 --interval 0
  [ "$status" = 2 ]
  [[ $output == *'--interval must be greater than 0'* ]]
  run_ev probe 7000 --rise 0
  [ "$status" = 2 ]
}

@test "a look for which no descriptor is left is told, and says nothing of the endpoint" {
  server 'u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0))
open("udp.port", "w").write(str(u.getsockname()[1]))
while True: l.accept()[0].close()'
  until_ok '[ -s udp.port ]'
  tcp=127.0.0.1:$SERVER udp=udp:127.0.0.1:$(cat udp.port)
  start -e "p: probe $tcp $udp --interval 40ms --timeout 10ms" -e "r: relay 127.0.0.1:0 $tcp --check 40ms --fall 1"
  until_ok '[ "$(lines_of out)" = 2 ]'
  for what in "p: cannot check $tcp" "p: cannot check $udp" "r: cannot check $tcp"; do
    until_ok 'leave "$(loop_pid)" 0; grep -q "$what: Too many open files (ulimit -n)" err'
  done
  prlimit --nofile=1024: --pid "$(loop_pid)"
  # Down only when it is.
  [ "$(cat out)" = "up $tcp"$'\n'"up $udp" ] || [ "$(cat out)" = "up $udp"$'\n'"up $tcp" ]
  ! grep 'is down' err
  kill "${STARTED[0]}"
  until_ok 'grep -q "^down $tcp" out && grep -q "^down $udp" out && grep -q "r: $tcp is down" err'
}

@test "a closed port is never up by a connection of the probe to itself" {
  unshare -n true 2>/dev/null || skip "no network namespace can be made here"
  unshare -n bash -c '
    ip link set lo up; echo "40000 40009" >/proc/sys/net/ipv4/ip_local_port_range
    exec "$0" probe 127.0.0.1:40004 --interval 2ms --once --within 1s' "$EV" >out 2>err || status=$?
  [ "${status:-0}" = 124 ]
  [ ! -s out ]
}

@test "a want of local ports says nothing of the endpoint" {
  unshare -n true 2>/dev/null || skip "no network namespace can be made here"
  unshare -n python3 - "$EV" <<'P'
import os, socket, subprocess, sys, threading
os.system("ip link set lo up; echo 40000 40007 >/proc/sys/net/ipv4/ip_local_port_range")
l = socket.socket(); l.bind(("127.0.0.1", 7502)); l.listen(100); served = []
def serve():
    while True: served.append(l.accept()[0])
threading.Thread(target=serve, daemon=True).start()
p = subprocess.Popen([sys.argv[1], "probe", "127.0.0.1:7502", "--interval", "20ms"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
assert p.stdout.readline() == b"up 127.0.0.1:7502\n"
keep = []
for _ in range(20):
    try: keep.append(socket.create_connection(("127.0.0.1", 7502)))
    except OSError: pass
line = p.stderr.readline()
assert b"no local port is left" in line, line
p.terminate(); assert b"down" not in p.communicate()[0]
P
}

@test "udp: every address of a name is tried" {
  # Nothing listens on 127.0.0.1; localhost is ::1, too.
  python3 -c '
import socket; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(("::1", 0)); print(s.getsockname()[1], flush=True)
while True: s.recv(10)' >p 3>&- &
  STARTED+=($!)
  until_ok '[ -s p ]'
  run_ev probe "udp:localhost:$(cat p)" --timeout 100ms --once --within 60s
  [ "$status" = 0 ]
}

# http STATUS: a server that answers so; its port is SERVER. The first line of the last request is in
# the file request.
http() {
  rm -f http.port
  python3 -c '
import os, socket, sys
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(50)
open("http.tmp", "w").write(str(l.getsockname()[1])); os.rename("http.tmp", "http.port")
while True:
    c, _ = l.accept(); d = c.recv(1000)
    open("request.tmp", "wb").write(d); os.rename("request.tmp", "request")
    try: c.sendall(open("status").read().encode())
    except OSError: pass
    c.close()' 3>&- &
  STARTED+=($!)
  until_ok '[ -e http.port ]'
  SERVER=$(cat http.port)
}

@test "http:// is up when it answers 200 to 399, or as --expect says" {
  printf 'HTTP/1.1 503 No\r\n\r\n' >status
  http
  start probe "http://127.0.0.1:$SERVER/health?a=1" --interval 10ms --first
  until_ok 'grep -q "^down http://127.0.0.1:$SERVER/health" out'
  printf 'HTTP/1.0 302 Found\r\n\r\n' >status
  until_ok 'grep -q "^up http://127.0.0.1:$SERVER/health" out'
  head -1 request | grep -q '^GET /health?a=1 HTTP/1.1'
  grep -q "^Host: 127.0.0.1:$SERVER" request
  printf 'SSH-2.0-none\r\n' >status
  until_ok '[ "$(grep -c "^down" out)" = 2 ]'
  stop
  printf 'HTTP/1.1 204 None\r\n\r\n' >status
  run_ev probe "http://127.0.0.1:$SERVER" --expect 204 --once --within 60s
  [ "$status" = 0 ]
  run_ev probe "http://127.0.0.1:$SERVER" --expect 200-203 --once --within 300ms
  [ "$status" = 124 ]
  [[ $output == *'it answers with status 204'* ]]
}

@test "what is no URL that can be asked for is refused with the cure" {
  local w
  for w in https://a/ http:///x http://a@b/ 'http://a/b c' http://a:b/; do
    run_ev probe "$w"
    [ "$status" = 2 ] || { echo "$w"; false; }
  done
  run_ev probe https://a/
  [[ $output == *'curl -fsS'* ]]
  run_ev probe a:1 --expect 200
  [ "$status" = 2 ]
  run_ev probe http://a/ --expect 42
  [ "$status" = 2 ]
}

@test "--of COMMAND is up when it exits 0, and one that takes too long is not" {
  start probe --of '[ -e ok ]' --interval 10ms --first
  until_ok 'grep -q "^down" out'
  : >ok
  until_ok 'grep -q "^up" out'
  stop
  local n
  n=$(unique)
  start -v probe --of "sleep $n; :" --interval 10ms --timeout 50ms --first
  until_ok 'grep -q "^down" out && grep -q "it took too long" err'
  stop
  until_ok "[ \$(count_processes 'sleep $n') = 0 ]"
  run_ev probe --of nonesuch-command --first --once
  [[ $output == *down* ]]
  run_ev probe a:1 --of true
  [ "$status" = 2 ]
  run_ev probe
  [ "$status" = 2 ]
  [[ $output == *'probe needs ENDPOINT'* ]]
}

@test "--all: one up when all are, one down when the first goes" {
  "$EV" --ready-file ra listen unix:a -- cat 3>&- &
  local a=$!
  STARTED+=($a)
  until_ok '[ -e ra ]'
  start probe unix:a unix:b --all --first --interval 10ms
  until_ok '[ "$(cat out)" = "down unix:b" ]'
  "$EV" --ready-file rb listen unix:b -- cat 3>&- &
  STARTED+=($!)
  until_ok '[ "$(tail -1 out)" = "up unix:a unix:b" ]'
  kill $a
  until_ok '[ "$(tail -1 out)" = "down unix:a" ]'
  [ "$(wc -l <out)" = 3 ]
}
