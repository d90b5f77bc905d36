#!/usr/bin/env bats
# every, after, at: ticks of a clock.
load helper

@test "every does not drift: ticks are due at start plus k periods" {
  run_ev -c 20 --json every 25ms
  python3 - "$output" <<'P'
import json, sys
due = [json.loads(l)["scheduled"] for l in sys.argv[1].splitlines()]
assert len(due) == 20
for k, t in enumerate(due):
    steps = (t - due[0]) / 0.025
    assert abs(steps - round(steps)) < 0.01 and round(steps) >= k, (k, t)
P
}

@test "after fires once and ends" {
  run_ev after 10ms
  [ "$status" = 0 ]
  [ "$output" = tick ]
}

@test "after nothing at all is at once, not never" {
  for when in 'after 0' 'at now+0s'; do
    # shellcheck disable=SC2086 # two words
    run_ev -1 $when -- echo hi
    [ "$status" = 0 ]
    [ "$output" = hi ]
  done
}

@test "at takes now+DUR, a time of the day and a date" {
  run_ev at now+10ms
  [ "$output" = tick ]
  run_ev -n at 23:59:59
  [ "$status" = 0 ]
  run_ev -n at '2099-12-31 23:59'
  [ "$status" = 0 ]
  run_ev -n at 2001-01-01T00:00
  [ "$status" = 2 ]
  grep -q 'is in the past' <<<"$output"
  run_ev -n at noon
  [ "$status" = 2 ]
}

@test "a period of nothing, and words that are no durations, are usage errors" {
  for w in 0 1x -1s '' 1s1m 99999999999w; do
    run_ev -n every "$w"
    [ "$status" = 2 ]
  done
}

@test "a tick while the command runs is skipped, and the next one says how many were" {
  start every 20ms -- 'echo "$EVWATCH_MISSED" >>runs; until [ -e go ]; do sleep 0.01; done'
  until_ok '[ "$(lines_of runs)" = 1 ]'
  sleep 0.1
  [ "$(lines_of runs)" = 1 ]
  touch go
  until_ok '[ "$(lines_of runs)" -ge 2 ]'
  until_ok '[ "$(sort -n runs | tail -n 1)" -ge 3 ]'
}

@test "--missed all runs each tick that was due while evwatch was stopped, one after the other" {
  start every 20ms --missed all -- 'echo "$EVWATCH_SCHEDULED" >>runs'
  until_ok '[ -s runs ]'
  missed 'date +%s.%N >stopped; sleep 0.3; date +%s.%N >continued'
  until_ok '[ "$(tail -n 1 runs | cut -d. -f1)" -gt "$(($(cut -d. -f1 continued) + 1))" ]'
  stop
  python3 - <<'P'
due = [float(line) for line in open("runs")]
stopped, continued = float(open("stopped").read()), float(open("continued").read())
meanwhile = [t for t in due if stopped < t < continued]
assert len(meanwhile) >= 14, due
assert all(abs(b - a - 0.02) < 0.001 for a, b in zip(meanwhile, meanwhile[1:])), meanwhile
P
}

@test "what is due while the command runs is up to --on-busy, whatever --missed says" {
  start every 20ms --missed all -- 'echo "$EVWATCH_MISSED" >>runs; until [ -e go ]; do sleep 0.01; done'
  until_ok '[ "$(lines_of runs)" = 1 ]'
  sleep 0.1
  touch go
  until_ok '[ "$(lines_of runs)" -ge 2 ]'
  [ "$(sed -n 2p runs)" -ge 3 ]
}

@test "--missed one runs once for all that were due meanwhile" {
  start every 20ms --missed one -- 'echo "$EVWATCH_MISSED" >>runs; until [ -e go ]; do sleep 0.01; done'
  until_ok '[ "$(lines_of runs)" = 1 ]'
  sleep 0.1
  touch go
  until_ok '[ "$(lines_of runs)" -ge 2 ]'
  [ "$(sed -n 2p runs)" -ge 3 ]
}

@test "every --align ticks on multiples of the wall clock" {
  run_ev -c 3 --json every 100ms --align
  python3 - "$output" <<'P'
import json, sys
ticks = [line for line in sys.argv[1].splitlines() if line.startswith("{")]  # a slow machine may warn
assert len(ticks) == 3, sys.argv[1]
for line in ticks:
    assert round(json.loads(line)["scheduled"] * 1000) % 100 == 0, line
P
}

@test "cron and calendar tick each second when asked to" {
  # Again, where the machine stood still for a second.
  each_second() {
    run_ev -c 2 --format %T "$@"
    [ "$status" = 0 ] && [ "$(sed -n 2p <<<"$output")" = $(($(sed -n 1p <<<"$output") + 1)) ]
  }
  until_ok "each_second cron '* * * * * *'"
  until_ok "each_second calendar '*:*:*'"
}

@test "@reboot runs once at start" {
  run_ev cron @reboot -- echo up
  [ "$status" = 0 ]
  [ "$output" = up ]
}

@test "a time that never comes is told, and ends the rule" {
  run_ev cron '0 0 30 2 *'
  [ "$status" = 0 ]
  grep -q 'never comes' <<<"$output"
}

@test "wrong expressions are refused with the place" {
  while IFS='|' read -r kind text at what; do
    run_ev -n "$kind" "$text"
    [ "$status" = 2 ] || { echo "$kind $text: $status"; return 1; }
    grep -q "$what" <<<"$output" || { echo "$kind $text: $output"; return 1; }
    [ "${lines[2]:at+1:1}" = '^' ] || { echo "$kind $text: $output"; return 1; }
  done <<'T'
cron|61 * * * *|10|minute 61 is out of range 0 to 59
cron|* * * *|10|5 to 7 fields, this one has 4
cron|* * * * mon-xyz|22|"xyz" is no day of week: 0 to 7, sun to sat
cron|*/0 * * * *|12|minute step 0 is out of range 1 to 60
cron|@often|9|there is no "@often"
cron|5-1 * * * *|10|runs backwards
cron|5/15 * * * *|11|a step must follow
calendar|10:00:5..5|23|has to hold one more second
calendar|2026-13-01|18|month 13 is out of range 1 to 12
calendar|Fri..Mon 10:00|19|runs backwards
calendar|10:00 Europe/Berlinn|20|there is no time zone "Europe/Berlinn"
calendar||14|missing
T
}

@test "an unknown zone is refused" {
  run_ev -n cron '0 9 * * *' --tz Europe/Berlinn
  [ "$status" = 2 ]
  grep -q 'there is no time zone "Europe/Berlinn"' <<<"$output"
}

@test "--jitter puts a tick off by less than its limit, and says when it was due" {
  run_ev -c 5 --json every 40ms --jitter 20ms
  python3 - "$output" <<'P'
import json, sys
rows = [json.loads(l) for l in sys.argv[1].splitlines()]
start = rows[0]["scheduled"]
put_off = [r["time"] - r["scheduled"] for r in rows]
assert len({round(p, 5) for p in put_off}) > 1, put_off
for r in rows:
    steps = (r["scheduled"] - start) / 0.04
    assert abs(steps - round(steps)) < 0.05, steps
P
}

@test "--fixed-jitter is the same each time, and another for another rule" {
  offset() {
    "$EV" -1 --json -e "$1: after 1ms --fixed-jitter 2s" |
      python3 -c 'import json,sys; r=json.load(sys.stdin); print(int((r["time"]-r["scheduled"])*20))'
  }
  same() { local by=$(($(offset e) - $(offset e))); [ $by -ge -1 ] && [ $by -le 1 ]; }
  # Again, where the machine stood still. These two names are put off by little.
  local tries=5
  until same; do ((--tries)); done
  until [ "$(offset e)" != "$(offset m)" ]; do ((--tries)); done
}

# ---- --catch-up ---------------------------------------------------------------------------------

@test "--catch-up runs once at start when a time was missed while it was down" {
  mkdir state
  echo "$(($(date +%s) - 90000)).000000000" >state/backup.last
  run_ev -1 -e 'backup: cron "0 3 * * *" --catch-up state -- echo "missed $EVWATCH_MISSED"'
  [ "$status" = 0 ]
  grep -q '^missed [01]$' <<<"$output"
  # Now it has run: nothing is caught up a second time.
  run_ev -w 200ms -e 'backup: cron "0 3 * * *" --catch-up state -- echo again'
  [ "$status" = 0 ]
  [ "$output" = "" ]
}

@test "--catch-up remembers nothing missed where it starts for the first time" {
  run_ev -w 100ms -e 'x: calendar yearly --catch-up state -- echo ran'
  [ "$output" = "" ]
  [ -s state/x.last ]
}

# last_run SECONDS: the record says that the rule x ran so long ago.
last_run() {
  mkdir -p state
  echo "$(($(date +%s) - $1)).000000000" >state/x.last
}

@test "--catch-up runs what was missed as --missed says: each, one or nothing" {
  last_run 37000
  run_ev -w 5s -1 -e 'x: every 1h --catch-up state --missed one -- echo "$EVWATCH_MISSED"'
  [ "$output" = 9 ]
  last_run 37000
  run_ev -c 10 -e 'x: every 1h --catch-up state --missed all -- echo "$EVWATCH_MISSED"'
  [ "$(tr -d '\n' <<<"$output")" = 0000000000 ]
  last_run 37000
  run_ev -w 300ms -e 'x: every 1h --catch-up state --missed none -- echo ran'
  [ "$output" = "" ]
}

@test "a record of long ago costs no more than 1,000 runs, the latest" {
  mkdir state
  echo 1000.000000000 >state/x.last
  start -e 'x: cron "* * * * *" --tz UTC --catch-up state --missed all --json'
  until_ok '[ "$(lines_of out)" -ge 1000 ]'
  grep -q 'more than 1000 ticks were missed' err
  python3 - <<'P'
import json, time
due = [json.loads(line)["scheduled"] for line in open("out")][:1000]
assert all(b - a == 60 for a, b in zip(due, due[1:])), due
assert 0 <= time.time() - due[-1] < 600, due[-1]
P
  stop
  echo 1000.000000000 >state/y.last
  run_ev -1 -e 'y: cron "* * * * *" --tz UTC --catch-up state -- echo "$EVWATCH_SCHEDULED"'
  [ $(($(date +%s) - ${output%.*})) -lt 600 ]
}

@test "--late says how late a tick may be noticed before --missed none drops it" {
  last_run 3602
  run_ev -w 5s -1 -e 'x: every 1h --catch-up state --missed none --late 10m -- echo ran'
  [ "$output" = ran ]
  last_run 4300
  run_ev -w 300ms -e 'x: every 1h --catch-up state --missed none --late 10m -- echo ran'
  [ "$output" = "" ]
  run_ev every 1h --late 10m
  [ "$status" = 2 ]
  grep -q -- '--late has no effect without --missed none' <<<"$output"
}

@test "--catch-up replaces a record from the future" {
  last_run -90000
  run_ev -w 100ms -e 'x: every 1h --catch-up state -- echo ran'
  grep -q 'recorded for the future' <<<"$output"
  [ "$(cut -d. -f1 state/x.last)" -le "$(date +%s)" ]
  run_ev -w 100ms -e 'x: every 1h --catch-up state -- echo ran'
  [ "$output" = "" ]
}

@test "--catch-up survives kill -9: what was not finished is run again" {
  mkdir state
  echo "$(($(date +%s) - 90000)).000000000" >state/x.last
  start -e 'x: cron "0 3 * * *" --catch-up state -- echo $$ >>began; exec sleep 1000'
  until_ok '[ "$(lines_of began)" = 1 ]'
  kill -9 "$P"
  until_ok '! kill -0 "$(cat began)" 2>/dev/null'
  until_ok 'flock -n state/x.lock true'
  start -e 'x: cron "0 3 * * *" --catch-up state -- echo $$ >>began'
  until_ok '[ "$(lines_of began)" = 2 ]'
  until_ok '[ "$(cut -d. -f1 state/x.last)" -gt $(($(date +%s) - 86500)) ]'
}

@test "every --catch-up goes on in step with the last run" {
  mkdir state
  echo "$(($(date +%s) - 30)).000000000" >state/x.last
  run_ev -w 300ms -e 'x: every 1h --catch-up state -- echo ran'
  [ "$output" = "" ]
  echo "$(($(date +%s) - 5400)).000000000" >state/x.last
  run_ev -1 -e 'x: every 1h --catch-up state -- echo ran'
  [ "$output" = ran ]
}

@test "--catch-up refuses a second evwatch, and a record that it cannot read" {
  start -e 'x: cron @hourly --catch-up state'
  run_ev -e 'x: cron @hourly --catch-up state'
  [ "$status" = 1 ]
  grep -q 'another evwatch keeps the last run of x' <<<"$output"
  stop
  echo nonsense >state/x.last
  run_ev -e 'x: cron @hourly --catch-up state'
  [ "$status" = 1 ]
  grep -q 'does not hold the time of a run' <<<"$output"
}

# ---- a clock that is set ------------------------------------------------------------------------

# set_clock TIME: what CLOCK_REALTIME is from now on, for what was started by `with_clock`.
set_clock() {
  echo $(($(date -d "$1" +%s) - $(date +%s))) >clock.new
  mv clock.new clock
}

# with_clock COMMAND ARGS...: `start` and `run_ev` with the wall clock that set_clock sets.
with_clock() {
  [ -e shim.so ] || cc -shared -fPIC -D_GNU_SOURCE -o shim.so "$ROOT/tests/shim/clock.c" -ldl -lpthread
  local real=$EV
  cat >ev-with-clock <<S
#!/bin/sh
export EVWATCH_TEST_CLOCK=$PWD/clock LD_PRELOAD=$PWD/shim.so ASAN_OPTIONS=verify_asan_link_order=0:\$ASAN_OPTIONS
exec $real "\$@"
S
  chmod +x ev-with-clock
  EV=$PWD/ev-with-clock
  "$@"
  EV=$real
}

@test "a time that the spring gap skips fires at its end; --gap skip waits for the next day" {
  set_clock '2027-03-28 00:30:00 UTC'
  with_clock start cron '30 2 * * *' --tz Europe/Berlin --format %T
  set_clock '2027-03-28 00:59:58 UTC'
  until_ok '[ -s out ]'
  [ "$(date -u -d "@$(cat out)" +%F.%T)" = 2027-03-28.01:00:00 ]
  stop
  set_clock '2027-03-28 00:30:00 UTC'
  with_clock start cron '30 2 * * *' --tz Europe/Berlin --gap skip --format %T
  set_clock '2027-03-28 01:00:02 UTC'
  set_clock '2027-03-29 00:29:59 UTC'
  until_ok '[ -s out ]'
  [ "$(date -u -d "@$(head -1 out)" +%F.%T)" = 2027-03-29.00:30:00 ]
}

@test "a time that autumn repeats fires the first time; --fold twice both times" {
  set_clock '2027-10-31 00:10:00 UTC'
  with_clock start cron '30 2 * * *' --tz Europe/Berlin --format %T
  set_clock '2027-10-31 00:29:59 UTC'
  until_ok '[ "$(lines_of out)" = 1 ]'
  set_clock '2027-10-31 01:29:59 UTC'
  sleep 1.2
  [ "$(lines_of out)" = 1 ]
  stop
  set_clock '2027-10-31 00:10:00 UTC'
  with_clock start cron '30 2 * * *' --tz Europe/Berlin --fold twice --format %T
  set_clock '2027-10-31 00:29:59 UTC'
  until_ok '[ "$(lines_of out)" = 1 ]'
  set_clock '2027-10-31 01:29:59 UTC'
  until_ok '[ "$(lines_of out)" = 2 ]'
}

@test "a step forwards over many ticks fires once and says how many were missed" {
  set_clock '2028-02-28 23:59:30 UTC'
  with_clock start cron '*/10 * * * *' --tz UTC --json
  set_clock '2028-02-29 01:00:01 UTC'
  until_ok '[ -s out ]'
  grep -q '"missed":6' out
  [ "$(lines_of out)" = 1 ]
}

@test "--missed all tells each of them, --missed none tells none" {
  set_clock '2028-02-28 23:59:30 UTC'
  with_clock start cron '*/10 * * * *' --tz UTC --missed all --json
  set_clock '2028-02-29 01:00:05 UTC'
  until_ok '[ "$(lines_of out)" = 7 ]'
  stop
  set_clock '2028-02-28 23:59:30 UTC'
  with_clock start cron '*/10 * * * *' --tz UTC --missed none --json
  set_clock '2028-02-29 01:00:05 UTC'
  sleep 0.2
  # One that is late itself, as the machine stood still, is missed as well.
  local missed=7 minute
  for minute in 09 19 29 39 49; do
    set_clock "2028-02-29 01:$minute:59 UTC"
    ! until_ok '[ -s out ]' 10 || break
    missed=$((missed + 1))
  done
  grep -q '"missed":'$missed out
  [ "$(lines_of out)" = 1 ]
}

@test "a step backwards fires nothing twice" {
  set_clock '2027-06-01 11:59:03 UTC'
  with_clock start cron '* * * * *' --tz UTC --format %T
  set_clock '2027-06-01 11:59:59 UTC'
  until_ok '[ "$(lines_of out)" = 1 ]'
  set_clock '2027-06-01 10:59:59 UTC'
  sleep 1.2
  [ "$(lines_of out)" = 1 ]
  set_clock '2027-06-01 12:00:59 UTC'
  until_ok '[ "$(lines_of out)" = 2 ]'
}

@test "a clock that was years ahead and is corrected does not silence a schedule" {
  set_clock '2099-01-01 00:00:10 UTC'
  with_clock start cron '* * * * *' --tz UTC --format %T
  set_clock '2027-06-01 11:59:59 UTC'
  until_ok '[ "$(lines_of out)" = 1 ]'
  [ "$(date -u -d "@$(cat out)" +%F.%T)" = 2027-06-01.12:00:00 ]
}

@test "leap day, 2038 and 2100 come and go" {
  for day in '2028-02-29' '2038-01-19' '2100-03-01'; do
    set_clock "$(date -u -d "$day - 1 day" +%F) 23:50:00 UTC"
    with_clock start -1 --format %T cron '0 0 * * *' --tz UTC
    set_clock "$(date -u -d "$day - 1 day" +%F) 23:59:59 UTC"
    ended
    [ "$(date -u -d "@$(cat out)" +%F.%T)" = "$day.00:00:00" ]
  done
}

@test "zone data that change on disk are noticed" {
  cp /usr/share/zoneinfo/Asia/Tokyo here
  start -v cron '@yearly' --tz "$PWD/here"
  cp /usr/share/zoneinfo/America/New_York there
  mv there here
  until_ok 'grep -q "time zone data changed" err'
}

# ---- next ---------------------------------------------------------------------------------------

@test "next lists the coming times with weekday, distance, rule and mark" {
  run "$EV" next -n 3 --from '2027-03-27 00:00' --tz Europe/Berlin cron '30 2 * * *'
  [ "$status" = 0 ]
  [ "$(tr -s ' ' <<<"$output")" = "2027-03-27T02:30:00+01:00 Sat in 2h30m cron1
2027-03-28T03:00:00+02:00 Sun in 1d2h cron1 gap
2027-03-29T02:30:00+02:00 Mon in 2d1h30m cron1" ]
}

@test "a day field that begins with a star is not restricted, as in crontab(5)" {
  coming() { "$EV" next --tz UTC --from '2023-05-01 00:00' -n 3 --format %t cron "$1" | cut -c1-10 | tr '\n' ' '; }
  [ "$(coming '0 16 */2 * SAT')" = "2023-05-13 2023-05-27 2023-06-03 " ]
  [ "$(coming '0 0 1-7 * */7')" = "2023-05-07 2023-06-04 2023-07-02 " ]
  [ "$(coming '0 0 13 * FRI')" = "2023-05-05 2023-05-12 2023-05-13 " ]
}

@test "a seventh field of cron restricts the years" {
  run "$EV" next --tz UTC --from '2026-01-01 00:00' --format %t cron '0 30 4 1 1 ? 2028-2034/3,2040'
  [ "$status" = 0 ]
  [ "$(cut -c1-16 <<<"$output" | tr '\n' ' ')" = "2028-01-01T04:30 2031-01-01T04:30 2034-01-01T04:30 2040-01-01T04:30 " ]
  run "$EV" next cron '0 0 0 1 1 * 1812'
  [ "$status" = 2 ]
  grep -q 'year 1812 is out of range 1970 to' <<<"$output"
}

@test "a range of weekdays has two ends" {
  run "$EV" next calendar 'Mon..Tue..Wed 10:00'
  [ "$status" = 2 ]
  grep -q 'a comma or a blank is expected here' <<<"$output"
}

@test "next -f prints one line a rule, unless -n asks for more" {
  printf '%s\n' 'a: cron "0 * * * *" --tz UTC -- x' 'b: calendar "*:30 UTC" -- y' 'c: file . -- z' 'd: cron "0 0 30 2 *"' >rules
  run "$EV" next --from @1795492800 --format '%r %T' -f rules
  [ "$status" = 0 ]
  [ "$output" = 'b 1795494600
a 1795496400' ]
}

@test "next sorts the schedules of a file into one list" {
  printf '%s
' 'a: cron "0 * * * *" --tz UTC -- x' 'b: calendar "*:30 UTC" -- y' 'c: file . -- z' >rules
  run "$EV" next -n 4 --from @1795492800 --format '%r %T' -f rules
  [ "$status" = 0 ]
  [ "$(awk '{print $1}' <<<"$output" | tr '
' ' ')" = "b a b a " ]
}

@test "next says never where no time is left, and tells what it does not understand" {
  run "$EV" next cron '0 0 30 2 *'
  [ "$status" = 0 ]
  [ "$output" = never ]
  for words in 'file .' '-n x cron @daily' '--from noon cron @daily' 'cron @dayly' '-n' ''; do
    # shellcheck disable=SC2086
    run "$EV" next $words
    [ "$status" = 2 ] || { echo "next $words: $status $output"; return 1; }
    grep -q '^evwatch: ' <<<"$output"
  done
}

@test "next prints JSON with the due time" {
  run "$EV" next -n 1 --from @0 --json calendar '@86400'
  grep -q '"scheduled":86400.000000000' <<<"$output"
}

# on_terminal PATTERN ARGS...: evwatch on a terminal of 24 rows, until it has shown the pattern.
on_terminal() {
  timeout 100 python3 - "$@" <<'PY'
import fcntl, os, pty, re, signal, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    os.execv(os.environ["EV"], [os.environ["EV"]] + sys.argv[2:])
shown, stopped = b"", False
while True:
    try:
        shown += os.read(fd, 65536)
    except OSError:
        break
    if not stopped and re.search(sys.argv[1].encode(), shown, re.S):
        stopped = True
        os.kill(pid, signal.SIGTERM)
sys.stdout.write(shown.decode().replace("\33", "ESC"))
PY
}

@test "a terminal has a status line: what runs, how the last run ended, what is next" {
  export EV TERM=xterm
  on_terminal 'running: work.*next: backup in' -e 'work: after 10ms -- printf part; exec sleep 60' \
    -e 'backup: cron "0 3 * * *" -- true' >shown
  # A scroll region keeps what commands write off the last row; both are undone at the end.
  grep -q 'ESC\[1;23r' shown
  grep -q 'ESC7ESC\[24;1HESC\[7mrunning: work | next: backup in .*, 03:00:00 .*ESC\[KESC\[0mESC8' shown
  grep -q 'ESC7ESC\[rESC\[24;1HESC\[KESC8' shown
  grep -q '^evwatch: backup: on ' shown
  on_terminal 'bad FAILED .3. after' -e 'bad: after 10ms -- exit 3' -e 'x: every 1h' >shown
  on_terminal '59 min .* left\]' --within 1h -e 'f: file .' >shown
  NO_COLOR=1 on_terminal 'next: x in' -v -e 'x: every 1h -- true' >shown
  [ "$(grep -c '\[[37]' shown)" = 0 ]
  # Not where escape sequences would be litter.
  TERM=dumb on_terminal 'run 1 ended' -v -e 'x: every 1h --initial -- sleep 1.1' >shown
  [ "$(grep -c ESC shown)" = 0 ]
  on_terminal 'said' -q -e 'x: every 1h --initial -- sleep 1.1; echo said' >shown
  ! grep -q ESC shown
}

@test "waits are exact, and commands keep the timer slack that evwatch was started with" {
  own=$(cat /proc/self/timerslack_ns)
  start every 20ms -- 'cat /proc/self/timerslack_ns >>slack'
  until_ok '[ "$(lines_of slack)" -ge 2 ]'
  [ "$(sort -u slack)" = "$own" ]
  loop=$(loop_pid)
  [ "$(cat "/proc/$loop/timerslack_ns")" -lt "$own" ]
}

@test "a zone is read again when its file is replaced, or a link or directory on the way to it" {
  [ -e /usr/share/zoneinfo/UTC ] || skip "no tzdata"
  mkdir r1 r2
  cp /usr/share/zoneinfo/UTC r1/zone
  cp /usr/share/zoneinfo/Asia/Kolkata r2/zone
  ln -s r1 d
  start -v cron '0 0 * * *' --tz "$PWD/d/zone"
  changes() { until_ok "[ \$(grep -c 'time zone data changed' err) = $1 ]"; }
  ln -sfn r2 d
  changes 1
  cp /usr/share/zoneinfo/Europe/Berlin new
  mv new r2/zone
  changes 2
  mv r2 r3
  mv r1 r2
  changes 3
}
