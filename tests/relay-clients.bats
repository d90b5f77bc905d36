#!/usr/bin/env bats
# relay: clients and servers that people use, through it: no error, and the bytes are equal.
load helper

# Everything of a test is in a folder of its own in /tmp: an unprivileged server must get there.
prepare() {
  HERE=$(mktemp -d /tmp/evwatch-clients.XXXXXX)
  chmod 755 "$HERE"
  cd "$HERE" || return 1
}

teardown() {
  end_started
  rm -rf "$HERE"
}

# need PROGRAM...: a test that cannot be run says what is missing.
need() {
  local program
  for program; do command -v "$program" >/dev/null || skip "$program is not installed"; done
}

# serve COMMAND...: a server in the background.
serve() {
  "$@" >server.log 2>&1 3>&- </dev/null &
  STARTED+=($!)
}

# as_user COMMAND...: without privileges, for servers that refuse to run with them.
as_user() {
  if [ "$(id -u)" = 0 ]; then setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; else "$@"; fi
}

@test "redis-benchmark runs without an error, and a value of a megabyte comes back as it was" {
  need redis-server redis-benchmark redis-cli
  serve redis-server --port 0 --unixsocket "$HERE/redis.sock" --save ''
  until_ok '[ -S redis.sock ]'
  start relay 127.0.0.1:0 "unix:$HERE/redis.sock"
  timeout 100 redis-benchmark -p "$(port)" -n 5000 -c 50 -P 8 -d 200 -q -t set,get,lpush,lrange_100 >bench 2>&1
  [ "$(tr '\r' '\n' <bench | grep -c 'requests per second')" -ge 4 ]
  [ -z "$(grep -i error bench)" ]
  head -c 1000000 /dev/urandom | base64 -w0 >sent
  redis-cli -p "$(port)" -x set big <sent
  redis-cli -p "$(port)" get big >got
  truncate -s -1 got # the newline is redis-cli's
  cmp sent got
}

@test "wrk and curl get from nginx what it has" {
  need nginx wrk curl
  mkdir www
  head -c 20000000 /dev/urandom >www/big
  echo small >www/small
  cat >nginx.conf <<C
daemon off; master_process off; pid nginx.pid; error_log stderr;
events { worker_connections 500; }
http { access_log off; server { listen unix:$HERE/http.sock; root $HERE/www; } }
C
  serve nginx -p "$HERE" -c nginx.conf
  until_ok '[ -S http.sock ]'
  start relay 127.0.0.1:0 "unix:$HERE/http.sock"
  timeout 100 wrk -t1 -c50 -d1s --timeout 60s "http://127.0.0.1:$(port)/small" >wrk
  grep -q 'Requests/sec' wrk
  [ -z "$(grep -E 'Socket errors|Non-2xx' wrk)" ]
  timeout 100 curl -sS --parallel "http://127.0.0.1:$(port)/big" -o 1 "http://127.0.0.1:$(port)/big" -o 2 \
    "http://127.0.0.1:$(port)/small" -o 3
  cmp www/big 1
  cmp www/big 2
  cmp www/small 3
}

@test "pgbench runs against PostgreSQL without a failed transaction, and a dump is the same" {
  need psql
  bin=$(pg_config --bindir 2>/dev/null || ls -d /usr/lib/postgresql/*/bin | tail -1)
  [ -x "$bin/initdb" ] || skip "initdb is not installed"
  mkdir db && chmod 777 db .
  as_user "$bin/initdb" -D db/data -U bench -A trust -N >initdb.log 2>&1
  serve as_user "$bin/postgres" -D db/data -c listen_addresses= -c "unix_socket_directories=$HERE/db" -c fsync=off
  until_ok '"$bin/psql" -h "$HERE/db" -U bench -qc "select 1" postgres >/dev/null 2>&1'
  start relay 127.0.0.1:0 "unix:$HERE/db/.s.PGSQL.5432"
  bench=(timeout 100 "$bin/pgbench" -h 127.0.0.1 -p "$(port)" -U bench)
  "${bench[@]}" -i -q postgres >init.log 2>&1
  "${bench[@]}" -n -c 8 -t 50 postgres >tpc.log 2>&1
  "${bench[@]}" -n -S -C -c 4 -t 50 postgres >select.log 2>&1
  grep -q 'number of failed transactions: 0 ' tpc.log
  grep -q 'number of failed transactions: 0 ' select.log
  "$bin/psql" -h "$HERE/db" -U bench -c 'copy pgbench_accounts to stdout' postgres >direct
  "$bin/psql" -h 127.0.0.1 -p "$(port)" -U bench -c 'copy pgbench_accounts to stdout' postgres >relayed
  [ "$(lines_of direct)" = 100000 ]
  cmp direct relayed
}

@test "ssh and scp work, and what is copied is the same" {
  need ssh scp ssh-keygen
  sshd=$(command -v sshd || echo /usr/sbin/sshd)
  [ -x "$sshd" ] || skip "sshd is not installed"
  [ "$(id -u)" != 0 ] || mkdir -p /run/sshd
  ssh-keygen -q -t ed25519 -N '' -f host
  ssh-keygen -q -t ed25519 -N '' -f user
  printf '%s\n' "HostKey $HERE/host" "AuthorizedKeysFile $HERE/user.pub" 'StrictModes no' 'PidFile none' \
    'Subsystem sftp internal-sftp' >sshd.conf
  start listen 127.0.0.1:0 -- "$sshd" -i -e -f "$HERE/sshd.conf"
  target=$(port)
  start relay 127.0.0.1:0 "127.0.0.1:$target"
  options=(-F none -i "$HERE/user" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes)
  [ "$(timeout 100 ssh "${options[@]}" -p "$(port)" 127.0.0.1 'cat; echo done' <<<over)" = $'over\ndone' ]
  head -c 10000000 /dev/urandom >sent
  timeout 100 scp -q "${options[@]}" -P "$(port)" sent "127.0.0.1:$HERE/there"
  timeout 100 scp -q "${options[@]}" -P "$(port)" "127.0.0.1:$HERE/there" back
  cmp sent there
  cmp sent back
}

# With -R the client, which reads, decides when all has come: then every count is the same. The other
# way it says when it has sent all, and the server stops reading what is still under way: the relay,
# between the two, cannot have carried more than the one sent, nor less than the other got. Only the
# lengths are looked at: where a write takes a part, iperf3 (3.12) itself loses its place in the file.
@test "iperf3 sends a file, both ways: the relay carried as much as came" {
  need iperf3
  target=$(free_port)
  head -c 30M /dev/urandom >sent
  start -v relay 127.0.0.1:0 "127.0.0.1:$target"
  for how in '' -R; do
    rm -f came
    told=$(wc -c <err)
    files=(-F "$PWD/sent" -F "$PWD/came") # the client's, the server's
    [ -z "$how" ] || files=(-F "$PWD/came" -F "$PWD/sent")
    serve iperf3 -s -1 -p "$target" -B 127.0.0.1 "${files[@]:2}"
    until_ok '[ -n "$(ss -Hltn "sport = :$target")" ]'
    # shellcheck disable=SC2086
    timeout 100 iperf3 -c 127.0.0.1 -p "$(port)" -n 20M -J "${files[@]:0:2}" $how >result
    python3 - "$told" "$how" <<'P'
import json, re, sys, time
end = json.load(open("result"))["end"]
sent, received = end["sum_sent"]["bytes"], end["sum_received"]["bytes"]
came = open("came", "rb").read()
assert sent >= 20 << 20 and len(came) > 0, (sent, len(came))
assert len(came) <= received <= sent, (len(came), received, sent)
# Two connections, the larger one for the data; a line each when it is over.
carried = []
while len(carried) < 2:
    carried = [max(map(int, n)) for n in re.findall(r": (\d+) bytes to, (\d+) from", open("err").read()[int(sys.argv[1]):])]
    time.sleep(0.01)
assert len(came) <= max(carried) <= sent + 37, (len(came), carried, sent) # iperf3's cookie
if sys.argv[2]: assert len(came) == received == max(carried) == sent == 20 << 20
P
  done
}

@test "git clone over git:// gets the same repository" {
  need git
  git init -q work
  git -C work config user.email a@b
  git -C work config user.name a
  for i in 1 2 3; do
    head -c 1000000 /dev/urandom >work/file$i
    git -C work add -A
    git -C work commit -qm "$i"
  done
  start listen 127.0.0.1:0 -- git -c safe.directory='*' daemon --inetd --export-all --base-path="$HERE"
  target=$(port)
  start relay 127.0.0.1:0 "127.0.0.1:$target"
  timeout 100 git clone -q "git://127.0.0.1:$(port)/work" cloned
  git -C cloned fsck --full
  [ "$(git -C cloned rev-parse HEAD)" = "$(git -C work rev-parse HEAD)" ]
  cmp work/file3 cloned/file3
}
