#!/usr/bin/env bats
# libreactor.a as others use it: header, archive, reactor.pc and reactor(3).
load helper

prepare() {
  once_for_all_backends
  BUILD=$(dirname "$EV")
}

# install_reactor: into the folder `installed`, as somebody's package does.
install_reactor() {
  make -C "$ROOT" BUILD="$BUILD" PREFIX="$PWD/installed" install-reactor >install.log 2>&1 || { cat install.log; return 1; }
  export PKG_CONFIG_PATH=$PWD/installed/lib/pkgconfig
}

# sanitized: the flags that the archive was built with, where that is not by default.
sanitized() {
  ! nm -u "$BUILD/libreactor.a" | grep -q __asan || echo "-fsanitize=address,undefined"
}

@test "libreactor.a exports what reactor.h declares, and nothing else" {
  install_reactor
  gcc -fpreprocessed -dD -E -P installed/include/reactor.h | grep -v '^typedef\|^#' |
    grep -o '\b[a-z_]\+(' | tr -d '(' | grep -v '^__attribute__$\|^aligned$' | sort -u >declared
  nm -g --defined-only installed/lib/libreactor.a | sed -n 's/.* [A-Z] //p' | sort -u >exported
  diff declared exported
  [ "$(lines_of exported)" -gt 30 ]
  ! grep '^evwatch_' exported || false
}

@test "reactor.h stands alone, in C11 and in C++" {
  echo '#include <reactor.h>' >one.c
  cp one.c one.cc
  gcc -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$ROOT/lib/reactor" -fsyntax-only one.c
  g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -I"$ROOT/lib/reactor" -fsyntax-only one.cc
}

@test "the echo server of reactor(3) builds against an installed copy, and echoes" {
  install_reactor
  sed -n '/^#include <netinet/,/^\.Ed/{/^\.Ed/!p}' installed/share/man/man3/reactor.3 | sed 's/\\e/\\/g' >echo.c
  # shellcheck disable=SC2046
  gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror $(sanitized) echo.c $(pkg-config --cflags --libs reactor) -o echo
  local at
  at=$(free_port)
  ./echo "$at" &
  STARTED+=("$!")
  until_ok "nc -z 127.0.0.1 $at"
  head -c 100000 /dev/urandom >sent
  tcp "$at" <sent >received
  cmp sent received
  kill -TERM "${STARTED[0]}"
  wait "${STARTED[0]}"
}

@test "the benchmark builds against an installed copy, and runs" {
  install_reactor
  local names=(bench cases timer_cases event_cases floor floor_heap evwatch)
  # shellcheck disable=SC2046
  gcc -std=c11 -D_GNU_SOURCE -O1 $(sanitized) $(printf "$ROOT/tests/bench/reactor/%s.c " "${names[@]}") \
    $(pkg-config --cflags --libs reactor) -o bench
  for row in ready-64 flips-1k timers-1k signals wake-ups; do
    ASAN_OPTIONS=detect_leaks=0 ./bench one $row epoll 1 /bin/true
  done
}
