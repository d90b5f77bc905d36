#!/usr/bin/env bats
# lines: every line, in order, across rotation and truncation.
load helper

@test "--match gives its groups, --invert the other lines" {
  printf 'one\ntwo x\nthree\n' >f
  run_ev lines f --match 't(w|h)(.)' -- 'echo "$1:$2:$3"'
  [ "$output" = $'two x:w:o\nthree:h:r' ]
  run_ev lines f --match 't' --invert
  [ "$output" = 'line one' ]
}

@test "--ignore-case takes capitals and small letters for the same" {
  printf 'An ERROR\nno\nerror too\n' >f
  run_ev lines f --match 'e(rr)or' --ignore-case -- 'echo "$2"'
  [ "$output" = $'RR\nrr' ]
  run_ev lines f --ignore-case
  [ "$status" = 2 ]
  grep -q -- '--ignore-case needs --match' <<<"$output"
}

@test "a last line without its end counts" {
  run bash -c "printf 'a\nb' | '$EV' lines -"
  [ "$output" = $'line a\nline b' ]
}

@test "lines may end with NUL" {
  run bash -c "printf 'a\nb\0c\0' | '$EV' lines - -0 --format '%s' | tr '\0' '|'"
  [ "$output" = $'a\nb|c|' ]
}

@test "--follow reads on across rotation and truncation" {
  echo old >log
  start lines log --follow
  echo a >>log
  until_ok 'grep -q "^line a$" out'
  mv log log.1
  echo b >>log.1
  echo ccc >log
  until_ok 'grep -q "^line ccc$" out'
  : >log
  echo d >>log
  until_ok 'grep -q "^line d$" out'
  [ "$(cat out)" = $'line a\nline b\nline ccc\nline d' ]
}

@test "a last line without its end is not joined with what comes after a rotation" {
  start lines log --follow --from start --max-line 10
  printf 'one\ntw' >log
  until_ok 'grep -q "^line one$" out'
  mv log log.1
  echo three >log
  until_ok 'grep -q "^line three$" out'
  printf 'a-line-that-is-long' >>log
  until_ok 'grep -q "^line a-line-tha$" out'
  : >log
  echo four >>log
  until_ok 'grep -q "^line four$" out'
  [ "$(cat out)" = $'line one\nline tw\nline three\nline a-line-tha\nline four' ]
}

@test "--follow waits for a file that is not there yet; --from start" {
  start lines log --follow
  [ "$(<err)" = 'evwatch: lines1: log does not exist: waiting for it' ]
  echo first >log
  until_ok 'grep -q "^line first$" out'
  run_ev -1 lines log --follow --from start
  [ "$output" = 'line first' ]
}

@test "a FIFO goes on after its last writer" {
  mkfifo f
  start lines f
  echo one >f
  until_ok 'grep -q "^line one$" out'
  printf 'two\nthr' >f
  until_ok 'grep -q "^line thr$" out'
  echo three >f
  until_ok 'grep -q "^line three$" out'
}

@test "a slow command makes the reading wait, and loses nothing" {
  seq 2000 >n
  run_ev lines n -j 3 -- true
  [ "$status" = 0 ]
  run bash -c "seq 300 | '$EV' lines - -- 'echo \"\$1\"'"
  [ "$output" = "$(seq 300)" ]
}

@test "a longer line than --max-line is cut, and that is told" {
  printf '%s\nshort\n' "$(printf 'x%.0s' $(seq 100))" >f
  run_ev lines f --max-line 10
  [ "$(grep '^line' <<<"$output")" = $'line xxxxxxxxxx\nline short' ]
  grep -q 'longer than --max-line' <<<"$output"
}

@test "a missing file, a directory and a bad expression are told" {
  run_ev lines nonesuch
  [ "$status" = 1 ]
  grep -q 'lines1: cannot read nonesuch: No such file' <<<"$output"
  run_ev lines .
  [ "$status" = 1 ]
  run "$EV" lines - <.
  [ "$status" = 1 ]
  grep -q 'cannot read -: it is a directory' <<<"$output"
  run_ev lines - --match '('
  [ "$status" = 2 ]
}

@test "a file that cannot be read is said, and the status is 1 when all rules have ended" {
  run_ev -e 'a: lines /proc/self/mem' -e 'b: after 10ms'
  [ "$status" = 1 ]
  grep -q 'a: cannot read /proc/self/mem: Input/output error' <<<"$output"
  grep -q tick <<<"$output"
}

@test "100,000 lines are printed whole" {
  seq 100000 >n
  "$EV" lines n >o
  cmp <(sed 's/^/line /' n) o
}

@test "a line that no argument can hold is cut there, and that is said once; --stdin paths has all of it" {
  local jobs
  { head -c 200000 /dev/zero | tr '\0' x; echo; head -c 300000 /dev/zero | tr '\0' y; echo; echo last; } >f
  for jobs in 1 3; do
    "$EV" lines f -j $jobs --stdin paths -- 'echo "${#1} $(wc -c)"' >out 2>err
    [ "$(sort out | tr '\n' ' ')" = '131071 200001 131071 300001 4 5 ' ]
    [ "$(wc -l <err)" = 1 ]
    grep -q 'lines1: an argument is longer than 131071 bytes.*--stdin paths has all of it' err
  done
  [ "$("$EV" lines f -1 -q -- printf '%.3s' '{}')" = xxx ]
}
