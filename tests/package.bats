#!/usr/bin/env bats
# What is handed out: the Debian package, the static binary, the units, the archive.
load helper

# Once is enough: none of it depends on the backend.
prepare() {
  once_for_all_backends
  BUILD=$(dirname "$(realpath "$EV")")
}

@test "the Debian package is installed, runs, and leaves nothing when it is removed" {
  [ "$(id -u)" = 0 ] || skip "takes root"
  command -v dpkg-deb >/dev/null || skip "there is no dpkg-deb"
  deb=$(make -s -C "$ROOT" deb BUILD="$BUILD" -o all)
  [ -s "$deb" ]
  mkdir -p root/var/lib/dpkg/{info,updates,triggers} root/tmp
  touch root/var/lib/dpkg/{status,available}
  find root -not -path 'root/var/*' -not -path root/tmp >before
  dpkg --root="$PWD/root" --force-depends --force-script-chrootless --log=/dev/null -i "$deb" >/dev/null
  root/usr/bin/evwatch --version | grep -q '^evwatch '
  for f in share/man/man1/evwatch.1.gz share/bash-completion/completions/evwatch lib/systemd/system/evwatch@.service share/doc/evwatch/copyright; do
    [ -s "root/usr/$f" ]
  done
  dpkg --root="$PWD/root" --force-depends --force-script-chrootless --log=/dev/null -i "$deb" >/dev/null
  dpkg --root="$PWD/root" --log=/dev/null -P evwatch >/dev/null
  [ -z "$(find root -path '*evwatch*' -not -path 'root/var/*')" ]
}

@test "lintian finds no error in the package" {
  command -v lintian >/dev/null || skip "there is no lintian"
  deb=$(make -s -C "$ROOT" deb BUILD="$BUILD" -o all)
  run lintian --fail-on error --suppress-tags no-manual-page,initial-upload-closes-no-bugs "$deb"
  echo "$output"
  [ "$status" = 0 ]
}

@test "the static binary is small, and runs in an empty root" {
  [ "$(id -u)" = 0 ] || skip "takes root"
  [ -x "$ROOT/build/static/evwatch" ] || skip "it was not built: make static"
  [ "$(stat -c %s "$ROOT/build/static/evwatch")" -le $((600 * 1024)) ]
  mkdir empty
  cp "$ROOT/build/static/evwatch" empty/
  run timeout 20 chroot empty /evwatch --no-guard -1 after 1ms
  [ "$output" = tick ]
  mkdir empty/dir
  timeout 60 chroot empty /evwatch --control /ctl --ready-file /ready -e 'f: file /dir --format "%e %s"' \
    -e 'l: listen 127.0.0.1:0' -e 'r: relay 127.0.0.1:0 unix:/echo' -e 'echo: listen unix:/echo' >out 2>err </dev/null 3>&- &
  STARTED+=("$!")
  until_ok '[ -e empty/ready ]'
  cp empty/ready ready
  touch empty/dir/a
  nc -N 127.0.0.1 "$(port l)" <<<hello
  nc -N 127.0.0.1 "$(port r)" <<<carried
  until_ok 'grep -q "create /dir/a" out && grep -q hello out && grep -q carried out'
  chroot empty /evwatch status --control /ctl | grep -q "^r: .* 1 accepted"
}

@test "systemd takes the units, and finds them hardened" {
  command -v systemd-analyze >/dev/null || skip "there is no systemd-analyze"
  mkdir -p units user run
  for unit in units:evwatch user:evwatch-user; do
    sed "s,/usr/bin/evwatch,$(realpath "$EV"),; /^Documentation/d" "$ROOT/man/${unit#*:}@.service" >"${unit%:*}/evwatch@.service"
  done
  run systemd-analyze verify --man=no "$PWD/units/evwatch@.service"
  echo "$output"
  [ -z "$output" ]
  XDG_RUNTIME_DIR=$PWD/run run systemd-analyze --user verify --man=no "$PWD/user/evwatch@.service"
  echo "$output"
  [ -z "$output" ]
  # 35 of 100: it has to run commands as root, on the network.
  run systemd-analyze security --offline=true --threshold=35 units/evwatch@.service
  echo "$output" | tail -n 1
  [ "$status" = 0 ]
}
