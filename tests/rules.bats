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
  # The example of evwatch-rules(5).
  printf "#\n\ncss: file a --mach '*.scss' -- make css\n" >site.rules
  run_ev check -f site.rules
  sed -n '/^evwatch: site.rules/,/did you mean/p' "$ROOT/man/evwatch-rules.5" | diff - <(echo "$output")
}

@test "what has strayed into the text of rules is named, with where it goes" {
  local place what words
  while IFS='|' read -r place what words; do
    printf '%b' "$words" >site.rules
    run_ev check -f site.rules
    [ "$status" = 2 ]
    grep -qF "evwatch: site.rules:$place: $what" <<<"$output" || { echo "$words: $output"; return 1; }
  done <<'T'
1:10|--once is an option of the whole process, not of a rule|every 1s --once
1:5|--quiet is an option of the whole process, not of a rule|set --quiet
1:1|set takes options of rules, and no command|set --tag -- true\nevery 1s
1:1|"a/b:" is no name of a rule|a/b: every 1s
1:1|":" is no name of a rule|: every 1s
2:4|there is another rule called "a"|a: every 1s\na: every 2s
T
  grep -q 'names are unique: call it something else' <<<"$output"
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
