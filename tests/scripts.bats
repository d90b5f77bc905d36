#!/usr/bin/env bats
# What people write: whole rule files as they stand in projects and on servers, each with realistic
# input. The commands that would change a machine (nft, nginx, docker) are small stand-ins.
load helper

# rules <<TEXT: the rule file of this test.
rules() { cat >site.rules; }

# stand_in NAME [SHELL-TEXT]: a program of this name that notes how it was called, in NAME.log.
stand_in() {
  mkdir -p bin
  printf '#!/bin/sh\necho "$*" >>%s.log\n%s\n' "$PWD/$1" "${2:-}" >"bin/$1"
  chmod +x "bin/$1"
  PATH=$PWD/bin:$PATH
}

@test "a dev server: build on each save, restart the server after a good build only" {
  mkdir src
  rules <<'E'
build: file src --match '*.c' -i -- ! grep -q syntax src/main.c && cp src/main.c server
web:   ended build --ok --on-busy restart -- echo "up $(cat server)" >>log; exec sleep 100
say:   ended build --failed -- echo "broken" >>log
E
  echo one >src/main.c
  start -f site.rules
  until_ok 'grep -q "up one" log'
  echo 'syntax error' >src/main.c
  until_ok 'grep -q broken log'
  echo two >src/main.c
  until_ok 'grep -q "up two" log'
  [ "$(cat log)" = 'up one
broken
up two' ]
}

@test "nginx: a reload when certificates change, and evwatch ends with nginx" {
  stand_in nginx '[ "$1" = -s ] || exec sleep 100'
  mkdir certs
  rules <<'E'
web:    run --restart no --last -- exec nginx -g 'daemon off;'
reload: file certs --match '*.pem' --debounce 50ms -- nginx -s reload
E
  start -f site.rules
  until_ok '[ -s nginx.log ]'
  cp /etc/hostname certs/new && mv certs/new certs/site.pem
  until_ok 'grep -q -- "-s reload" nginx.log'
  pkill -TERM -P "$(loop_pid)" -x sleep
  ended
  [ "$STATUS" = 143 ]
}

@test "wait for three ports and a health URL, then migrate" {
  cat >health <<'E'
echo >>asked
status='503 Not yet'
[ "$(wc -l <asked)" -lt 3 ] || status='200 OK'
printf 'HTTP/1.0 %s\r\nContent-Length: 0\r\n\r\n' "$status"
E
  cat >migrate <<'E'
set -e
evwatch probe "$@" --all --interval 50ms --once --within 60s -- true
evwatch probe "http://$HEALTH/health" --interval 50ms --once --within 60s -- true
echo migrated >>log
E
  start -e 'a: listen 0 -- cat' -e 'b: listen 0 -- cat' -e 'h: listen 0 -- sh health'
  local late
  late=$(free_port)
  evwatch() { "$EV" -q "$@"; }
  export -f evwatch
  export EV
  HEALTH=127.0.0.1:$(port h) timeout 100 bash migrate "127.0.0.1:$(port a)" "127.0.0.1:$(port b)" "127.0.0.1:$late" 3>&- &
  local script=$!
  sleep 0.3
  [ ! -e log ] && [ ! -e asked ]
  start -e "c: listen 127.0.0.1:$late -- cat"
  wait "$script"
  [ "$(cat log)" = migrated ]
  [ "$(lines_of asked)" = 3 ]
}

@test "wait for a service, at most so long" {
  run_ev probe "127.0.0.1:$(free_port)" --interval 50ms --once --within 300ms -- echo up
  [ "$status" = 124 ]
}

@test "ban an address after 5 failures in 10 minutes, and unban it later" {
  stand_in nft
  rules <<'E'
ban:   lines auth.log --follow --match 'Failed password .* from ([0-9.]+)' --times 5/10m --by 2 --unique 1h
           -- nft add element banned "$2"; (sleep 0.2; echo "$2" >>expired)
unban: lines expired --follow --from start -- nft delete element banned "$1"
E
  : >auth.log
  : >expired
  start -f site.rules
  for _ in 1 2 3 4 5 6 7; do echo 'sshd: Failed password for root from 203.0.113.9 port 22'; done >>auth.log
  echo 'sshd: Failed password for root from 198.51.100.1 port 22' >>auth.log
  until_ok 'grep -q delete nft.log'
  [ "$(cat nft.log)" = 'add element banned 203.0.113.9
delete element banned 203.0.113.9' ]
}

@test "an upload folder: one run for each finished file, none for one that is still written" {
  mkdir upload done
  rules <<'E'
take: file upload --each -j 2 --events close_write,move -- [ -e "$1" ] && mv "$1" done/
E
  start -f site.rules
  exec 8>upload/slow
  echo part >&8
  for i in 1 2 3 4; do echo $i >"upload/$i"; done
  cp /etc/hostname upload.tmp && mv upload.tmp upload/5
  until_ok '[ "$(ls done | wc -l)" = 5 ]'
  [ -e upload/slow ]
  echo end >&8
  exec 8>&-
  until_ok '[ "$(cat done/slow)" = "part
end" ]'
}

@test "deploy when the link current points elsewhere" {
  mkdir -p releases/1 releases/2
  ln -s releases/1 current
  rules <<'E'
deploy: file . --match current --no-recursive --debounce 50ms -- readlink current >>deployed
E
  start -f site.rules
  ln -s releases/2 new && mv -T new current
  until_ok '[ "$(tail -n 1 deployed)" = releases/2 ]'
}

@test "a socket is held over restarts under load: no connection of thousands is refused" {
  cat >server.py <<'E'
import socket
s = socket.socket(fileno=3)
for i in range(500):
    c, _ = s.accept()
    c.sendall(b"hello\n")
    c.close()
E
  rules <<'E'
web: run --restart always --backoff 10ms:10ms --socket 127.0.0.1:0 -- echo start >>starts; exec python3 server.py
E
  start -f site.rules
  timeout 90 python3 - "$(port web)" "${CONNECTIONS:-2000}" <<'E'
import socket, sys, threading
answers, n = [], int(sys.argv[2])
def client():
    for i in range(n // 4):
        with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s:
            answers.append(s.recv(100))
clients = [threading.Thread(target=client) for _ in range(4)]
for c in clients: c.start()
for c in clients: c.join()
assert answers == [b"hello\n"] * n, len(answers)
E
  [ "$(lines_of starts)" -ge 4 ]
}

@test "the journal to a webhook: it goes on where it was after kill -9 and while the webhook is down" {
  # journalctl: what stands after the cursor, and what is still to come.
  stand_in journalctl 'n=${1#--after-cursor=}
exec tail -n +$((${n:-0} + 1)) -f journal'
  # curl: the webhook takes nothing while `down` exists.
  stand_in curl '[ ! -e down ] && echo "$3" >>posted'
  rules <<'E'
hook: lines --of 'exec journalctl --after-cursor="$(cat cursor 2>/dev/null)" -f' --restart always
          --retry forever --backoff 20ms:50ms
          -- curl -fsS -d "$1" https://hooks.example/x && echo "${1%% *}" >cursor
E
  for i in $(seq 10); do echo "$i an entry"; done >journal
  start -q -f site.rules
  until_ok '[ "$(lines_of posted)" = 10 ]'
  : >down
  for i in $(seq 11 20); do echo "$i an entry"; done >>journal
  until_ok '[ "$(grep -c "11 an entry" curl.log)" -ge 3 ]'
  kill -9 "$P" "$(loop_pid)"
  echo "21 an entry" >>journal
  start -q -f site.rules
  rm down
  until_ok 'grep -q "^21 " posted'
  [ "$(cut -d " " -f 1 posted | uniq | tr "\n" " ")" = "$(seq 21 | tr "\n" " ")" ]
  [ "$(lines_of posted)" -le 22 ]
}

@test "a log writer that falls silent is noticed, once a silence" {
  rules <<'E'
silent: lines app.log --follow --quiet-for 300ms -- echo "$EVWATCH_EVENT" >>alerts
E
  : >app.log
  start -f site.rules
  until_ok '[ "$(lines_of alerts)" = 1 ]'
  sleep 0.5
  [ "$(lines_of alerts)" = 1 ]
  echo alive >>app.log
  until_ok '[ "$(lines_of alerts)" = 2 ]'
}

@test "a backup by calendar and by signal never runs twice at once" {
  rules <<'E'
nightly: calendar '*:*:*' --to backup
now:     signal USR1 --to backup
backup:  task -- mkdir lock || echo twice >>errors; echo "$EVWATCH_SOURCE" >>runs; sleep 0.3; rmdir lock
E
  start -q -f site.rules
  kill -USR1 "$P"
  until_ok 'grep -q calendar runs && grep -q signal runs'
  [ ! -e errors ]
}

@test "an entrypoint: the server gets TERM, and its status is the container's" {
  rules <<'E'
app:    run --restart no --last -- trap 'echo cleaned >>log; exit 7' TERM; echo up >>log; while :; do sleep 0.05; done
rotate: signal HUP -- echo rotated >>log
E
  start -f site.rules
  until_ok 'grep -q up log'
  kill -HUP "$P"
  until_ok 'grep -q rotated log'
  stop
  [ "$STATUS" = 143 ]
  [ "$(tail -n 1 log)" = cleaned ]
}

@test "a crashing server is restarted, and given up after 3 failures in a row, with mail" {
  stand_in mail
  rules <<'E'
web:  run --retry 3 --backoff 10ms --last -- exit 9
mail: ended web --failed -- mail -s "$1: $2" root
E
  run_ev -q -f site.rules
  [ "$status" = 9 ]
  grep -q -- '-s web: 9 root' mail.log
}

@test "a failed night job is tried again, and mailed only when it stays failed" {
  stand_in mail
  rules <<'E'
job:  after 10ms --retry 2 --backoff 10ms -- echo x >>tries; exit 1
mail: ended job --failed -- mail -s "$1 failed with $2"
E
  run_ev -q -f site.rules
  [ "$(lines_of tries)" = 3 ]
  [ "$(cat mail.log)" = '-s job failed with 1' ]
}

@test "tests run for what changed, and the newest change stops a run that is out of date" {
  mkdir src
  rules <<'E'
test: file src --on-busy restart -- echo "begin $(cat src/a)" >>log; sleep 0.$(cat src/a); echo "pass $(cat src/a)" >>log
E
  start -f site.rules
  echo 99999 >src/a
  until_ok 'grep -q begin log'
  echo 1 >src/a
  until_ok 'grep -q "pass 1" log'
  [ "$(grep -c pass log)" = 1 ]
}

@test "a queue folder is worked off at start, and as files come" {
  mkdir queue
  touch queue/{a,b}
  rules <<'E'
work: file queue --existing --each --events create,close_write,move -- [ ! -e "$1" ] || { basename "$1" >>worked; rm "$1"; }
E
  start -f site.rules
  until_ok '[ "$(sort -u worked | tr -d "\n")" = ab ]'
  touch queue/c
  until_ok '[ "$(sort -u worked | tr -d "\n")" = abc ]'
}

@test "a reload is checked before it is done" {
  stand_in nginx '[ "$1" != -t ] || ! grep -q bad conf/site.conf'
  mkdir conf
  rules <<'E'
test:   file conf --match '*.conf' --debounce 50ms -- nginx -t
reload: ended test --ok -- nginx -s reload
E
  start -q -f site.rules
  echo bad >conf/site.conf
  until_ok 'grep -q -- -t nginx.log'
  echo good >conf/site.conf
  until_ok 'grep -q -- "-s reload" nginx.log'
  [ "$(grep -c -- '-s reload' nginx.log)" = 1 ]
}

@test "errors of a log go to a webhook, no more than one a pace, each by itself" {
  stand_in curl
  rules <<'E'
hook: lines app.log --match 'ERROR (.*)' --throttle 50ms -- curl -d "$2" https://hooks.example/x
E
  printf '%s\n' 'ERROR one' 'fine' 'ERROR two' 'ERROR three' >app.log
  run_ev -f site.rules
  [ "$(cut -d ' ' -f 2 curl.log | tr '\n' ' ')" = 'one two three ' ]
}

@test "a supervisor of two services: one falls over, the other goes on" {
  rules <<'E'
set --tag
a: run --restart always --backoff 10ms -- echo up >>a.log; sleep 0.05
b: run --restart always --backoff 10ms -- echo up >>b.log; exec sleep 100
E
  start -f site.rules
  until_ok '[ "$(lines_of a.log)" -ge 3 ]'
  [ "$(lines_of b.log)" = 1 ]
}

@test "follow a process to its end, then clean up and stop" {
  sleep 100 3>&- &
  local victim=$!
  start exit $victim --last -- 'echo "gone $1" >>log'
  kill $victim
  ended
  [ "$STATUS" = 0 ]
  [ "$(cat log)" = "gone $victim" ]
}

@test "a pipeline: sort what was fetched, once fetch is done; a chain of three" {
  rules <<'E'
fetch: after 10ms -- printf 'c\na\nb\n' >data
sort:  ended fetch --ok -- sort data -o data
show:  ended sort --ok -- cat data
E
  run_ev -f site.rules
  [ "$output" = 'a
b
c' ]
}

@test "requests wake a service that is started on demand, and count against its bound" {
  rules <<'E'
echo: listen 127.0.0.1:0 --max-conns 2 -- cat
E
  start -f site.rules
  [ "$(echo hi | tcp "$(port echo)")" = hi ]
}

@test "a config map that is exchanged by its ..data link reloads the program once" {
  mkdir -p volume/v1 volume/v2
  echo one >volume/v1/app.conf
  echo two >volume/v2/app.conf
  ln -s v1 volume/..data
  ln -s ..data/app.conf volume/app.conf
  start file volume/app.conf --debounce 100ms -- 'cat volume/app.conf >>loaded'
  ln -s v2 volume/..tmp && mv -T volume/..tmp volume/..data
  until_ok 'grep -q two loaded'
  [ "$(lines_of loaded)" = 1 ]
}
