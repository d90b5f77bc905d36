#!/usr/bin/env bats
# What becomes of the output of commands: whole, in order, and in bounded memory.
load helper

# emit NUMBER: some thousand lines that tell where they belong.
prepare() {
  cat >emit <<'END'
#!/bin/sh
awk -v i="$1" 'BEGIN { n = 100 + i * 37 % 4000; for (k = 0; k < n; k++) print i, k; print i, "end" }'
echo "$1 to stderr" >&2
echo "$1" >>done
END
  chmod +x emit
}

# check_groups FILE COUNT: every group whole, in the order of its lines, none mixed.
check_groups() {
  awk -v count="$2" '
    !open { i = $1; k = 0; open = 1 }
    $1 != i { print "line of " $1 " within " i; exit bad = 1 }
    $2 == "end" { if (k != 100 + i * 37 % 4000) { print i " ends after " k; exit bad = 1 }; groups++; open = 0; next }
    $2 != k++ { print i ": " $2 " instead of " k - 1; exit bad = 1 }
    END { if (bad || open || groups != count) { print groups " groups"; exit 1 } }' "$1"
}

@test "groups of eight jobs at once are whole, in order and never mixed" {
  seq 400 | timeout 60 "$EV" lines - -j 8 --output group -- ./emit '{}' >got 2>err
  check_groups got 400
  [ "$(sort -n err | uniq | grep -c 'to stderr')" = 400 ]
}

@test "while nobody reads, grouped output waits in bounded memory, and all of it comes" {
  mkfifo pipe
  exec 5<>pipe
  seq 600 >numbers
  "$EV" --no-guard --ready-file ready lines - -j 4 --output group -- ./emit '{}' <numbers >pipe 2>err 5>&- &
  P=$!
  STARTED+=("$P")
  until_ok '[ "$(lines_of done)" = 600 ]' 60
  # The address sanitizer keeps what was freed.
  most=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$P/status")
  [ "$most" -lt 8000 ] || grep -q __asan_init "$EV"
  cat <pipe >got 3>&- 5>&- &
  reader=$!
  exec 5>&-
  ended
  wait "$reader"
  check_groups got 600
}

@test "the last line keeps its missing line break" {
  run_ev --within 5s -c 1 every 0.01s --output group -- 'printf "a\nb"'
  [ "$output" = "a
b" ]
  printf 'a\nb' >wanted
  "$EV" -c 1 every 0.01s --output group -- 'printf "a\nb"' >got
  cmp got wanted
}
