# shellcheck shell=bash
# Loaded by the suites of file instead of helper.bash, which it stands on: evwatch watches real trees in $dir.

load helper

prepare() {
  dir=$PWD
  evwatch=$EV
  pids=()
}

teardown() {
  STARTED+=("${pids[@]}")
  end_started
  tell_more
  [ -z "${storm_dir:-}" ] || rm -rf "$storm_dir"
  [ -z "${limit_file:-}" ] || printf '%s\n' "${limit_was:-}" >"$limit_file"
}

# watch ARGS...: evwatch in the background, armed, with its output in $dir/out.
watch() {
  rm -f "$dir/ready"
  "$evwatch" --ready-file "$dir/ready" "$@" >"$dir/out" 2>"$dir/err" 3>&- &
  pids+=($!)
  until_ok '[ -e "$dir/ready" ]'
}

has_line() { grep -qxF -e "$1" "$dir/out"; }
lacks_line() { ! grep -qxF -e "$1" "$dir/out"; }
told() { grep -q -e "$1" "$dir/err"; }
lines_are() { [ "$(wc -l <"$dir/out")" -ge "$1" ]; }

# The paths that are there after all events of $dir/out (made by --format '%e %s %o').
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
       END { for (p in there) print p }' "$dir/out" | sort
}
state_is_told() { [ "$(replay)" = "$(find "$1" -mindepth 1 | sort)" ]; }

# missed SHELL-TEXT: is run while evwatch is stopped: it sees all of it at once.
missed() {
  kill -STOP "${pids[0]}"
  until_ok "grep -q '^State:.T' /proc/${pids[0]}/status"
  local status=0
  bash -c "$1" 3>&- || status=$?
  kill -CONT "${pids[0]}"
  return $status
}

exchange() {
  python3 -c 'import ctypes, sys
sys.exit(ctypes.CDLL(None).renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2) != 0)' "$1" "$2"
}
export -f exchange
