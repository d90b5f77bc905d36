#!/usr/bin/env bats
# Every system call fails once; `make inject` fails many of each, with every errno that it may have.
load helper

@test "whatever system call fails, the work is done or evwatch says why" {
  head -c 4 "$EV" | grep -q ELF || skip "evwatch runs inside another program here"
  "$ROOT/tests/inject" "$EV" --quick --backends "$EVWATCH_BACKEND" >tap 2>&1 || { grep -A5 '^not ok' tap || cat tap; return 1; }
}

@test "a backend that the kernel refuses is named, with the reason and those that work" {
  for error in EPERM ENOSYS; do
    run_ev_refused "$error" --backend io_uring after 1ms -- true
    [ "$status" = 2 ]
    grep -q "io_uring: $(python3 -c "import errno, os; print(os.strerror(errno.$error))")" <<<"$output"
    grep -q 'those that work here: epoll, poll, select, auto' <<<"$output"
  done
}

@test "where io_uring is refused, auto serves and backends says why" {
  run_ev_refused EPERM --backend auto -1 after 1ms -- true
  [ "$status" = 0 ]
  run_ev_refused EPERM backends
  [ "$status" = 0 ]
  grep -q '^io_uring *does not work here: io_uring: Operation not permitted$' <<<"$output"
  grep -q 'kernel.io_uring_disabled' <<<"$output"
  grep -q '^epoll *works here$' <<<"$output"
  run_ev_refused ENOSYS backends --json
  python3 -c 'import json,sys; d={x["name"]: x for x in map(json.loads, sys.argv[1].splitlines())}; u=d["io_uring"]; assert not u["available"] and "not implemented" in u["why"] and d["epoll"]["available"] and all(x["best_for"] and x["limits"] for x in d.values()), d' "$output"
}

@test "where epoll is refused, auto serves with the next backend" {
  run env -u EVWATCH_BACKEND ASAN_OPTIONS=detect_leaks=0 timeout 100 strace -f -qq -o trace -e trace=epoll_create1,poll,ppoll \
    -e inject=epoll_create1:error=EMFILE "$EV" -1 after 1ms -- true
  [ "$status" = 0 ]
  grep -q 'epoll_create1.*EMFILE' trace
  grep -q ' p*poll(\[{fd=' trace # io_uring waits in an epoll set, too
}

# run_ev_refused ERRNO ARGS...: evwatch where the kernel refuses io_uring.
run_ev_refused() {
  local error=$1
  shift
  run env ASAN_OPTIONS=detect_leaks=0 timeout 100 strace -f -qq -o /dev/null -e trace=io_uring_setup \
    -e inject=io_uring_setup:error="$error" "$EV" "$@"
}
