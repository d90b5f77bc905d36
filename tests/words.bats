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
  says "file src -r -- make" '--on-busy restart restarts the command'
  says "file src --filter '*.c' -- make" "it is called --match here: --match '*.c'"
  says "file src --ext c -- make" "--match '*.c' --match '*.h'"
  says "file src --exclude x -- make" "--ignore '*.o'"
  says "file src --include x -- make" "it is called --match here, and takes a glob"
  says "file src --recursive -- make" 'see --no-recursive'
  says "lines log -f" '--follow follows this one'
  says "lines log --grep x" "it is called --match here"
  says "listen 7000 --fork -- cat" '--jobs says how many at once'
  says "every 5s --workdir / -- date" 'it is called --cwd here'
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
  says "cron '15 25 * * *' -- x" 'hour 25 is out of range 0 to 23'
  says "calendar 2026-13-01" 'month 13 is out of range 1 to 12'
  says '-w 0 every 1s' '--within: must be more than nothing'
  says "calendar 'every day' -- x" "for example daily, 'Mon..Fri 09:00'"
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
  run_ev -w 50ms file src make -- make
  ! grep -q 'if it is the command' <<<"$output"
}
