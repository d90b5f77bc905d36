#!/usr/bin/env bats
# relay: the PROXY protocol, with haproxy and nginx on the other side.
load helper
load servers

# front CONF COMMAND...: a server that listens on a free port, @PORT@ in its CONF and FRONT here. The
# port is held by a socket that does not listen, until the server shares it (SO_REUSEPORT).
front() {
  rm -f front.port
  python3 -c '
import os, socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind(("127.0.0.1", 0)); s.set_inheritable(True)
port, conf = str(s.getsockname()[1]), sys.argv[1]
text = open(conf).read().replace("@PORT@", port)
open(conf, "w").write(text)
open("front.tmp", "w").write(port); os.rename("front.tmp", "front.port")
os.execvp(sys.argv[2], sys.argv[2:])' "$@" >front.log 2>&1 3>&- &
  STARTED+=($!)
  until_ok '[ -e front.port ]'
  FRONT=$(cat front.port)
  until_ok 'nc -z 127.0.0.1 "$FRONT"' || { cat front.log; return 1; }
}

haproxy_conf() {
  printf '%s\n' defaults '  timeout client 60s' '  timeout server 60s' '  timeout connect 60s' "$@" >haproxy.conf
}

nginx_conf() {
  mkdir -p logs
  printf '%s\n' 'load_module /usr/lib/nginx/modules/ngx_stream_module.so;' 'daemon off; master_process off; pid nginx.pid; error_log stderr; events {}' "$@" >nginx.conf
}

# from ADDRESS PORT: standard input from this address, half-closed; prints the answer.
from() {
  timeout 100 nc -N -s "$1" 127.0.0.1 "$2"
}

# say CODE: python with `say(PIECE...)`: sends the pieces one by one, half-closes, returns the answer.
say() {
  timeout 100 python3 - "$(port)" <<P
import socket, struct, sys, time
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
def connect():
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(60)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s
def say(*pieces):
    s = connect()
    for p in pieces:
        s.sendall(p)
        if len(pieces) > 1: time.sleep(0.002)
    s.shutdown(1)
    got = b""
    while (r := s.recv(65536)): got += r
    return got
def is_reset(*pieces):
    try: got = say(*pieces)
    except OSError: return True # reset, or already gone at the shutdown
    raise SystemExit("not reset: %r" % got)
$1
P
}

# A server that says what the relay sent it, header and all, and then ends.
tell='
def serve(c):
    got = b""
    while (r := c.recv(65536)): got += r
    c.sendall(got); c.close()
while True: threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()'

@test "haproxy tells the client's address, by v1 and v2, and the relay takes it for the client's" {
  server "$echo_server"
  for form in send-proxy send-proxy-v2; do
    start -v --json relay 127.0.0.1:0 "127.0.0.1:$SERVER" --proxy accept
    haproxy_conf 'listen x' '  bind 127.0.0.1:@PORT@' "  server s 127.0.0.1:$(port) $form"
    front haproxy.conf haproxy -db -f haproxy.conf
    [ "$(echo hello | from 127.0.0.2 "$FRONT")" = hello ]
    until_ok 'grep -q "relay1: 127.0.0.2:[0-9]* -> .*: 6 bytes to, 6 from, .*done" err'
    grep -q '"event":"open".*"remote_addr":"127.0.0.2".*"remote_port":[0-9]' out
    stop
  done
}

@test "nginx tells the client's address, and the relay takes it for the client's" {
  server "$echo_server"
  start -v relay 127.0.0.1:0 "127.0.0.1:$SERVER" --proxy accept
  nginx_conf "stream { server { listen 127.0.0.1:@PORT@ reuseport; proxy_pass 127.0.0.1:$(port); proxy_protocol on; } }"
  front nginx.conf nginx -p "$PWD" -c nginx.conf
  python3 - "$FRONT" <<'P'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60, ("127.0.0.2", 0))
s.sendall(b"hello"); assert s.recv(9) == b"hello"
P
  until_ok 'grep -q "relay1: 127.0.0.2:[0-9]* -> .*: 5 bytes to, 5 from" err'
}

@test "haproxy is told the client's address and ours, by v1 and v2, over TCP and Unix sockets" {
  haproxy_conf 'frontend x' '  mode http' '  bind 127.0.0.1:@PORT@ accept-proxy' "  bind unix@$PWD/h accept-proxy" \
    '  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[dst]:%[dst_port]\n"'
  front haproxy.conf haproxy -db -f haproxy.conf
  for form in send-v1 send-v2; do
    for target in "127.0.0.1:$FRONT" unix:h; do
      until_ok "[ $target != unix:h ] || [ -S h ]"
      start relay 127.0.0.1:0 "$target" --proxy "$form"
      run curl -s --interface 127.0.0.2 --local-port 20000-30000 "http://127.0.0.1:$(port)/"
      [[ $output =~ ^127\.0\.0\.2:[0-9]+\ 127\.0\.0\.1:$(port)$ ]]
      stop
    done
  done
}

@test "nginx is told the client's address and ours, by v1 and v2, IPv4 and IPv6" {
  nginx_conf 'http { access_log off; server { listen 127.0.0.1:@PORT@ reuseport proxy_protocol;' \
    'return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port\n"; } }'
  front nginx.conf nginx -p "$PWD" -c nginx.conf
  for form in send-v1 send-v2; do
    start relay 127.0.0.1:0 "127.0.0.1:$FRONT" --proxy "$form"
    run curl -s --interface 127.0.0.2 "http://127.0.0.1:$(port)/"
    [[ $output =~ ^127\.0\.0\.2\ [0-9]+\ 127\.0\.0\.1\ $(port)$ ]]
    stop
    start relay '[::1]:0' "127.0.0.1:$FRONT" --proxy "$form"
    local p
    p=$(sed -n 's/.*\[::1\]:\([0-9]*\)$/\1/p' ready)
    run curl -s "http://[::1]:$p/"
    [[ $output =~ ^::1\ [0-9]+\ ::1\ $p$ ]]
    stop
  done
}

@test "a client of a Unix socket has no address to tell: v1 says UNKNOWN, v2 names the socket" {
  server "$tell"
  start relay unix:s "127.0.0.1:$SERVER" --proxy send-v1
  [ "$(echo hi | timeout 100 nc -N -U s)" = $'PROXY UNKNOWN\r\nhi' ]
  stop
  start relay unix:s "127.0.0.1:$SERVER" --proxy send-v2
  echo hi | timeout 100 nc -N -U s >got
  [ "$(head -c 16 got | xxd -p)" = 0d0a0d0a000d0a515549540a213100d8 ]
  [ "$(tail -c 3 got)" = hi ]
}

@test "what was accepted is what is sent on" {
  server "$tell"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --proxy accept --proxy send-v1
  say '
assert say(b"PROXY TCP4 9.8.7.6 1.2.3.4 55 66\r\nhello") == b"PROXY TCP4 9.8.7.6 1.2.3.4 55 66\r\nhello"
v2 = SIGNATURE + b"\x21\x21\0\x27" + b"\x20\x01\x0d\xb8" + bytes(11) + b"\1" + bytes(15) + b"\1\0\x50\1\xbb\4\0\0"
assert say(v2 + b"hello") == b"PROXY TCP6 2001:db8::1 ::1 80 443\r\nhello"
# Nothing was told: it is the connection itself that counts.
for local in SIGNATURE + b"\x20\0\0\0", SIGNATURE + b"\x21\0\0\3abc", b"PROXY UNKNOWN\r\n":
    got = say(local + b"hello")
    assert got.startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 ") and got.endswith(b"\r\nhello"), got'
}

@test "a header may come in pieces, and with more behind it; nothing is lost" {
  server "$echo_server"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --proxy accept --connect-timeout 60s
  say '
v1 = b"PROXY TCP4 9.8.7.6 1.2.3.4 55 66\r\n"
v2 = SIGNATURE + b"\x21\x11\0\x0c\1\2\3\4\5\6\7\x08\0\x50\1\xbb"
big = bytes(range(256)) * 4000
for header in v1, v2:
    for cut in range(1, len(header)):
        assert say(header[:cut], header[cut:] + b"data") == b"data", cut
    assert say(*[header[i:i+1] for i in range(len(header))], b"one by one") == b"one by one"
    assert say(header + big) == big
    assert say(header) == b""
long = SIGNATURE + b"\x21\x11" + struct.pack(">H", 60000) + bytes(60000)
assert say(long[:30000], long[30000:] + b"tail") == b"tail"'
}

@test "--rate and --dump know what came with the header" {
  server "$echo_server"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --proxy accept --dump - --rate 1M/s
  say 'assert say(b"PROXY TCP4 9.8.7.6 1.2.3.4 55 66\r\nhello") == b"hello"'
  until_ok 'grep -q "1: 9.8.7.6:55 < " out'
  [ "$(grep -c '^00000000  68 65 6c 6c 6f  *|hello|$' out)" = 2 ]
  stop
  rm server.port
  server '
c = l.accept()[0]; n = 0
while (d := c.recv(65536)):
    n += len(d)
    if n >= 20480: c.sendall(b".")'
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --proxy accept --rate 40k/s
  say '
import time
c = connect(); begin = time.monotonic()
c.sendall(b"PROXY UNKNOWN\r\n" + bytes(20480)); assert c.recv(1) == b"."
c.sendall(b"y"); assert c.recv(1) == b"."
# Half a second of the rate, but for the burst, came with the header.
assert time.monotonic() - begin > 0.3, time.monotonic() - begin'
}

@test "a client that does not begin with a header is reset, and that is told" {
  server "$echo_server"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --proxy accept
  say '
is_reset(b"GET / HTTP/1.1\r\n\r\n")
is_reset(b"PROXY TCP4 1.2.3.4 1.2.3.4 99999 2\r\n")
is_reset(SIGNATURE + b"\x21\x11\0\x05")
is_reset(b"PROXY TCP4 1.2.3.4")'
  grep -q 'relay1: 127.0.0.1:[0-9]* is refused: it does not begin with a PROXY header' err
  [ "$(lines_of err)" = 1 ]
  say 'assert say(b"PROXY UNKNOWN\r\nfine") == b"fine"
is_reset(b"PROXY ?\r\n")'
  grep -q 'is refused: a PROXY header that cannot be understood' err
}

@test "a header that does not come in time resets the connection; the others are served" {
  server "$echo_server"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --proxy accept --connect-timeout 300ms
  say '
late = connect(); late.sendall(b"PROXY TC")
silent = connect()
def fine():
    try: return say(b"PROXY UNKNOWN\r\nfine") == b"fine"
    except OSError: return False # it was too late itself: a machine that stood still
assert any(fine() for _ in range(10))
for s in late, silent:
    try: raise SystemExit("not reset: %r" % s.recv(1))
    except ConnectionResetError: pass'
  grep -q 'is refused: its PROXY header did not come in time' err
}

@test "--allow and --deny look at who connects, --max-per-ip and --balance source at who is told" {
  server "$tell"
  start relay 127.0.0.1:0 "127.0.0.1:$SERVER" --proxy accept --deny 9.0.0.0/8 --max-per-ip 1
  say '
told = b"PROXY TCP4 9.8.7.6 1.2.3.4 55 66\r\n"
assert say(told + b"x") == b"x" # denied, were it the peer itself
held = connect(); held.sendall(told + b"held")
other = connect(); other.sendall(told); assert other.recv(1) == b""
assert say(told.replace(b"9.8", b"9.9") + b"x") == b"x"
held.shutdown(1); assert held.recv(9) == b"held"'
  stop
  "$EV" --ready-file ready2 -e 'a: listen unix:a -- echo a' -e 'b: listen unix:b -- echo b' 3>&- &
  STARTED+=($!)
  until_ok '[ -e ready2 ]'
  start relay 127.0.0.1:0 unix:a unix:b --proxy accept --balance source
  say '
def whose(n): return say(b"PROXY TCP4 9.8.7.%d 1.2.3.4 55 66\r\n" % n)
first = [whose(n) for n in range(16)]
assert set(first) == {b"a\n", b"b\n"}, first
assert first == [whose(n) for n in range(16)]'
}

@test "--proxy refuses what it does not know, and datagrams" {
  run_ev relay 7001 7000 --proxy send
  [ "$status" = 2 ]
  [[ $output == *'is not one of accept, send-v1, send-v2'* ]]
  run_ev relay udp:7001 udp:7000 --proxy accept
  [ "$status" = 2 ]
}
