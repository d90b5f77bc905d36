# shellcheck shell=bash disable=SC2034,SC2154
# Loaded by every .bats file: a folder of its own for each test, evwatch in the background, and
# waiting for conditions instead of sleeping. EVWATCH_BACKEND comes from tests/run.

setup() {
  ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
  EV=${EVWATCH:-$ROOT/build/evwatch}
  export EVWATCH_BACKEND=${EVWATCH_BACKEND:-epoll}
  STARTED=()
  cd "$BATS_TEST_TMPDIR" || return 1
  dir=$PWD
  if declare -F prepare >/dev/null; then prepare; fi
  dir=$PWD
}

# Ends what the test started, by pid; the guardian ends the rest.
end_started() {
  local p
  for p in "${STARTED[@]:-}"; do
    [ -n "$p" ] || continue
    kill -TERM "$p" 2>/dev/null
    until_ok "! kill -0 $p 2>/dev/null" 2 >/dev/null || kill -9 "$p" 2>/dev/null
    wait "$p" 2>/dev/null
  done
  return 0
}

# tell_more: of a test that failed, what evwatch said last.
tell_more() {
  [ -z "${BATS_TEST_COMPLETED:-}" ] || return 0
  local f
  for f in "$dir/err" "$dir/out"; do
    [ ! -s "$f" ] || { echo "the end of ${f##*/}:"; tail -n 20 "$f" | LC_ALL=C tr -c '[:print:]\n' . | cut -c 1-300; }
  done
}

# unmount_all: what a test mounted in its folder, where a server that was ended leaves it behind.
unmount_all() {
  local point
  while read -r point; do umount -l "$point"; done < <(grep -o " $dir/[^ ]*" /proc/self/mountinfo)
}

teardown() {
  end_started
  tell_more
  unmount_all 2>/dev/null
  if declare -F clean_up >/dev/null; then clean_up; fi
}

# until_ok CONDITION [SECONDS]: waits until the shell text is true, a minute at most.
until_ok() {
  local end=$((SECONDS + ${2:-60}))
  while ! eval "$1"; do
    if [ $SECONDS -ge $end ]; then
      echo "still not true: $1"
      return 1
    fi
    command sleep 0.01
  done
}

# start ARGS...: evwatch in the background, armed. Its pid is P; it writes to out and err in $dir, the folder
# of the test.
start() {
  rm -f "$dir/ready"
  env --default-signal=INT,QUIT,HUP "$EV" --ready-file "$dir/ready" "$@" >"$dir/out" 2>"$dir/err" 3>&- </dev/null &
  P=$!
  STARTED+=("$P")
  until_ok '[ -e "$dir/ready" ] || ! kill -0 $P 2>/dev/null'
  [ -e "$dir/ready" ] || { cat "$dir/err"; return 1; }
}

# What it wrote: whole lines; a pattern of its messages; so many lines.
has_line() { grep -qxF -e "$1" "$dir/out"; }
lacks_line() { ! has_line "$1"; }
logged() { grep -q -e "$1" "$dir/err"; }
lines_are() { [ "$(lines_of "$dir/out")" -ge "$1" ]; }

# The paths that are there after all events of $dir/out, or another file there (made by --format '%e %s %o').
# shellcheck disable=SC2120
replay() {
  awk 'function forget(path, p) {
               delete there[path]
               if (path in parents)
                       for (p in there)
                               if (index(p, path "/") == 1) delete there[p]
       }
       function put(path) {
               there[path] = 1
               while (sub("/[^/]*$", "", path)) parents[path] = 1
       }
       $1 == "create" || $1 == "modify" || $1 == "close_write" { put($2) }
       $1 == "move" {
               n = 0
               if ($3 in parents)
                       for (p in there)
                               if (index(p, $3 "/") == 1) moved[n++] = $2 substr(p, length($3) + 1)
               forget($3)
               forget($2)
               put($2)
               while (n > 0) put(moved[--n])
       }
       $1 == "delete" { forget($2) }
       END { for (p in there) print p }' "$dir/${1:-out}" | sort
}
state_is_right() { [ "$(replay)" = "$(find "$1" -mindepth 1 | sort)" ]; }

exchange() {
  python3 -c 'import ctypes, sys
sys.exit(ctypes.CDLL(None).renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2) != 0)' "$1" "$2"
}

# loop_pid: the process that watches and carries, of the last one that was started: P is the
# guardian above it. With --no-guard it is P, whose own children may have its name until their exec.
loop_pid() {
  if grep -qzx -e --no-guard "/proc/$P/cmdline"; then
    echo "$P"
  else
    pgrep -o -P "$P" -x "$(cat "/proc/$P/comm")" || echo "$P"
  fi
}

# missed SHELL-TEXT: is done while the loop of the last one that was started is stopped: it finds all of
# it at once, however slow this machine is.
missed() {
  local loop
  loop=$(loop_pid)
  kill -STOP "$loop"
  until_ok "grep -q '^State:.T' /proc/$loop/status"
  eval "$1"
  kill -CONT "$loop"
}

# run_ev ARGS...: evwatch in the foreground, 100 s at most; sets $status and $output (bats' run).
run_ev() {
  run timeout 100 "$EV" "$@"
}

# refused WHAT ARGS...: evwatch refuses these rules with status 2, and says WHAT.
refused() {
  local what=$1
  shift
  run_ev -n "$@"
  [ "$status" = 2 ] && grep -qF -- "$what" <<<"$output" && return
  echo "$output"
  return 1
}

# stop [SIGNAL]: ends the last one that was started; its status is STATUS.
stop() {
  kill "-${1:-TERM}" "$P"
  ended
}

# ended: waits for the last one that was started to end; its status is STATUS.
ended() {
  STATUS=0
  wait "$P" || STATUS=$?
}

# port [RULE]: the port that the rule is bound to on 127.0.0.1.
port() {
  sed -n "s/^${1:-.*} .*127\.0\.0\.1:\([0-9]*\)$/\1/p" ready | head -1
}

# tcp PORT: sends standard input, half-closes, prints what comes back.
tcp() {
  timeout 100 nc -N 127.0.0.1 "$1"
}

# lines_of FILE: how many lines it has; 0 when it is not there.
lines_of() {
  if [ -e "$1" ]; then wc -l <"$1"; else echo 0; fi
}

# count_processes PATTERN: processes whose command line matches.
count_processes() {
  pgrep -fc -- "$1" || true
}

# free_port: one that nobody listens on, for what cannot be told to take any, or for a target that is not
# there yet or goes. The kernel gives none of these away (ip_local_port_range), and no two tests of those that
# run beside each other get the same one: they are handed out in turn, from a count in a file.
free_port() {
  python3 -c '
import fcntl, os, socket, sys
turn = open(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600), "r+")
fcntl.flock(turn, fcntl.LOCK_EX)
n = int(turn.read() or 0)
while True:
    n += 1
    try:
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM: socket.socket(type=kind).bind(("127.0.0.1", 10000 + n % 10000))
    except OSError: continue
    break
turn.seek(0)
turn.write(str(n))
print(10000 + n % 10000)' "${TMPDIR:-/tmp}/evwatch-ports-$UID"
}

# A number that no other test uses, for command lines to look for.
unique() {
  echo "$((BASHPID % 30000 + 1))$((RANDOM + 10000))"
}

# For what is slow and has nothing of the backend in it.
once_for_all_backends() {
  [ "$EVWATCH_BACKEND" = epoll ] || skip "the same for each backend"
}
