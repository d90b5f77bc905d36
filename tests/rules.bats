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
  grep -q 'give one of them another name' <<<"$output"
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

@test "quoting does not decide whether a word is an option" {
  run_ev check -e "file . '--match=*.c' \"--env=A=b c\" -- make"
  [ "$status" = 0 ]
  grep -q 'make' <<<"$output"
  run_ev check -e "every 1s '--nope' -- true"
  [ "$status" = 2 ]
  grep -q 'has no option --nope' <<<"$output"
}

@test "indentation that all lines share is removed; comments and line ends with a backslash are dropped" {
  cat >rules <<'R'
    # pasted from a manual
    tick: every 1s \
        --priority 2 \
    --count-not-an-option-of-rules
R
  run_ev check -f rules
  [ "$status" = 2 ]
  grep -q '^evwatch: rules:4:5: ' <<<"$output"
  cat >rules <<'R'
    # pasted from a manual
    tick: after 0 \
    --priority 2
        # isn't a command
        --env A=b
      -- if true; then
           # of the shell
           echo "$A"
         fi

      # nothing's here

    tock: after 0 -- printf '%s\n' \
    x
R
  run_ev -f rules
  [ "$status" = 0 ]
  [ "$(sort <<<"$output")" = $'b\nx' ]
}

@test "a byte order mark and CR LF are skipped, in commands too" {
  printf '\xef\xbb\xbfafter 0\r\n  --priority 2 \\\r\n  -- echo a\r\n     echo b\r\n' >rules
  run_ev -f rules
  [ "$output" = $'a\nb' ]
}

@test "characters that look like others are named, with their cure, outside quotes and commands" {
  local where what text
  while IFS='|' read -r where what text; do
    run_ev check -e "$text"
    [ "$status" = 2 ]
    grep -qF -- "evwatch: -e:1:$where: $what" <<<"$output" || { echo "$text: $output"; false; }
    grep -qF 'only in quotes it stands for itself' <<<"$output"
  done <<T
6|a no-break space|every$(printf '\xc2\xa0')1s
14|a curly quote|file --match $(printf '\xe2\x80\x98')*.c$(printf '\xe2\x80\x99') .
10|an en dash|every 1s $(printf '\xe2\x80\x93') true
T
  run_ev check -e "$(printf 'file "caf\xc3\xa9 \xe2\x80\x93" -- echo \xe2\x80\x9cx\xe2\x80\x9d')"
  [ "$status" = 0 ]
}

@test "durations may be written in words" {
  run_ev check -e 'every 2hours' -e 'after 5min' -e 'every 1week2days' -e 'after 3secs'
  [ "$status" = 0 ]
  grep -q 'every 2h' <<<"$output"
  run_ev check -e 'every 5minute'
  [ "$status" = 2 ]
}
