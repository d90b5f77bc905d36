#!/usr/bin/env bats
# lines --of: the lines that a command prints.
load helper

@test "--of reads a command's lines in order, a last one without its end too, and ends with it" {
  run_ev lines --of 'seq 3; printf "a b"' --match '[^2]$' -- 'echo "<$1>"'
  [ "$status" = 0 ]
  [ "$output" = $'<1>\n<3>\n<a b>' ]
  run_ev lines --of 'seq 100000' --format %s
  [ "$output" = "$(seq 100000)" ]
}

@test "--of: what the command left behind is read to its end, as in a pipeline" {
  run_ev lines --of '(until [ -e on ]; do sleep .01; done; echo late) & echo early; : >on'
  [ "$output" = $'line early\nline late' ]
}

@test "--of: a command that is not read waits at a full pipe, and no line is lost" {
  local last=$((200000 + RANDOM))
  start lines --of "seq $last; : >all" --match "^(1|$last)\$" -- 'until [ -e go ]; do sleep .01; done; echo "$1"'
  until_ok "[[ \$(ps -o stat= -p \$(pgrep -xf 'seq $last')) = S* ]]"
  [ ! -e all ]
  : >go
  ended
  [ "$(cat out)" = "1"$'\n'"$last" ]
  [ -e all ]
}

@test "--of --restart starts the command again after a failure, or always, and says the failure" {
  start lines --of 'echo $$; exit 3' --restart failure
  until_ok '[ "$(sort -u out | wc -l)" = 2 ]'
  grep -q "lines1: the command of --of failed with status 3: echo" err
  stop
  start lines --of 'echo $$' --restart always
  until_ok '[ "$(sort -u out | wc -l)" = 2 ]'
  stop
  [ ! -s err ]
  run_ev lines --of 'echo once' --restart failure
  [ "$output" = "line once" ]
}

@test "--of: a command that fails is said, and ends the rule" {
  run_ev lines --of 'echo a; kill -9 $$'
  [ "$status" = 0 ]
  grep -qx 'line a' <<<"$output"
  grep -q 'the command of --of was killed by SIGKILL' <<<"$output"
  run_ev lines --of nonesuch-command
  [ "$status" = 1 ]
  grep -q 'the command of --of cannot be started: nonesuch-command: No such file' <<<"$output"
}

@test "--of: the command ends with evwatch, TERM first, and with its rule at a reload" {
  start lines --of 'trap "echo x >termed; exit" TERM; echo up; while :; do sleep .05; done'
  until_ok 'grep -q up out'
  stop
  [ -s termed ]
  local n
  n=$(unique)
  echo "a: lines --of 'echo up; exec sleep $n'" >site.rules
  start -f site.rules -e 'every 1d -- true'
  until_ok 'grep -q up out'
  : >site.rules
  kill -HUP "$P"
  until_ok "[ \$(count_processes 'sleep $n') = 0 ]"
  kill -0 "$P"
}

@test "--of: at a reload the command has --stop-timeout to end, and the next one starts after it" {
  cat >reader <<'E'
trap 'until [ -e go ]; do sleep .01; done; echo "end $1" >>log; exit' TERM
echo "begin $1" >>log
while :; do sleep .02; done
E
  rule() {
    echo "a: lines --of 'sh reader $1' --stop-timeout $2 -- true" >site.rules
    [ "$1" = 1 ] || kill -HUP "$P"
  }
  rule 1 1m
  start -f site.rules
  until_ok 'grep -q "begin 1" log'
  rule 2 1m
  until_ok '[ "$(grep -c "rules read again" err)" = 1 ]'
  rule 3 100ms
  until_ok '[ "$(grep -c "rules read again" err)" = 2 ]'
  [ "$(cat log)" = 'begin 1' ]
  : >go
  until_ok 'grep -q "begin 3" log'
  rm go
  rule 4 1m # the third one does not end by itself
  until_ok 'grep -q "begin 4" log'
  [ "$(tr '\n' ' ' <log)" = 'begin 1 end 1 begin 3 begin 4 ' ]
  : >go
  stop
  [ "$(tail -n 1 log)" = 'end 4' ]
}

@test "--of: the command goes on undisturbed when a reload does not change its rule" {
  echo "a: lines --of 'echo \$\$; exec sleep 1000'" >site.rules
  start -v -f site.rules
  until_ok '[ -s out ]'
  echo "b: every 1d -- true" >>site.rules
  kill -HUP "$P"
  until_ok 'grep -q "rules.*read again\|reload" err'
  [ "$(wc -l <out)" = 1 ]
  kill -0 "$(cut -d' ' -f2 out)"
}

@test "--of: what means nothing with it is refused, check says the rest in words" {
  refused '--of COMMAND is read instead of a PATH' lines log --of 'cat'
  refused '--follow has no effect with --of' lines --of cat --follow
  refused '--restart has no effect without --of' lines log --restart always
  refused '--of: an empty command' lines --of ' '
  refused '--catch-up has no effect' lines --of cat --catch-up d
  refused '--of: ./nonesuch: command not found' lines --of ./nonesuch -- true
  refused '--of: nonesuch: command not found' probe --of nonesuch -- true
  refused '--of: the shell rejects the command' lines --of 'echo (' -- true
  run_ev check -e 'a: lines --of "journalctl -f" --restart always -- true'
  [[ $output == *'each line of `journalctl -f`, and again after each end'* ]] || { echo "$output"; false; }
  run_ev lines --help
  grep -q -- '--of COMMAND' <<<"$output"
}
