#!/usr/bin/env bats
# Rules as text: -e, -f, set, names, and what errors look like.
load helper

@test "-e and -f mix, and rules are named by kind and ordinal" {
  echo 'two: every 1h' >r
  run_ev -n -e 'every 1h' -f r -e 'every 2h'
  [ "$status" = 0 ]
  [[ ${lines[0]} == every1:* && ${lines[1]} == two:* && ${lines[2]} == every3:* ]]
}

@test "rules come from standard input with -f -" {
  run bash -c "echo 'after 1ms -- echo hi' | '$EV' -f -"
  [ "$output" = hi ]
}

@test "a command of several lines is one shell command" {
  printf 'a: after 1ms\n  -- for i in 1 2; do\n       echo "$i"\n     done\n' >r
  run_ev -f r
  [ "$output" = $'1\n2' ]
}

@test "every error of a file is told at once, with its place" {
  printf 'evrey 1s -- x\n\nb: every 1q\nc: file a --mach b\n' >site.rules
  run_ev check -f site.rules
  [ "$status" = 2 ]
  grep -q '^evwatch: site.rules:1:1: there is no kind "evrey"$' <<<"$output"
  grep -q '^evwatch: site.rules:3:11: ' <<<"$output"
  grep -q '^evwatch: site.rules:4:11: file has no option --mach$' <<<"$output"
}

@test "check says in words what each rule will do" {
  printf 'css: file assets --match "*.scss" -- make css\n' >r
  run_ev check -f r
  [ "$status" = 0 ]
  [ "$output" = 'css: on changes below assets that match *.scss, run make css' ]
}

@test "a file that is not there is told" {
  run_ev -f nonesuch
  [ "$status" = 2 ]
  grep -q 'cannot read nonesuch: No such file' <<<"$output"
}

@test "nothing is expanded in a rule, and a command is verbatim" {
  run_ev -e 'after 1ms -- echo "$EVWATCH_RULE"   "*"'
  [ "$output" = 'after1 *' ]
}

@test "an open quote and a missing command are told" {
  run_ev -e "file 'a"
  [ "$status" = 2 ]
  grep -q 'never closed' <<<"$output"
  run_ev -e 'every 1s --'
  [ "$status" = 2 ]
}
