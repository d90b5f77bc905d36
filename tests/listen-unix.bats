#!/usr/bin/env bats
# listen: Unix sockets, inherited ones, and programs made for other listeners.
load helper

ask_unix() {
  timeout 100 nc -NU "$1" </dev/null
}

@test "--mode and --owner of a Unix socket hold before anybody can connect" {
  [ "$(id -u)" = 0 ] || skip "only root can be somebody else"
  start listen unix:s --mode 0660 --owner nobody:tty -- echo ok
  [ "$(stat -c '%a %U %G' s)" = '660 nobody tty' ]
  [ "$(ask_unix s)" = ok ]
  run_ev listen unix:t --owner no-such-user -- cat
  [ "$status" = 1 ]
  grep -q 'there is no user "no-such-user"' <<<"$output"
  [ ! -e t ]
  run_ev listen unix:t --mode 0888 -- cat
  [ "$status" = 2 ]
}

@test "the umask does not decide on the mode" {
  umask 0
  start listen unix:s -- echo ok
  [ "$(stat -c %a s)" = 600 ]
  umask 077
  start listen unix:t --mode 0666 -- echo ok
  [ "$(stat -c %a t)" = 666 ]
}

@test "of two that start at once over a stale socket one wins, and serves" {
  for _ in {1..10}; do
    rm -f s ready.*
    python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.bind("s")'
    local pids=()
    for n in 1 2 3; do
      timeout 100 "$EV" --ready-file "ready.$n" listen unix:s -- echo ok 2>"err.$n" 3>&- &
      pids+=($!)
      STARTED+=($!)
    done
    local won=0 n=0
    for n in 1 2 3; do until_ok "[ -e ready.$n ] || [ -s err.$n ]"; done
    for n in 1 2 3; do [ ! -e "ready.$n" ] || won=$((won + 1)); done
    [ "$won" = 1 ]
    [ "$(ask_unix s)" = ok ]
    kill "${pids[@]}" 2>/dev/null || true
    wait "${pids[@]}" || true
  done
}

@test "a socket that took the place of ours is not removed at the end" {
  start listen unix:s -- echo old
  rm s
  first=$P
  start listen unix:s -- echo new
  kill -TERM "$first"
  until_ok '! kill -0 $first 2>/dev/null'
  [ "$(ask_unix s)" = new ]
}

@test "kill -9 leaves a stale socket, and a start right after it takes over this and its port" {
  start -e 'a: listen unix:s -- echo ok' -e 'b: listen 127.0.0.1:0 -- echo ok'
  tcp=$(port b)
  # One of the two processes alone would tidy up.
  kill -9 "$(loop_pid)" "$P"
  ended
  [ -S s ]
  start -e 'a: listen unix:s -- echo again' -e "b: listen 127.0.0.1:$tcp -- echo again"
  [ "$(ask_unix s)" = again ]
  [ "$(tcp "$tcp" </dev/null)" = again ]
}

@test "abstract names serve, and are refused while somebody has them" {
  name=evwatch-test-$(unique)
  start listen "unix:@$name" -- 'echo "$PROTO $IPCLOCALPATH"'
  ask='import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect("\0" + sys.argv[1]); print(s.recv(99).decode(), end="")'
  [ "$(python3 -c "$ask" "$name")" = "IPC @$name" ]
  run_ev listen "unix:@$name" -- cat
  [ "$status" = 1 ]
  grep -q 'in use' <<<"$output"
}

@test "the peer's credentials are those of the process that connected" {
  [ "$(id -u)" = 0 ] || skip "only root can be somebody else"
  start listen unix:s --mode 0666 -- 'echo "$IPCREMOTEPID $IPCREMOTEEUID $IPCREMOTEEGID $IPCLOCALPATH"'
  chmod 755 .
  timeout 100 python3 - <<'P'
import os, socket
os.setgroups([]); os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX); s.connect("s")
assert s.recv(99).decode() == "%d 65534 65534 s\n" % os.getpid()
P
}

@test "what a peer calls itself never reaches the text of the shell" {
  start listen unix:s -- 'printf "%s|" "$1" "$IPCREMOTEPATH" "$EVWATCH_REMOTE_ADDR" >told; echo done'
  python3 - <<'P'
import socket
for name in "() { :; }; touch pwned", "$(touch pwned)", "`touch pwned`; touch pwned\n'\""[:90]:
    c = socket.socket(socket.AF_UNIX); c.bind("\0" + name); c.connect("s")
    assert c.recv(9) == b"done\n"
    assert open("told").read() == "unix:@%s|@%s|@%s|" % (name, name, name)
P
  [ ! -e pwned ]
}

@test "variables of the listener that started evwatch do not reach commands" {
  export PROTO=liar TCPREMOTEIP=liar TCPREMOTEHOST=liar TCPREMOTEINFO=liar TCPLOCALHOST=liar
  start -e 'a: listen 127.0.0.1:0 -- env' -e 'b: listen unix:s -- env'
  tcp "$(port a)" </dev/null >tcp.env
  ask_unix s >unix.env
  [ "$(grep -c liar tcp.env)" = 0 ]
  grep -q '^PROTO=TCP$' tcp.env
  grep -q '^TCPREMOTEIP=127.0.0.1$' tcp.env
  grep -q '^PROTO=IPC$' unix.env
}

@test "ucspi-tcp programs run unchanged: recordio, tcprules, rblsmtpd" {
  printf '127.0.0.1:allow,WHO="me"\n:deny\n' | tcprules rules.cdb rules.tmp
  start -e 'a: listen 127.0.0.1:0 -- recordio cat' -e 'b: listen 127.0.0.1:0 -- tcprulescheck rules.cdb' \
    -e 'c: listen 127.0.0.1:0 --env RBLSMTPD=go-away -- rblsmtpd cat'
  [ "$(echo abc | tcp "$(port a)")" = abc ]
  until_ok 'grep -q "> abc" err'
  tcp "$(port b)" </dev/null >checked
  grep -q 'allow connection' checked
  grep -q 'set environment variable WHO=me' checked
  printf 'HELO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nQUIT\r\n' | tcp "$(port c)" >smtp
  grep -q '^451 go-away' smtp
}

@test "s6 programs run unchanged: s6-ipcserver-access decides by the peer's uid" {
  [ "$(id -u)" = 0 ] || skip "only root can be somebody else"
  mkdir -p rules/uid/0/env rules/uid/default
  touch rules/uid/0/allow rules/uid/default/deny
  echo hello >rules/uid/0/env/GREETING
  start listen unix:s --mode 0666 -- "s6-ipcserver-access -v2 -i rules sh -c 'echo \"\$GREETING \$IPCREMOTEEUID\"'"
  [ "$(ask_unix s)" = "hello 0" ]
  chmod 755 .
  timeout 100 python3 - <<'P'
import os, socket
os.setgroups([]); os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX); s.connect("s")
assert s.recv(99) == b""
P
}

@test "systemd socket activation: by name, and none is passed on to commands" {
  command -v systemd-socket-activate >/dev/null || skip "systemd-socket-activate is not installed"
  port=$(free_port)
  systemd-socket-activate -l "127.0.0.1:$port" -l "$PWD/s" --fdname=web:local \
    "$EV" --ready-file ready listen systemd:web systemd:local -- 'ls /proc/self/fd | wc -l; echo "$PROTO"' 2>err 3>&- &
  P=$!
  STARTED+=("$P")
  until_ok '[ -S s ]'
  [ "$(tcp "$port" </dev/null | tail -1)" = TCP ] # the first one starts evwatch
  [ "$(wc -l <ready)" = 2 ]
  # 0, 1, 2, and the folder that ls reads.
  [ "$(tcp "$port" </dev/null | head -1)" = 4 ]
  [ "$(ask_unix s | tail -1)" = IPC ]
}

@test "systemd: a name that was not passed is told, with those that were" {
  launch='import os, socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(5); os.dup2(s.fileno(), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_FDNAMES="web", LISTEN_PID=str(os.getpid() + int(sys.argv[1])))
os.execv(sys.argv[2], sys.argv[2:])'
  run timeout 100 python3 -c "$launch" 0 "$EV" listen systemd:mail -- cat
  [ "$status" = 1 ]
  grep -q 'systemd passed no socket called "mail"' <<<"$output"
  grep -q 'it passed 1: web' <<<"$output"
  # Meant for another process: not for us.
  run timeout 100 python3 -c "$launch" 100000 "$EV" listen systemd:web -- cat
  [ "$status" = 1 ]
  grep -q 'systemd passed no socket to this process' <<<"$output"
}

@test "fd:N: a socket that the caller bound; what is none is told" {
  python3 -c '
import os, socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(5); os.dup2(s.fileno(), 7)
os.execv(sys.argv[1], sys.argv[1:])' "$EV" --ready-file ready listen fd:7 -- cat 2>err 3>&- &
  STARTED+=($!)
  until_ok '[ -e ready ]'
  [ "$(echo passed | tcp "$(port)")" = passed ]
  run_ev listen fd:99 -- cat
  [ "$status" = 1 ]
  grep -q 'descriptor 99 is not open' <<<"$output"
  run_ev listen fd:9 -- cat 9<"$EV"
  [ "$status" = 1 ]
  grep -q 'descriptor 9 is no socket' <<<"$output"
}

@test "vsock: both ends, through a relay as well" {
  python3 - <<'P' || skip "this kernel has no vsock loopback (modprobe vsock_loopback)"
import socket
l = socket.socket(socket.AF_VSOCK); l.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY)); l.listen()
c = socket.socket(socket.AF_VSOCK); c.settimeout(1); c.connect((1, l.getsockname()[1]))
P
  start -e 'a: listen vsock:*:0 -- sh -c "echo \$EVWATCH_REMOTE_ADDR; cat"'
  port=$(sed -n 's/^a vsock:\*:\([0-9]*\)$/\1/p' ready)
  start -e "b: relay 127.0.0.1:0 vsock:1:$port" -e "c: relay vsock:*:0 vsock:1:$port"
  echo hello | tcp "$(port b)" >got
  [ "$(cat got)" = "$(printf '1\nhello')" ]
  python3 - "$(sed -n 's/^c vsock:\*:\([0-9]*\)$/\1/p' ready)" <<'P'
import socket, sys
c = socket.socket(socket.AF_VSOCK); c.settimeout(60); c.connect((1, int(sys.argv[1])))
c.sendall(bytes(1 << 20)); c.shutdown(1)
n = 0
while (r := c.recv(65536)): n += len(r)
assert n == (1 << 20) + 2, n
P
}

@test "vsock: port 0 is a free one" {
  python3 -c 'import socket; socket.socket(socket.AF_VSOCK)' || skip "this kernel has no vsock"
  start listen 'vsock:*:0' 'vsock:*:0' -- cat
  [ "$(sed -n 's/^listen1 vsock:\*:\([1-9][0-9]*\)$/\1/p' ready | sort -u | wc -l)" = 2 ]
}
