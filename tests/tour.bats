#!/usr/bin/env bats
# The seven servers of lib/reactor/tour: each is built against an installed copy of the library, solves the
# problem in its head, and has it with `problem`.
load helper

prepare() {
  [ "$EVWATCH_BACKEND" = epoll ] || skip "the tour has backends of its own"
  make -C "$ROOT" BUILD="$(dirname "$EV")" PREFIX="$PWD/installed" install-reactor >install.log 2>&1 || { cat install.log; return 1; }
  export PKG_CONFIG_PATH=$PWD/installed/lib/pkgconfig
}

# serve NAME [problem]: builds and runs it. Its pid is P, its port AT; it writes to out.
serve() {
  local sanitized=
  nm -u installed/lib/libreactor.a | grep -q __asan && sanitized=-fsanitize=address,undefined
  # shellcheck disable=SC2046,SC2086
  gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror $sanitized \
    "$ROOT/lib/reactor/tour/$1.c" $(pkg-config --cflags --libs reactor) -o "$1"
  [ "$(wc -l <"$ROOT/lib/reactor/tour/$1.c")" -le 150 ]
  AT=$(free_port)
  # stdbuf(1) is preloaded before a sanitizer's runtime.
  ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 stdbuf -oL "./$1" "$AT" ${2:+"$2"} >out 2>&1 3>&- &
  P=$!
  STARTED+=("$P")
  until_ok "grep -q 'listening on $AT' out"
}

# client N: connects on descriptor N.
client() {
  eval "exec $1<>/dev/tcp/127.0.0.1/$AT"
}

# answer N TEXT [SECONDS]: sends it on descriptor N and reads it back.
answer() {
  local line=
  echo "$2" >&"$1"
  read -r -t "${3:-60}" -u "$1" line
  [ "$line" = "$2" ]
}

@test "1: poll serves a client while another one says nothing" {
  serve 1_poll
  client 5
  client 6
  answer 6 hello
  answer 5 world
  serve 1_poll problem
  client 5
  answer 5 first
  client 6
  ! answer 6 second 0.3 || false
  exec 5>&-
  read -r -t 60 -u 6 line
  [ "$line" = second ]
}

@test "2: epoll serves, and is quicker than poll where few of many are ready" {
  serve 2_epoll problem
  client 5
  answer 5 hello
  read -r poll epoll < <(sed -n 's/.* poll \([0-9]*\) ms, epoll \([0-9]*\) ms/\1 \2/p' out)
  [ "$poll" -gt "$epoll" ]
}

@test "3: who says nothing is closed, who says something is not" {
  serve 3_timers
  client 5
  client 6
  for _ in 1 2 3 4 5 6; do
    answer 6 again
    read -r -t 0.3 -u 5 _ || true
  done
  ! read -r -t 60 -u 5 _ || false
  kill -0 "$P"
  serve 3_timers problem
  client 5
  read -r -t 1.5 -u 5 _ || [ $? -gt 128 ]
  answer 5 "still there"
}

@test "4: a signal that comes right before the wait ends it" {
  serve 4_signals
  client 5
  answer 5 hello
  kill -USR1 "$P"
  until_ok "grep -q 'signal 10 from process' out"
  kill -TERM "$P"
  wait "$P"
  grep -q '^over$' out
  serve 4_signals problem
  command sleep 0.2
  kill -0 "$P"
  ! grep -q over out || false
  client 5 # something else happens
  until_ok "grep -q over out"
}

@test "5: a question is answered before what came earlier" {
  local text=
  serve 5_priorities
  for n in 5 6 7 8 9; do client $n && answer $n hello; done
  kill -STOP "$P"
  until_ok "grep -q '^State:.T' /proc/$P/status"
  for n in 5 6 7 8 9; do echo work >&$n; done
  exec 4<>"/dev/tcp/127.0.0.1/$((AT + 1))"
  echo '?' >&4
  kill -CONT "$P"
  read -r -t 60 -u 4 text
  [ "${text% served}" -lt 10 ]
}

# kick_at_once: while the server stands still one client kicks, another one speaks, a third connects.
kick_at_once() {
  client 5
  client 6
  answer 5 hello
  answer 6 hello
  kill -STOP "$P"
  until_ok "grep -q '^State:.T' /proc/$P/status"
  echo kick >&5
  echo bytes >&6
  client 7
  kill -CONT "$P"
  read -r -t 60 -u 5 line
  [ "$line" = kick ]
}

@test "6: a stale event does not reach the new owner of its number" {
  serve 6_stale
  kick_at_once
  until_ok "grep -q 'dropped a stale event' out"
  answer 7 new
  ! grep -q 'nothing to say' out || false
  serve 6_stale problem
  kick_at_once
  until_ok "grep -q 'nothing to say' out"
}

@test "7: the reactor does all of it, on every backend" {
  for backend in epoll io_uring poll select; do
    BACKEND=$backend serve 7_reactor
    if grep -q 'forbids\|does not work' out; then continue; fi
    client 5
    client 6
    client 7
    answer 5 hello
    answer 6 hello
    read -r -t 60 text <"/dev/tcp/127.0.0.1/$((AT + 1))"
    [ "$text" = "2 served" ]
    echo kick >&6
    ! read -r -t 60 -u 5 _ || false
    read -r -t 60 -u 6 line
    [ "$line" = kick ]
    ! read -r -t 60 -u 6 _ || false # it was quiet for a second
    kill -TERM "$P"
    wait "$P"
    grep -q '^over, on' out
  done
}
