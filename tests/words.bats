#!/usr/bin/env bats
# What people read: messages that say what is wrong and what to write instead.
load helper

# says WORDS HINT: a wrong command line, and what its message must hold.
says() {
  eval "run_ev $1"
  [ "$status" = 2 ] || { echo "$1: status $status"; return 1; }
  grep -qF -- "$2" <<<"$output" || { echo "$1: $output"; return 1; }
}

@test "who types the option of another tool is told what it is called here" {
  says "file src --restart -- make" '--on-busy restart stops the command on a new event'
  says "file src -r -- make" 'sub-directories are always watched'
  says "file src --filter '*.c' -- make" "it is called --match here: --match '*.c'"
  says "file src --ext c,h -- make" "--match '*.c' --match '*.h'"
  says "file src --exclude x -- make" '--ignore x'
  says "file src --include x -- make" "it is called --match here: --match x"
  says "file src --recursive -- make" 'see --no-recursive'
  says "lines log -f" '--follow follows this one'
  says "lines log --grep x" "it is called --match here"
  says "listen 7000 --fork -- cat" '--jobs says how many at once'
  says "every 5s --workdir / -- date" 'it is called --cwd here: --cwd /'
}

@test "who writes what is no kind is told which kind does it" {
  says "watch src" 'file watches files; every runs a command again and again'
  says "tail log" 'lines PATH --follow follows a file'
  says "status2 x" 'did you mean status?'
  says "wait-for db:5432" 'probe waits for a service'
}

@test "a pasted line of a crontab is answered with the rule that does the same" {
  says "-e '15 3 * * * /usr/bin/backup -q'" "cron '15 3 * * *' -- /usr/bin/backup -q"
  says "-e '@daily /usr/bin/backup'" "cron '@daily' -- /usr/bin/backup"
  printf '*/5 * * * mon-fri check\n' >site.rules
  says "-f site.rules" "cron '*/5 * * * mon-fri' -- check"
  says "cron 15 3 '*' '*' '*' -- backup" 'quote the expression'
}

@test "a value that is out of range is named with its range" {
  says 'every 5 minutes -- date' 'a duration is one word: 5min'
  says 'relay 8098 8098' 'connect to itself'
  says "cron '15 25 * * *' -- x" 'hour 25 is out of range 0 to 23'
  says "calendar 2026-13-01" 'month 13 is out of range 1 to 12'
  says '-w 0 every 1s' '--within must be greater than 0'
  says "calendar 'every day' -- x" "for example daily, 'Mon..Fri 09:00'"
}

@test "a value in the words of another tool, or in two words, is answered with ours" {
  says "file src --debounce 500 ms -- make" 'a duration is one word: --debounce 500ms'
  says "file src --on-busy wait -- make" 'did you mean queue?'
  says "lines log -n 10" '-n takes no number: it is --dry-run'
  says "lines log --match '(a)' --unique 1h --by 3" 'events of this rule have 2 subjects'
  says "every -1s -- date" '"-1s" is not a positive duration'
  says "probe localhost 5432" 'host and port are one word: localhost:5432'
  says "relay 8000 db:99999" 'a port is a number from 1 to 65535'
  mkdir src
  says "-w src file ." '-w is --within DUR; a path needs no option: evwatch file src'
  mkdir ms
  run_ev -n file src --debounce 500 ms
  [ "$status" = 0 ]
}

@test "the place of a rule that names another one which does not exist is that name" {
  run_ev file src --to nosuch
  [[ ${lines[2]} == '                ^ write both as rules: evwatch -e '*"'nosuch: task -- ./deploy' -e 'file ...'" ]]
  run_ev -e 'file src --to nosuch'
  [ "${lines[2]}" = "                ^ a rule's name stands before its kind: nosuch: task -- ./deploy" ]
  printf 'Deploy: task -- date\nall: ended Deploy deploy -- date\n' >site.rules
  run_ev -f site.rules
  [ "${lines[0]}" = 'evwatch: site.rules:2:19: ended deploy: there is no rule of this name' ]
  [ "${lines[2]}" = '                    ^ did you mean Deploy?' ]
}

@test "check warns of a path, a subject and a debounce that were hardly meant" {
  run_ev check -e 'file date' -e 'lines log --match (a) -- echo "$3"' -e 'file . --debounce 500 -- date'
  [ "$status" = 0 ]
  grep -q 'warning: date does not exist' <<<"$output"
  grep -q 'warning: "$3" is empty: these events have 2 subjects' <<<"$output"
  grep -q 'milliseconds are written 500ms' <<<"$output"
}

@test "next and check without rules say what to give them" {
  says next "for example: evwatch next cron '15 3 * * *'"
  says check 'for example: evwatch check -f site.rules'
}

# waits_for WORDS HINT: evwatch waits for a path that does not exist, and says what may be wrong.
waits_for() {
  eval "run_ev -w 50ms $1"
  [ "$status" = 0 ]
  grep -q "does not exist: waiting for it.*$2" <<<"$output" || { echo "$1: $output"; return 1; }
}

@test "a path that does not exist is waited for, and what it may have been meant to be is said" {
  mkdir src
  waits_for 'file src make' 'if it is the command, write -- before it'
  waits_for "-e 'file \$HOME/src -- make'" 'only a shell expands'
  waits_for "-e 'x: lines \$LOG --follow'" 'only a shell expands'
  waits_for "file 'src/*.c' -- make" "give the directory, and --match 'PATTERN'"
  mkdir gone
  (cd gone && rmdir ../gone && "$EV" -w 50ms file .) >out 2>&1
  grep -q 'does not exist: waiting for it$' out
  run_ev -w 50ms file src make -- make
  ! grep -q 'if it is the command' <<<"$output"
}

# plain PAGE: the text of a page without formatting, on one line.
plain() {
  case $1 in
  README) cat "$ROOT/README.md" ;;
  *) mandoc -T utf8 -O width=200 "$ROOT/man/${1%(*}.${1//[^0-9]/}" | sed 's/.\x08//g' ;;
  esac | tr -s ' \n' ' '
}

@test "each question that users of other tools ask is answered where questions.md says" {
  command -v mandoc >/dev/null || skip "no mandoc"
  local line page words missing=0
  while read -r line; do
    page=$(sed 's/.* — \([^ ]*\) ".*/\1/' <<<"$line")
    words=$(sed 's/.* — [^ ]* "\(.*\)"$/\1/' <<<"$line")
    [ -e "$page" ] || plain "$page" >"$page"
    grep -qF -- "$words" "$page" || { echo "$line"; missing=$((missing + 1)); }
  done < <(grep '^[0-9]*\. ' "$ROOT/tests/questions.md")
  [ "$(grep -c '^[0-9]*\. ' "$ROOT/tests/questions.md")" -ge 60 ]
  [ "$missing" = 0 ]
}

# runs_dry LINE: a line of an example that begins with evwatch is understood, whatever stands around it.
runs_dry() {
  local line words
  line=$(sed 's/  *# .*//; s/ *&* *$//' <<<"$1")
  case $line in *'evwatch help'* | *'evwatch check'* | *'evwatch next'*) words=${line#*evwatch } ;;
  *) words="-n $(sed 's/^.*| evwatch //; s/^[ $]*evwatch //; s/ && .*//' <<<"$line")" ;;
  esac
  eval "run_ev $words"
  [ "$status" = 0 ] || { echo "$line: $output"; return 1; }
}

# joined: a line that ends with \ or | goes on in the next one.
joined() { sed -e ':a' -e '/ [\\|]$/{N; s/\\\n *//; s/|\n */| /; ba' -e '}'; }

# programs: what the examples run is there, and does nothing.
programs() {
  local p
  mkdir -p bin src upload photos assets
  for p in bin/{make,node,go,nginx,mail,ban,unban,notify,cat,date} \
    ./{server,serve,import,sync,backup,next,migrate,report,healthy,thumbnails,notify,rotate-logs,convert,deploy}; do
    printf '#!/bin/sh\n' >"$p"
    chmod +x "$p"
  done
  PATH=$PWD/bin:$PATH
}

# site_rules: the file of rules of the README, with its indentation.
site_rules() {
  awk '/# site.rules/ { on = 1 } on && !/^    / { exit } on' "$ROOT/README.md" >site.rules
  [ "$(grep -c : site.rules)" -ge 6 ]
}

@test "each example of the README, the recipes and the tutorial is understood" {
  command -v mandoc >/dev/null || skip "no mandoc"
  programs
  echo path >names
  git init -q . && git add names
  site_rules
  while IFS= read -r line; do runs_dry "$line"; done < <(grep -E '^    (\$ )?evwatch ' "$ROOT/README.md" | grep -v -e --exclude)
  while IFS= read -r line; do runs_dry "$line"; done < <("$EV" help recipes | joined | grep '^    evwatch ')
  while IFS= read -r line; do runs_dry "$line"; done < <(sed 's/\\e/\\/g' "$ROOT/man/evwatch-tutorial.7" | joined | grep -E '^(git ls-files \| )?evwatch ')
  while IFS= read -r line; do runs_dry "$line"; done < <(sed -n 's/^\.Dl //p' "$ROOT/man/evwatch-tutorial.7")
}

@test "the error that the README shows is what evwatch prints" {
  local line
  mkdir src
  line=$(sed -n 's/^    \$ evwatch \(.*--exclude.*\)/\1/p' "$ROOT/README.md")
  eval "run_ev $line"
  [ "$status" = 2 ]
  [ "$output" = "$(grep -A3 -- '\$ evwatch .*--exclude' "$ROOT/README.md" | sed '1d; s/^    //')" ]
}

# blocks: the literal blocks of evwatch(1), each ended by an empty line; the recipes come last.
blocks() {
  sed -n '/^\.Sh RECIPES/q; /^\.Bd -literal/,/^\.Ed/p' "$ROOT/man/evwatch.1" |
    sed "/^\.Bd/d; s/^\.Ed//; s/\\\\(aq/'/g; s/\\\\e/\\\\/g" | joined
}

@test "each example of evwatch(1) is understood" {
  programs
  site_rules
  blocks >examples
  [ "$(grep -c . examples)" -ge 50 ]
  while IFS= read -r line; do runs_dry "${line% | head*}"; done < <(grep -E '^(make .*\| )?evwatch ' examples | grep -v '^evwatch trigger')
  # Rules are the blocks whose first line begins with a name.
  awk -v RS= -v ORS='\n\n' '/^[a-z]*: /' examples >rules
  [ "$(grep -c '^[a-z]*: ' rules)" -ge 10 ]
  local n=0
  while IFS= read -r line; do
    [ -n "$line" ] && echo "$line" >>part && continue
    run_ev check -f part
    [ "$status" = 0 ] || { cat part; echo "$output"; return 1; }
    n=$((n + 1))
    rm part
  done <rules
  [ "$n" -ge 5 ]
}

@test "each option that says when a command runs, and which events count, has an example in evwatch(1)" {
  local o missing=
  sed -n '/^\.Bd -literal/,/^\.Ed/p' "$ROOT/man/evwatch.1" >examples # the recipes are run above
  for o in all backoff by catch-up debounce each expect failed first ignore-case invert last late max-wait missed of ok \
    on-busy quiet-for restart retry runs signal socket spool stdin-quit stop-signal stop-timeout throttle timeout times to unique; do
    grep -q -- "--$o\b" examples || missing+=" $o"
  done
  [ -z "$missing" ] || { echo "without an example:$missing"; return 1; }
}

# table_options: every long option that the help of evwatch, of its kinds and of its tools lists.
table_options() {
  local of
  {
    "$EV" --help
    for of in $("$EV" --help | sed -n '/^Kinds/,/^$/s/^  \([a-z]*\) .*/\1/p; /^Tools/,/^$/s/^Tools:\|^      //p'); do
      "$EV" help "$of" all
    done
  } | grep -oE -- '--[a-z][a-z-]+' | sort -u
}

# manual_options PATTERN FILE...: every long option on the lines of pages that match.
manual_options() {
  grep -hE -- "$@" | grep -oE -- '(Fl|,) -[a-z][a-z-]+' | sed 's/.* -/--/' | sort -u
}

@test "every option has its entry in evwatch(1), and the manuals have no other options" {
  table_options >tables
  [ "$(wc -l <tables)" -ge 100 ]
  manual_options '^\.It ' "$ROOT/man/evwatch.1" >entries
  diff tables entries
  manual_options . "$ROOT"/man/evwatch* >named
  [ -z "$(comm -13 tables named)" ] || { comm -13 tables named; return 1; }
}

# phrases_in NAME FILE...: says which phrases that are not plain occur in them, and fails.
phrases_in() {
  local name=$1 phrase found=0
  shift
  while IFS= read -r phrase; do
    grep -hiE -- "$phrase" "$@" >lines || continue
    echo "$name: $phrase: $(head -1 lines)"
    found=1
  done <<'END'
\b(is|are|was|were|be|been|being) told\b
\btells? (errors|all|of)\b
what becomes of
\bwhom\b
makes the reading wait
a look that
such a one
(is|are) there by now
(is|are) not there any ?more
takes? (the )?place of
gives? way
in doubt
of the past
goes behind
behind .?--
END
  return "$found"
}

@test "manuals and README are written in plain words" {
  command -v mandoc >/dev/null || skip "no mandoc"
  local page bad=0
  for page in README 'evwatch(1)' 'evwatch-rules(5)' 'evwatch-tutorial(7)' 'reactor(3)'; do
    plain "$page" >page
    [ "$(wc -c <page)" -ge 2000 ]
    phrases_in "$page" page || bad=1
  done
  [ "$bad" = 0 ]
}

@test "comments, names and messages are written in plain words" {
  once_for_all_backends
  find "$ROOT/lib" "$ROOT/cmd" -name '*.[chm]*' -type f >files
  [ "$(wc -l <files)" -ge 200 ]
  mapfile -t files <files
  phrases_in "the code" "${files[@]}"
  [ "$(cat "${files[@]}" | grep -cw told)" -lt 20 ]
}

@test "each file of rules of the README, the recipes and the tutorial can be pasted as it stands" {
  programs
  site_rules
  run_ev check -f site.rules
  [ "$status" = 0 ] || { echo "$output"; return 1; }
  "$EV" help recipes >recipes
  # A recipe of rules is a paragraph without a line that begins with evwatch.
  awk -v RS= '!/\n    evwatch /' recipes | grep '^    [a-z]*: ' >all
  [ "$(wc -l <all)" -ge 6 ]
  # shellcheck disable=SC2016 # awk expands it
  awk -v RS= '!/\n    evwatch / { sub(/^[^\n]*\n/, ""); gsub(/(^|\n)    /, "\n"); print > ("part" ++n) }' recipes
  for part in part*; do
    run_ev check -f "$part"
    [ "$status" = 0 ] || { cat "$part"; echo "$output"; return 1; }
  done
  sed -n '/^css: /,/^\.Ed/p' "$ROOT/man/evwatch-tutorial.7" | grep -v '^\.' >tutorial.rules
  run_ev check -f tutorial.rules
  [ "$status" = 0 ] || { echo "$output"; return 1; }
}

@test "no line of a manual is wider than 80 columns" {
  command -v mandoc >/dev/null || skip "no mandoc"
  once_for_all_backends
  for page in "$ROOT"/man/*.[1-8]; do
    mandoc -T ascii -O width=78 "$page" | sed 's/.\x08//g' | awk 'length > 80 { print; bad = 1 } END { exit bad }'
  done
}

@test "every help fits a terminal of 80 columns" {
  local words
  for words in '--help' help 'help options' 'help recipes' 'help rules' 'help variables' 'help statuses' \
    $("$EV" --help | sed -n '/^Kinds/,/^$/s/^  \([a-z]*\) .*/\1 --help/p' | tr ' ' _); do
    # shellcheck disable=SC2086 # several words
    "$EV" ${words//_/ } | awk -v w="$words" 'length > 80 { print w ": " $0; bad = 1 } END { exit bad }'
  done
}

@test "the manual has the recipes that evwatch help recipes prints" {
  command -v mandoc >/dev/null || skip "no mandoc"
  plain 'evwatch(1)' >page
  "$EV" help recipes >recipes
  while IFS= read -r line; do
    grep -qF -- "$(tr -s ' ' <<<"${line#    }")" page || { echo "not in the manual: $line"; return 1; }
  done < <(grep . recipes)
}

@test "150 wrong inputs are answered as messages.txt has it, and nothing is run" {
  once_for_all_backends
  [ "$(grep -c '^\$ evwatch' "$ROOT/tests/messages.txt")" -ge 150 ]
  # After a change that is meant: tests/messages build/evwatch <tests/messages.txt, in an empty folder.
  "$ROOT/tests/messages" "$EV" <"$ROOT/tests/messages.txt" >said
  diff "$ROOT/tests/messages.txt" said
}

@test "help variables and the manual name the same variables" {
  in_manual=$(sed -n '/^Commands get these/,/^\.El/s/^\.It Ev //p' "$ROOT/man/evwatch.1" | tr -d ' ' | tr , '\n' | grep -v _RUN | sort)
  in_help=$("$EV" help variables | grep -o 'EVWATCH_[A-Z_]*' | sort)
  diff <(echo "$in_manual") <(echo "$in_help")
}

# exists TEST: what security.md names: a test by words of its name (in `file`, the last one that was named), a file, a target.
exists() {
  local words=$1
  case $words in
  'make '*) grep -qE "^${words#make }:" "$ROOT/Makefile" "$ROOT"/tests/*/*.mk || [ -e "$ROOT/tests/fuzz/$(sed 's/^make fuzz-\(.*\)-libfuzzer$/\1_libfuzzer.c/' <<<"$words")" ] ;;
  unit/*) [ -e "$ROOT/tests/$words" ] ;;
  *)
    case $words in *.bats:*) file=${words%%:*} words=${words#*: } ;; esac
    grep '^@test "' "$ROOT/tests/$file" | grep -qF -- "$words"
    ;;
  esac
}

@test "each test that security.md names exists" {
  once_for_all_backends
  local line test file='' lines=0
  local -a tests
  while IFS= read -r line; do
    IFS=';' read -ra tests <<<"$(sed 's/^.* | \(.*\) |$/\1/' <<<"$line")"
    for test in "${tests[@]}"; do exists "${test# }" || { echo "$line: ${test# }"; return 1; }; done
    lines=$((lines + 1))
  done < <(grep '^| [^a]' "$ROOT/tests/security.md")
  [ "$lines" -ge 50 ]
}

@test "a pattern that the shell has expanded, and what only a shell reads, are warnings of check" {
  mkdir src && touch a.c b.c Makefile
  run "$EV" check file src --match a.c b.c
  [ "$status" -eq 0 ]
  grep -q 'b.c comes after --match a.c, and is a PATH' <<<"$output"
  grep -qF "quote a pattern: --match '*.c'" <<<"$output"
  run "$EV" check file --match Makefile src
  [[ $output != *warning* ]]
  run "$EV" check every 1s -- sort -t '|' a.c
  [[ $output != *warning* ]]
}
