#!/usr/bin/env bats
# Commands: policies, surroundings, outputs, stopping.
load helper

@test "--on-busy queue runs each in order" {
  start -v signal USR1 USR2 -- 'echo "$1" >>runs; touch running; until [ -e go ]; do sleep 0.01; done'
  kill -USR1 "$P"
  until_ok '[ -e running ]'
  kill -USR2 "$P"
  until_ok 'grep -q "signal1: USR2 USR2" err'
  kill -USR1 "$P"
  until_ok '[ "$(grep -c "signal1: USR1 USR1" err)" = 2 ]'
  [ "$(lines_of runs)" = 1 ]
  touch go
  until_ok '[ "$(cat runs)" = "$(printf "USR1\nUSR2\nUSR1")" ]'
}

@test "--on-busy skip drops, restart stops and reruns, signal signals" {
  start -e 'skip: signal USR1 --on-busy skip -- echo skip >>skip; sleep 30' \
    -e 'restart: signal USR1 --on-busy restart -- echo $$ >>restart; exec sleep 30' \
    -e 'sig: signal USR1 --on-busy signal --signal HUP -- trap "echo hup >>sig" HUP; echo start >>sig; while :; do sleep 0.01; done'
  kill -USR1 "$P"
  until_ok '[ -s skip ] && [ -s restart ] && [ -s sig ]'
  sleep 0.2
  kill -USR1 "$P"
  until_ok '[ "$(lines_of restart)" = 2 ] && grep -q hup sig'
  run kill -0 "$(head -1 restart)"
  [ "$status" = 1 ]
  [ "$(lines_of skip)" = 1 ]
  [ "$(grep -c start sig)" = 1 ]
}

@test "--on-busy restart ends what left the group or session before the next run begins" {
  local n
  n=$(unique)
  cat >job <<J
#!/bin/sh
for f in 1 2 3; do
  [ ! -e pid\$f ] || ! kill -0 "\$(cat pid\$f)" 2>/dev/null || echo "\$f still there" >>bad
  rm -f pid\$f
done
setsid -f sh -c 'echo \$\$ >pid1; exec sleep ${n}1'
(setsid sh -c 'trap "" TERM; echo \$\$ >pid2; while :; do sleep 0.01; done' &)
env -i setsid sh -c 'echo \$\$ >pid3; exec sleep ${n}3' &
until [ -s pid1 ] && [ -s pid2 ] && [ -s pid3 ]; do sleep 0.01; done
echo >>runs
wait
J
  chmod +x job
  start -e 'a: signal USR1 --on-busy restart --stop-timeout 200ms -- ./job' \
    -e "b: after 1ms --on-busy restart -- setsid -f sleep ${n}4"
  for i in 1 2 3; do
    kill -USR1 "$P"
    until_ok "[ \$(lines_of runs) = $i ]"
  done
  [ ! -e bad ]
  # Another rule's are left alone.
  [ "$(count_processes "^sleep ${n}4")" = 1 ]
}

@test "--on-busy restart leaves what a nested evwatch runs to that one" {
  start signal USR1 --on-busy restart -- "$EV -q after 1ms -- 'trap \"echo >>terms; sleep 0.1; exit\" TERM; echo >>runs; while :; do sleep 0.01; done'"
  for i in 1 2 3; do
    kill -USR1 "$P"
    until_ok "[ \$(lines_of runs) = $i ]"
  done
  [ "$(lines_of terms)" = 2 ]
}

@test "the last run of --count goes on to its end under --on-busy restart" {
  start -v -c 2 signal USR1 --on-busy restart -- 'echo >>runs; until [ -e go ]; do sleep 0.01; done; exit 7'
  kill -USR1 "$P"
  until_ok '[ -s runs ]'
  kill -USR1 "$P" # stops the first
  until_ok '[ "$(lines_of runs)" = 2 ]'
  kill -USR1 "$P"
  until_ok 'grep -q "too late" err'
  touch go
  status=0
  wait "$P" || status=$?
  [ "$(lines_of runs)" = 2 ]
  [ "$status" = 7 ]
}

@test "--on-busy parallel runs beside it, --jobs at most" {
  start signal RTMIN+1 --on-busy parallel -j 2 -- 'echo $$ >>runs; until [ -e go ]; do sleep 0.01; done'
  for _ in 1 2 3; do kill -RTMIN+1 "$P"; done
  until_ok '[ "$(lines_of runs)" = 2 ]'
  touch go
  until_ok '[ "$(lines_of runs)" = 3 ]'
}

@test "--timeout stops it with status 124; a stubborn one gets KILL" {
  run_ev -1 after 1ms --timeout 50ms -- sleep 30
  [ "$status" = 124 ]
  run_ev -1 after 1ms --timeout 50ms --stop-timeout 50ms -- 'trap "" TERM; while :; do sleep 0.01; done'
  [ "$status" = 124 ]
}

@test "a dead member of the group that nobody reaps holds nothing up" {
  cat >leaver.py <<'PY'
import os, time
if os.fork() == 0:
    if os.fork() == 0:
        os._exit(0)
    os.setsid()
time.sleep(1000)
PY
  run_ev -1 after 1ms --timeout 300ms --stop-timeout 50ms -- python3 leaver.py
  [ "$status" = 124 ]
}

@test "--clear clears the screen, not the file of --output" {
  script -qec "$EV -1 after 1ms --clear --output log -- echo hi" /dev/null </dev/null >screen
  [ "$(cat log)" = hi ]
  grep -qF $'\033[2J' screen
}

@test "the whole process group is stopped" {
  local n
  n=$(unique)
  run_ev -1 after 1ms --timeout 100ms -- "sleep $n & sleep $n"
  [ "$(count_processes "^sleep $n")" = 0 ]
}

@test "words behind -- are executed directly; {} is the subjects" {
  echo 'a b' >f
  run_ev lines f -- printf '[%s]' x {} '$HOME'
  [ "$output" = '[x][a b][$HOME]' ]
}

@test "one word behind -- is shell text with positional parameters" {
  echo 'a b' >f
  run_ev lines f -- 'echo "$0:$1:$#"'
  [ "$output" = 'evwatch: lines1:a b:1' ]
}

@test "EVWATCH_ variables are set, those of an outer one are not passed on" {
  EVWATCH_PATH=outer run_ev -1 every 1ms -- 'echo "$EVWATCH_RULE $EVWATCH_SOURCE $EVWATCH_EVENT $EVWATCH_COUNT ${EVWATCH_PATH-none}"; case $EVWATCH_TIME in *.?????????) echo ok;; esac'
  [ "$output" = $'every1 every tick 1 none\nok' ]
}

@test "--env, --clear-env, --cwd, --umask, --nice" {
  mkdir sub
  run_ev -1 after 1ms --env A=1 --env B='x y' --cwd sub --umask 077 --nice 3 -- 'echo "$A $B ${PWD##*/} $(umask) $(nice)"'
  [ "$output" = "1 x y sub 0077 $(($(nice) + 3))" ]
  FOO=1 run_ev -1 after 1ms --clear-env --env A=1 -- 'echo "${FOO-unset} $A"'
  [ "$output" = 'unset 1' ]
}

@test "--run-as changes user and groups" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  run_ev -1 after 1ms --run-as nobody -- 'id -un; id -gn'
  [ "$output" = $'nobody\nnogroup' ]
  run_ev -1 after 1ms --run-as nonesuch-user -- id
  [ "$status" = 1 ]
  grep -q 'there is no user' <<<"$output"
}

@test "--run-as: the login variables of the user, none of the session, and --env above all" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  export HOME=/root USER=root LOGNAME=root SHELL=/bin/zsh PATH SSH_AUTH_SOCK=/x XDG_RUNTIME_DIR=/x KEPT=yes
  run_ev -1 after 0 --run-as nobody -- 'echo "$HOME $USER $LOGNAME $SHELL $PATH $KEPT"; env | grep -c "^SSH_\|^XDG_"'
  [ "${lines[0]}" = "$(getent passwd nobody | cut -d: -f6) nobody nobody $(getent passwd nobody | cut -d: -f7) /usr/local/bin:/usr/bin:/bin yes" ]
  [ "${lines[1]}" = 0 ]
  run_ev -1 after 0 --run-as nobody --env HOME=/tmp --env XDG_RUNTIME_DIR=/y -- 'echo "$HOME $XDG_RUNTIME_DIR"; env | grep -c ^HOME='
  [ "$output" = $'/tmp /y\n1' ]
  run_ev -1 after 0 --run-as 54321:54321 --clear-env -- 'echo "$HOME $USER $SHELL"'
  [ "$output" = '/ 54321 /bin/sh' ]
}

@test "--run-as: a session of its own, and no controlling terminal" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  script -qec "$EV -q -1 after 0 --run-as nobody -- '(: </dev/tty) 2>/dev/null && echo has one; ps -o sid= -p \$\$; echo \$\$'" typescript </dev/null >out
  [ "$(tr -d '\r ' <out | sort -u | grep -c .)" = 1 ]
  ! grep -q 'has one' out
}

@test "--run-as: what cannot be executed has its status and its reason" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  run_ev -1 after 0 --run-as nobody -- nonesuch x
  [ "$status" = 127 ]
  [ "$output" = 'evwatch: after1: nonesuch: command not found' ]
  mkdir -m 700 closed
  run_ev -1 after 0 --run-as nobody --cwd closed -- id
  [ "$status" = 126 ]
  grep -q 'closed: Permission denied' <<<"$output"
}

@test "--no-new-privs" {
  run_ev -1 after 0 --no-new-privs -- 'grep NoNewPrivs /proc/self/status'
  [ "$output" = $'NoNewPrivs:\t1' ]
}

@test "--stdin null, paths, json, inherit" {
  printf 'l1\n' >f
  run_ev lines f --stdin paths -- cat
  [ "$output" = l1 ]
  run_ev lines f --stdin json -- cat
  python3 -c 'import json,sys; assert json.loads(sys.argv[1])["subjects"]==["l1"]' "$output"
  mkdir three
  touch three/{a,b,c}
  run_ev -1 file three --existing --stdin json -- 'grep -o "\"count\":[0-9]*"; echo $EVWATCH_COUNT'
  [ "$output" = $'"count":1\n"count":1\n"count":1\n1' ]
  run_ev lines f -- 'cat; echo end'
  [ "$output" = end ]
  run bash -c "echo in | '$EV' -1 after 1ms --stdin inherit -- cat"
  [ "$output" = in ]
}

@test "--output FILE appends, null drops, group keeps outputs whole" {
  run_ev -c 2 every 1ms --output o -- echo x
  [ "$(cat o)" = $'x\nx' ]
  run_ev -1 after 1ms --output null -- echo x
  [ "$output" = '' ]
  seq 8 >n
  run_ev lines n -j 8 --output group -- 'for i in 1 2 3; do echo "$1 $i"; sleep 0.01; done'
  [ "$(wc -l <<<"$output")" = 24 ]
  awk '{ if (NR % 3 == 1) k = $1; if ($1 != k) exit 1 }' <<<"$output"
}

@test "--tag puts the rule's name before each line" {
  run_ev -1 -e 'web: after 1ms --tag -- printf "a\nb"'
  [ "$output" = $'web: a\nweb: b' ]
}

@test "--initial runs once at start" {
  start every 1h --initial -- 'echo "$EVWATCH_EVENT" >>runs'
  until_ok '[ "$(cat runs)" = start ]'
}

@test "--retry runs a failed command again" {
  run_ev -1 after 1ms --retry 3 --backoff 10ms -- 'echo x >>tries; [ "$(wc -l <tries)" = 3 ]'
  [ "$status" = 0 ]
  [ "$(lines_of tries)" = 3 ]
}

@test "--on-busy signal signals nobody between two attempts: no command runs then" {
  start -v signal USR1 --retry 1 --backoff 1h --on-busy signal --signal KILL -- 'sleep 1000 & echo $! >left; exit 1'
  kill -USR1 "$P"
  until_ok 'grep -q "attempt 1 failed" err'
  for n in 2 3; do
    kill -USR1 "$P"
    until_ok "[ \"\$(grep -c 'signal1: USR1' err)\" = $n ]"
  done
  kill -0 "$(cat left)"
}

@test "--debounce gathers" {
  local pids=()
  for _ in 1 2 3; do
    true &
    pids+=($!)
    wait $!
  done
  run_ev exit "${pids[@]}" --debounce 300ms -- 'echo $#'
  [ "$output" = 3 ]
}

@test "subjects that do not fit one argument list are handed over in several runs" {
  python3 -c '
for i in range(10000): print("x" * 245 + "%05d" % i)' >long
  mkdir d
  # Only create: the subject of an overflow, should the machine be slow, is not a file's name.
  start file d --events create --debounce 300ms -- 'echo $# >>runs; printf "%s\n" "$@" >>all'
  (cd d && xargs touch <../long)
  until_ok '[ "$(lines_of all)" = 10000 ]'
  [ "$(lines_of runs)" -ge 2 ]
}

@test "as many subjects as fit are counted for every {} of the command" {
  once_for_all_backends
  mkdir d
  seq -f 'a-name-that-is-rather-long-as-names-of-files-go-and-its-number-is-%g' 30000 | (cd d && xargs touch)
  start file d --existing --stdin json -- sh -c 'echo $# >>runs; cat >>events' x {} {}
  until_ok '[ "$(awk "{ n += \$1 } END { print n }" runs)" = 60000 ]'
  [ ! -s err ]
  until_ok '[ "$(lines_of events)" = 30000 ]'
  [ "$(sort -u events | wc -l)" = 30000 ]
}

@test "no descriptor but 0, 1 and 2 reaches a command, and signals are at their defaults" {
  exec 9</dev/null
  run_ev -1 after 1ms -- 'ls /proc/self/fd | wc -l; grep -E "Sig(Blk|Ign)" /proc/self/status | cut -f2 | sort -u'
  exec 9<&-
  [ "$output" = $'4\n0000000000000000' ]
}

@test "a command has a process group of its own" {
  run_ev -1 after 1ms -- 'ps -o pgid= -p $$ | tr -d " "; echo $$'
  [ "${lines[0]}" = "${lines[1]}" ]
}

# A user whom nobody else is may have four processes: evwatch, its guardian and two commands.
@test "where no process can be made it is tried again, told once, and nothing is lost" {
  command -v setpriv >/dev/null || skip "there is no setpriv here"
  local uid=$((100000 + RANDOM * 32 + RANDOM % 32))
  exec 9<"$EV"
  seq 8 >numbers
  (cd / && timeout 100 setpriv --reuid $uid --regid $uid --clear-groups prlimit --nproc=4 \
    /proc/self/fd/9 -v lines - -j 4 -- /bin/sleep 0.1) <numbers >out 2>err
  [ "$(grep -c 'ended after .* status 0' err)" = 8 ]
  [ "$(grep -c 'trying again until it works' err)" = 1 ]
}

@test "where no descriptor is left the rest waits for a run to end, told once, and nothing is lost" {
  seq 100 >numbers
  ulimit -S -n 24
  timeout 100 "$EV" -v lines numbers -j 40 --output group -- 'echo "$1"; sleep 0.02' 2>err | sort -n >got
  cmp got numbers
  [ "$(grep -c 'trying again until it works' err)" = 1 ]
  [ "$(grep -c 'started, pid' err)" = 100 ]
}

@test "HUP opens the file of --output anew; what runs goes on in the old one" {
  mkfifo go
  echo 'lines input --follow --output log -- echo begun $1; read -r word <go; echo ended $1' >rules
  : >input
  start -f rules
  echo one >>input
  until_ok 'grep -q "begun one" log'
  mv log log.1
  kill -HUP "$P"
  until_ok '[ -e log ]'
  echo >go
  until_ok 'grep -q "ended one" log.1'
  echo two >>input
  until_ok 'grep -q "begun two" log'
  echo >go
  until_ok 'grep -q "ended two" log'
  [ "$(lines_of log.1)" = 2 ]
}

@test "--output to a FIFO waits for no reader, and what one missed the next one gets" {
  mkfifo log
  : >input
  start -v -e 'a: lines input --follow --output log -- echo "$1"' -e 'b: lines input --follow --output log --tag -- echo "$1"'
  for i in 1 2; do
    echo $i >>input
    until_ok '[ "$(grep -c "run '$i' ended" err)" = 2 ]'
    [ "$(timeout 100 head -n 2 log | sort)" = "$i
b: $i" ]
  done
}

@test "--count N starts no more than N runs, however many may run at once" {
  seq 20 >numbers
  run_ev -v -c 6 lines numbers -j 8 -- 'sleep 0.1'
  [ "$status" = 0 ]
  [ "$(grep -c 'run [0-9]* started' <<<"$output")" = 6 ]
  run_ev -v -c 3 -e 'a: lines numbers -j 4 -- sleep 0.1' -e 'b: lines numbers -j 4 -- sleep 0.1'
  [ "$status" = 0 ]
  [ "$(grep -c 'run [0-9]* started' <<<"$output")" = 3 ]
  run_ev -v -c 3 every 1ms --on-busy parallel -- 'sleep 0.1'
  [ "$(grep -c 'run [0-9]* started' <<<"$output")" = 3 ]
}

@test "what cannot be started counts as a run with status 127 or 126, and the message says why" {
  printf '#!/nonesuch/interpreter\n' >script
  : >text
  mkdir folder
  chmod +x script
  long=$(head -c 200000 /dev/zero | tr '\0' x)
  seq 2 >two
  while read -r wanted message words; do
    # Alone, and one beside the other, whose exec nobody waits for.
    for n in 1 2; do
      echo "lines two -j 8 ${words/LONG/$long}" >rules
      run_ev -c $n -f rules
      echo "$output"
      [ "$status" = "$wanted" ]
      grep -q -e "$(tr _ ' ' <<<"$message")" <<<"$output"
    done
    grep -q -e "$(tr _ ' ' <<<"$message").* (1 more)\$" <<<"$output"
  done <<'END'
127 nonesuch:_command_not_found -- nonesuch x
127 ./script:_its_interpreter -- ./script x
126 ./text:_cannot_execute:_it_is_not_executable_(chmod_+x) -- ./text x
126 ./folder:_cannot_execute:_it_is_a_directory -- ./folder x
126 --cwd_/nonesuch:_No_such_file --cwd /nonesuch -- true x
127 /nonesuch/sh:_command_not_found --shell /nonesuch/sh -- true
126 true:_an_argument_or_environment_variable_is_too_long --env X=LONG -- true x
END
}

@test "of eight that start at once each has its own status, whether it can be started or not" {
  printf 'exit 3\n' >script
  : >text
  chmod +x script
  for i in {1..60}; do printf '%s\n' true false nonesuch ./script ./text; done >programs
  timeout 100 "$EV" -v lines programs -j 8 -- '{}' x 2>err
  awk '/ ended after / { n[($5 - 1) % 5 " " $NF]++ } END { for (i in n) print i, n[i] }' err | sort >got
  diff - got <<'END'
0 0 60
1 1 60
2 127 60
3 3 60
4 126 60
END
  run awk '/command not found|cannot execute/ { n += match($0, /\([0-9]+ more\)/) ? substr($0, RSTART + 1) : 1 } END { print n }' err
  [ "$output" = 120 ]
}

@test "one that may not be executed for want of processes is started later, and nothing is lost" {
  [ "$(id -u)" = 0 ] || skip "--run-as takes root"
  # A user whom nobody else is may have two: execve(2) refuses the others with EAGAIN.
  local uid=$((200000 + RANDOM))
  seq 20 >numbers
  timeout 100 prlimit --nproc=2 "$EV" -v lines numbers -j 8 --run-as $uid:$uid -- sleep 0.03 2>err
  [ "$(grep -c 'ended after .* status 0' err)" = 20 ]
  [ "$(grep -c 'trying again until it works' err)" -ge 1 ]
  [ "$(grep -c 'started, pid' err)" = 20 ]
}

@test "a command that cannot be started is told once, and then how often" {
  seq 5000 >numbers
  run_ev lines numbers -- nonesuch x
  [ "${lines[0]}" = "evwatch: lines1: nonesuch: command not found" ]
  [[ ${lines[1]} = "evwatch: lines1: nonesuch: command not found ("*" more)" ]]
  told=$(awk '{ n += gsub(/.*\(| more\)$/, "") ? $0 : 1 } END { print n }' <<<"$output")
  [ "$told" = 5000 ]
}

@test "a full disk is told once, with its file, and HUP goes on" {
  ln -s /dev/full log
  echo 'lines input --follow --tag --output log -- echo' >rules
  : >input
  start -v -f rules
  echo 1 >>input
  until_ok 'grep -q "run 1 ended" err' && echo 2 >>input
  until_ok 'grep -q "run 2 ended" err'
  until_ok '[ "$(grep -c "cannot write to log: No space left" err)" = 1 ]'
  rm log
  kill -HUP "$P"
  until_ok '[ -e log ]'
  echo 3 >>input
  until_ok '[ -s log ]'
}

@test "text that is run without a shell has the result that the shell would give it" {
  once_for_all_backends
  for seed in 1 2; do
    mkdir $seed
    run bash -c "cd $seed && timeout 100 python3 '$BATS_TEST_DIRNAME/shell_text.py' '$EV' $seed 300"
    echo "$output"
    [ "$status" = 0 ]
  done
}

@test "a long queue of commands that cannot be started neither nests nor stops the loop" {
  printf '#!/bin/sh\nuntil [ -e go ]; do sleep 0.01; done\n' >command
  chmod +x command
  ulimit -S -s 256
  start -v -e 'c: signal RTMIN+1 -- ./command x' -e 'q: signal USR2 -- echo here >>seen'
  python3 -c '
import os, signal, sys
for i in range(3000):
    os.kill(int(sys.argv[1]), signal.SIGRTMIN + 1)' "$P"
  rm command
  touch go
  until_ok '[ "$(grep -c "run .* ended" err)" = 3000 ]'
  kill -USR2 "$P"
  until_ok '[ -s seen ]'
  stop
  [ "$STATUS" = 143 ]
}
