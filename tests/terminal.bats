#!/usr/bin/env bats
# Commands that need the terminal: --stdin inherit, driven in tmux by a shell with job control.
load helper

prepare() {
  command -v tmux >/dev/null || skip "tmux is not installed"
  SOCKET=$PWD/tmux
  tmux -S "$SOCKET" -f /dev/null new-session -d -x 200 -y 50 "env PS1='ready> ' EV='$EV' bash --norc --noprofile -i" 3>&-
  STARTED+=("$(tmux -S "$SOCKET" display-message -p '#{pid}')")
  shows 'ready>'
}

keys() { tmux -S "$SOCKET" send-keys "$@"; }
screen() { tmux -S "$SOCKET" capture-pane -p; }
shows() { until_ok "screen | grep -q -- '$1'" || { screen; return 1; }; }
# The shell has its terminal again: what is typed arrives there.
shell_is_back() {
  keys "echo ba''ck" Enter
  shows '^back'
}

@test "vim edits and saves" {
  keys '"$EV" -1 after 1ms --stdin inherit -- vim -u NONE file; echo "status $?"' Enter
  shows '^~'
  keys ihello Escape :wq Enter
  shows '^status 0'
  [ "$(cat file)" = hello ]
  shell_is_back
}

@test "a full-screen command has all rows, and the status line has its own again afterwards" {
  keys '"$EV" -e "v: after 1ms --stdin inherit -- less -X +G /etc/services" -e "x: every 1h"; echo "status $?"' Enter
  shows '(END)'
  [ "$(screen | tail -n 1)" = '/etc/services (END)' ]
  keys q
  shows '| next: x in'
  [[ $(screen | tail -n 1) = 'v ok in '*' | next: x in '*' | 1 rule armed' ]]
  keys C-c
  until_ok '[ "$(screen | grep -c "next: x in")" = 0 ]'
  shell_is_back
}

@test "less shows a page at a time, and ends" {
  seq 1000 >numbers
  keys '"$EV" -1 after 1ms --stdin inherit -- less numbers; echo "status $?"' Enter
  shows '^20$'
  keys G
  shows '^1000$'
  keys q
  shows '^status 0'
  shell_is_back
}

@test "htop draws, and ends" {
  command -v htop >/dev/null || skip "htop is not installed"
  keys '"$EV" -1 after 1ms --stdin inherit -- htop; echo "status $?"' Enter
  shows 'Load average'
  keys q
  shows '^status 0'
  shell_is_back
}

@test "a password is read without being shown" {
  cat >ask <<'END'
stty -echo
printf 'password: '
read -r word
stty echo
echo "it has ${#word} letters"
END
  keys '"$EV" -1 after 1ms --stdin inherit -- sh ask' Enter
  shows '^password:'
  keys secret Enter
  shows 'it has 6 letters'
  [[ $(screen) != *secret* ]]
  shell_is_back
}

@test "Ctrl-C ends the command, not evwatch" {
  keys '"$EV" -c 2 every 50ms --stdin inherit -- "echo run \$EVWATCH_COUNT; exec sleep 1000"; echo "status $?"' Enter
  shows '^run 1'
  keys C-c
  shows 'run 2'
  keys C-c
  shows 'status 130'
  shell_is_back
}

@test "Ctrl-Z stops both, fg continues both" {
  keys '"$EV" -1 after 1ms --stdin inherit -- "echo begun; read -r word; echo it is \$word"' Enter
  shows '^begun'
  keys C-z
  shows Stopped
  shell_is_back
  keys fg Enter
  until_ok '[ "$(screen | grep -c -- "-1 after")" -ge 3 ]'
  keys word Enter
  shows 'it is word'
  shell_is_back
}

@test "stopped and continued in the background, it stops again where it reads" {
  keys '"$EV" -1 after 1ms --stdin inherit -- "echo begun; read -r word; echo it is \$word"' Enter
  shows '^begun'
  keys C-z
  shows Stopped
  keys clear Enter bg Enter
  until_ok 'screen | grep -q "1 after.*&$"'
  keys Enter
  shows Stopped
  keys clear Enter fg Enter
  shows '-1 after'
  keys word Enter
  shows 'it is word'
}

@test "a command that cannot be executed leaves the terminal to the shell" {
  keys '"$EV" -1 after 1ms --stdin inherit -- nonesuch-command; echo "status $?"' Enter
  shows '^status 127'
  shell_is_back
}

@test "a command that the terminal stops, because it was not lent it, is named with the cure" {
  keys '"$EV" -e "o: after 1ms -- stty sane </dev/tty" -e "i: after 1ms -j 2 -- read -r word </dev/tty"' Enter
  shows 'o: run 1 was stopped by SIGTTOU: it changes the terminal from the background; --stdin inherit lends it'
  shows 'i: run 1 was stopped by SIGTTIN: it reads the terminal'
  keys C-c
  shell_is_back
}

@test "the command hears of the window's size" {
  keys '"$EV" -1 after 1ms --stdin inherit -- "trap \"stty size; exit\" WINCH; echo begun; while :; do sleep 0.05; done"' Enter
  shows '^begun'
  tmux -S "$SOCKET" resize-window -x 100 -y 30
  shows '^30 100'
}

# sgr: the attributes that were set since drawn_to began, one a line.
drawn_to() { tmux -S "$SOCKET" pipe-pane -o "cat >'$PWD/$1'"; }
sgr() { grep -aoP '\x1b\[[0-9;]*m' "$1" | grep -o '[0-9]*' | sort -un; }

start_rules() {
  "$EV" --control ctl --ready-file ready -e 'tick: every 100ms -- true' -e 'job: task -- sleep 1000' -e 'bad: after 1ms -- exit 3' >/dev/null 2>&1 3>&- &
  STARTED+=("$!")
  until_ok '[ -e ready ]'
}

@test "top shows the rules live, and acts on them" {
  start_rules
  keys '"$EV" top --control ctl; echo "status $?"' Enter
  shows '^> tick'
  shows '^  bad .*FAILED 3'
  shows '^up/down'
  keys Down r
  shows '^> job .* 1/0'
  keys s
  shows '^> job .*stopped, '
  keys p
  shows '^> job *task *paused'
  keys q
  shows '^status 0'
  [ "$(screen | grep -c '^up/down')" = 0 ]
  shell_is_back
}

@test "top orders the rules, shows the last failures, and fits 80 columns when the window changes" {
  start_rules
  keys '"$EV" top --control ctl; echo "status $?"' Enter
  shows '^> tick'
  shows '^[0-9:]* *bad failed with status 3, .* ago'
  keys Down Down
  shows '^> bad'
  keys o o o o
  shows 'FAILv'
  [[ $(screen | sed -n 4p) = '> bad '* ]]
  keys O
  shows 'FAIL^'
  [[ $(screen | sed -n 6p) = '> bad '* ]]
  tmux -S "$SOCKET" resize-window -x 80 -y 24
  until_ok '[ "$(screen | grep -n "^up/down" | cut -d: -f1)" = 24 ]'
  shows '^> bad .* ended FAILED 3, '
  shows '^[0-9:]* *bad failed with status 3, .* ago'
  keys q
  shows '^status 0'
}

@test "what is drawn has the 16 named colours alone, none with NO_COLOR, and leaves nothing behind" {
  start_rules
  printf '0\n1\n2\n7\n31\n32\n33\n34\n35\n36\n' >named
  for no in '' 1; do
    tmux -S "$SOCKET" resize-window -x 80 -y 24
    drawn_to "raw$no"
    keys clear Enter "export NO_COLOR=$no" Enter
    keys '"$EV" -v --tag -e "r: every 100ms -- echo out" -e "b: after 300ms -- exit 3"' Enter
    shows 'b: run 1 .*status 3'
    shows 'ago .* armed'
    keys C-c
    shell_is_back
    keys '"$EV" top --control ctl; echo "status $?"' Enter
    shows '^> tick'
    keys q
    shows '^status 0'
    keys clear Enter 'seq 30; echo "r""ows"' Enter
    shows '^rows'
    # All 24 rows scroll again, and the cursor is on the last one.
    [ "$(screen | sed -n '1p;22p;23p' | tr '\n' ' ')" = '9 30 rows ' ]
    drawn_to none
  done
  [ -s raw ] && [ -s raw1 ]
  [ -z "$(comm -23 <(sgr raw | sort) <(sort named))" ]
  sgr raw | grep -qx 31
  # Bold, reverse and none are no colours.
  [ -z "$(sgr raw1 | grep -vx '[0127]')" ]
  ! grep -aqP '\x1b\[[0-9;]*[34]8;' raw raw1
}

@test "a terminal that goes away ends evwatch with its commands, with -f too" {
  echo 'r: run -- echo $$ >pid; exec sleep 1000' >r.rules
  keys '"$EV" --ready-file ready -f r.rules' Enter
  until_ok '[ -e ready ] && [ -s pid ]'
  local ev
  ev=$(pgrep -P "$(tmux -S "$SOCKET" display-message -p '#{pane_pid}')")
  tmux -S "$SOCKET" kill-session
  until_ok '! kill -0 $ev 2>/dev/null && ! kill -0 $(cat pid) 2>/dev/null'
}

# Its voluntary switches: it has slept and woken up that often.
switches() { sed -n 's/^voluntary_ctxt_switches:[[:space:]]*//p' "/proc/$1/status"; }

@test "idle, the status line wakes evwatch up once a second at most" {
  keys '"$EV" --ready-file ready every 1h -- true' Enter
  shows '| 1 rule armed'
  local loop before began
  loop=$(pgrep -f -- '--ready-file ready every 1h' | tail -n 1)
  before=$(switches "$loop")
  began=$(date +%s%N)
  until_ok '[ $(switches $loop) -ge $((before + 3)) ]'
  # Three wake-ups are two whole seconds at least; each may be a switch more, for the terminal.
  [ $(($(date +%s%N) - began)) -ge 1000000000 ]
  keys C-c
}
