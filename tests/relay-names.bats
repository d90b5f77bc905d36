#!/usr/bin/env bats
# relay: names of targets, with a resolver that does what the test says (shim/names.c).
load helper
load servers

prepare() {
  cc -shared -fPIC -D_GNU_SOURCE -o names.so "$BATS_TEST_DIRNAME/shim/names.c" -ldl
  printf '#!/bin/sh\nLD_PRELOAD=%s ASAN_OPTIONS=verify_asan_link_order=0:$ASAN_OPTIONS exec "%s" "$@"\n' \
    "$PWD/names.so" "$EV" >evwatch
  chmod +x evwatch
  EV=$PWD/evwatch
  # The same port at several addresses, each of which says its own.
  server '
P = l.getsockname()[1]
def says(host):
    s = socket.socket(); s.bind((host, P)); s.listen(100)
    while True:
        c = s.accept()[0]; c.sendall(host.encode()); c.close()
def hangs(host):
    s = socket.socket(); s.bind((host, P)); s.listen(0)
    full = [socket.socket() for _ in range(4)]
    for c in full:
        c.setblocking(False)
        try: c.connect((host, P))
        except BlockingIOError: pass
    time.sleep(1000)
for f, h in (says, "127.0.0.2"), (says, "127.0.0.3"), (hangs, "127.0.0.4"):
    threading.Thread(target=f, args=(h,), daemon=True).start()
l.close(); time.sleep(1000)'
  until_ok 'nc -z 127.0.0.2 "$SERVER" && nc -z 127.0.0.3 "$SERVER"'
}

asked() {
  lines_of ASKED
}

ask() {
  tcp "$(port "$@")" </dev/null
}

@test "a name is resolved when a connection comes, and not before" {
  start relay 127.0.0.1:0 "db.test:$SERVER"
  [ "$(asked)" = 0 ]
  echo 'db.test 127.0.0.2' >NAMES
  [ "$(ask)" = 127.0.0.2 ]
  [ "$(asked)" = 1 ]
}

@test "--dns-ttl: an answer is kept so long, and asked for again then" {
  echo 'db.test 127.0.0.2' >NAMES
  start relay 127.0.0.1:0 "db.test:$SERVER" --dns-ttl 1h
  [ "$(ask)" = 127.0.0.2 ]
  echo 'db.test 127.0.0.3' >NAMES
  [ "$(ask)" = 127.0.0.2 ]
  [ "$(asked)" = 1 ]
  stop
  start relay 127.0.0.1:0 "db.test:$SERVER" --dns-ttl 0
  [ "$(ask)" = 127.0.0.3 ]
  echo 'db.test 127.0.0.2' >NAMES
  [ "$(ask)" = 127.0.0.2 ]
  [ "$(asked)" = 3 ]
}

@test "a name that has no address is told, and asked for again by the next connection" {
  start relay 127.0.0.1:0 "db.test:$SERVER"
  ask || true
  until_ok 'grep -q "no target can be reached: db.test:$SERVER: Name or service not known" err'
  echo 'db.test 127.0.0.2' >NAMES
  [ "$(ask)" = 127.0.0.2 ]
}

@test "all addresses of a name are tried: one that refuses, one that hangs" {
  echo 'db.test 127.0.0.9 127.0.0.4 127.0.0.3' >NAMES
  start relay 127.0.0.1:0 "db.test:$SERVER"
  [ "$(ask)" = 127.0.0.3 ]
}

@test "a slow resolver holds up nobody else; those who wait share its answer" {
  echo 'db.test 127.0.0.2' >NAMES
  touch SLOW
  start -e "a: relay 127.0.0.1:0 db.test:$SERVER --dns-ttl 1h --connect-timeout 60s" -e "b: relay 127.0.0.1:0 127.0.0.3:$SERVER"
  local i
  for i in 1 2 3; do
    ask a >"got$i" 3>&- &
    STARTED+=($!)
  done
  until_ok '[ "$(asked)" = 1 ]'
  [ "$(ask b)" = 127.0.0.3 ]
  rm SLOW
  until_ok '[ "$(cat got1 got2 got3)" = 127.0.0.2127.0.0.2127.0.0.2 ]'
  [ "$(asked)" = 1 ]
}

@test "--check: a name that is not resolved in time is a bad look" {
  touch SLOW
  start relay 127.0.0.1:0 "db.test:$SERVER" --check 20ms --fall 1 --connect-timeout 100ms
  until_ok 'grep -q "db.test:$SERVER is down: its name is not resolved in time" err'
  echo 'db.test 127.0.0.2' >NAMES
  rm SLOW
  until_ok 'grep -q "db.test:$SERVER is up again" err'
}

@test "with no descriptors left to resolve a name clients wait and are served, by workers as well" {
  echo 'db.test 127.0.0.2' >NAMES
  for n in 1 2; do
    start relay 127.0.0.1:0 "db.test:$SERVER" --dns-ttl 0 --connect-timeout 60s --workers $n
    carriers=$(loop_pid)
    [ $n = 1 ] || until_ok 'carriers=$(pgrep -P "$(loop_pid)") && [ "$(wc -w <<<"$carriers")" = 2 ]'
    [ "$(ask)" = 127.0.0.2 ]
    # A client, two for its name, and one for the resolver: that is the least.
    for free in 4 6; do
      for p in $carriers; do leave "$p" $free; done
      timeout 100 python3 - "$(port)" <<'P'
import socket, sys
cs = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(12)]
for c in cs: c.settimeout(60); assert c.recv(99) == b"127.0.0.2"; c.close()
P
    done
    ! grep 'no target' err
    stop
  done
}

@test "several clients that lack the descriptors for a name at once are served when there are some" {
  echo 'db.test 127.0.0.2' >NAMES
  start relay 127.0.0.1:0 "db.test:$SERVER" --dns-ttl 0 --connect-timeout 60s
  timeout 100 python3 - "$(port)" "$(loop_pid)" <<'P'
import os, resource, socket, sys, time
def connect():
    c = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); c.settimeout(60)
    return c
# They do not close, so each keeps two descriptors: the more there are, the more may wait for a name.
held = [connect() for _ in range(20)]
for c in held: assert c.recv(99) == b"127.0.0.2"
def used(): return {int(n) for n in os.listdir("/proc/%s/fd" % sys.argv[2])}
limit = [n for n in range(1000) if n not in used()][4]
assert limit >= 48 # so three may wait for a name: with one for the resolver's thread that is all
def allow(most): resource.prlimit(int(sys.argv[2]), resource.RLIMIT_NOFILE, (most, 1024))
allow(limit)
open("SLOW", "w")
late = [connect() for _ in range(5)]
while "cannot accept" not in open("err").read(): time.sleep(0.01)
allow(limit - 2) # as if somebody else had got those of the resolver's thread
os.remove("SLOW")
time.sleep(0.5) # it looks again meanwhile, every 100 ms, which nothing shows
for c in held: c.close()
for c in late: assert c.recv(99) == b"127.0.0.2"; c.close()
P
}

@test "resolving counts towards --connect-timeout: the next target serves" {
  touch SLOW
  start relay 127.0.0.1:0 "slow.test:$SERVER" "127.0.0.2:$SERVER" --balance first --connect-timeout 200ms -v
  [ "$(ask)" = 127.0.0.2 ]
  grep -q 'slow.test:[0-9]*: its name is not resolved in time' err
  rm SLOW
}

@test "all addresses of a name take part, the families in turns" {
  echo 'db.test ::1 ::2 ::3 ::4 ::5 ::6 ::7 ::8 127.0.0.2' >NAMES
  start relay 127.0.0.1:0 "db.test:$SERVER" --connect-timeout 60s
  [ "$(ask)" = 127.0.0.2 ]
}

@test "while no server answers the last addresses serve on, which is said once" {
  echo 'db.test 127.0.0.2' >NAMES
  start relay 127.0.0.1:0 "db.test:$SERVER" --dns-ttl 0
  [ "$(ask)" = 127.0.0.2 ]
  touch FAILS
  [ "$(ask)" = 127.0.0.2 ]
  [ "$(ask)" = 127.0.0.2 ]
  [ "$(grep -c 'its last addresses are kept' err)" = 1 ]
  rm FAILS
  touch SLOW # nor while a server is waited for
  [ "$(ask)" = 127.0.0.2 ]
  rm SLOW
  echo 'db.test 127.0.0.3' >NAMES
  until_ok '[ "$(ask)" = 127.0.0.3 ]'
  : >NAMES # that there is no such name is an answer
  until_ok '[ "$(ask)" = "" ]'
}

@test "a worker that dies is replaced though another rule waits for a name" {
  touch SLOW
  echo 'db.test 127.0.0.2' >NAMES
  printf 'r: relay 127.0.0.1:0 127.0.0.2:%s --workers 2\np: probe a.test:80 --interval 10ms\n' "$SERVER" >rules
  start -f rules
  until_ok '[ -s ASKED ]'
  local loop first
  loop=$(loop_pid)
  until_ok '[ "$(pgrep -P $loop | wc -l)" = 2 ]'
  first=$(pgrep -o -P "$loop")
  kill -9 "$first"
  until_ok '[ "$(pgrep -P $loop | grep -vc "^$first$")" = 2 ]'
  rm SLOW
}

@test "when dnsmasq goes, the last address serves; when it is back with another one, that one does" {
  unshare -nm true 2>/dev/null || skip "no network and mount namespace to be had here"
  printf 'nameserver 127.0.0.53\noptions timeout:1 attempts:1\n' >resolv
  printf 'hosts: files dns\nservices: files\n' >nss
  timeout 100 unshare -nm bash -euc "$(declare -f until_ok)"'
    ip link set lo up
    mount --bind resolv /etc/resolv.conf; mount --bind nss /etc/nsswitch.conf
    serve() { python3 -c "
import socket, sys
l = socket.create_server((sys.argv[1], 7000)); open(sys.argv[1], \"w\")
while True: c = l.accept()[0]; c.sendall(sys.argv[1].encode()); c.close()" "$1" & all="$all $!"; until_ok "[ -e $1 ]"; }
    name() { dnsmasq -k -C /dev/null --listen-address=127.0.0.53 --bind-interfaces --no-resolv --no-hosts --user=root --pid-file= --host-record=one.test,"$1" & dns=$!
      until_ok "dig +short +tries=1 +time=1 @127.0.0.53 one.test | grep -q ."; }
    all= ; trap "kill \$all \$dns" EXIT
    serve 127.0.0.1; serve 127.0.0.2; name 127.0.0.1
    "$0" --ready-file ready relay 127.0.0.1:7001 one.test:7000 --dns-ttl 50ms 2>err & all="$all $!"
    until_ok "[ -e ready ]"
    ask() { nc -N 127.0.0.1 7001 </dev/null; }
    [ "$(ask)" = 127.0.0.1 ]
    kill $dns; wait $dns || true
    until_ok "[ \"\$(ask)\" = 127.0.0.1 ] && grep -q \"its last addresses are kept\" err"
    [ "$(ask)" = 127.0.0.1 ]
    name 127.0.0.2
    until_ok "[ \"\$(ask)\" = 127.0.0.2 ]"' "${EVWATCH:-$ROOT/build/evwatch}"
}
