#!/usr/bin/env bats
# Completions, in the real shells.
load helper

prepare() {
  mkdir -p bin
  ln -s "$(realpath "$EV")" bin/evwatch
  PATH=$PWD/bin:$PATH
  export XDG_CONFIG_HOME=$PWD XDG_DATA_HOME=$PWD HOME=$PWD
}

# for_words WORD...: what evwatch offers for the last of them.
for_words() {
  "$EV" completions --for "$@" | cut -f 1 | tr '\n' ' '
}

# in_bash WORD...: what bash is given, for the last word.
in_bash() {
  bash --norc -c 'eval "$(evwatch completions bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }
    _evwatch; printf "%s|" "${COMPREPLY[@]}"' bash "$@"
}

need() {
  command -v "$1" >/dev/null || skip "there is no $1"
}

@test "kinds, tools, options and the values of choices come from the tables" {
  once_for_all_backends
  [ "$(for_words fi)" = 'file ' ]
  [[ $(for_words '') = *'trigger '* ]]
  [ "$(for_words file src --on-busy re)" = 'restart ' ]
  [ "$(for_words --backend=e)" = '--backend=epoll ' ]
  [ "$(for_words cron --fold '')" = 'once twice ' ]
  [ "$(for_words status --pro)" = '--prometheus ' ]
  [ "$(for_words signal HU)" = 'HUP ' ]
  [ "$(for_words every 1s --tz Europe/Berl)" = 'Europe/Berlin ' ] || [ ! -e /usr/share/zoneinfo/zone.tab ]
  [[ $(for_words every 1s --run-as roo) = *'root '* ]]
  [[ $(for_words --user roo) = *'root '* ]]
  [ "$(for_words file --help)" = '--help ' ]
  [ "$(for_words file '')" = ':files ' ]
  [ "$(for_words file src -- '')" = ':command ' ]
  for kind in $("$EV" --help | sed -n '/^Kinds/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    [[ $(for_words "${kind:0:2}") = *"$kind "* ]]
    for option in $("$EV" "$kind" --help all | grep -v 'not there yet' | sed -n 's/^  \(-.,\|   \) --\([a-z-]*\) .*/--\2/p'); do
      [[ $(for_words "$kind" "$option") = *"$option "* ]] || { echo "$kind $option"; return 1; }
    done
  done
}

@test "rules are completed from a running evwatch" {
  export EVWATCH_CONTROL=$PWD/ctl
  start --control ctl -e 'build: every 1h -- true' -e 'backup: every 1h -- true'
  [ "$(for_words trigger b)" = 'build backup ' ]
  [ "$(for_words stop bu)" = 'build ' ]
  stop
  [ "$(for_words trigger b)" = '' ]
}

@test "bash: words, values behind =, files" {
  need bash
  touch 'a file'
  [ "$(in_bash evwatch fi)" = 'file|' ]
  [ "$(in_bash evwatch file --on-busy res)" = 'restart|' ]
  [ "$(in_bash evwatch every 1s --on-busy = res)" = 'restart|' ]
  [ "$(in_bash evwatch every 1s --on-busy =)" = 'queue|skip|restart|signal|parallel|' ]
  [ "$(in_bash evwatch file a)" = 'a file|' ]
  [[ $(in_bash evwatch every 1s -- ca) = *'cat|'* ]]
}

@test "fish: words with their meaning, files" {
  need fish
  touch some-file
  evwatch completions fish >ev.fish
  run fish -c 'source ev.fish; complete -C "evwatch fi"'
  grep -q "^file	when files" <<<"$output"
  run fish -c 'source ev.fish; complete -C "evwatch every 1s --on-busy=re"'
  grep -q '^--on-busy=restart' <<<"$output"
  run fish -c 'source ev.fish; complete -C "evwatch file some-"'
  grep -q '^some-file' <<<"$output"
  run fish -c 'source ev.fish; complete -C "evwatch every 1s -- ca"'
  grep -q '^cat' <<<"$output"
  run fish -c 'source ev.fish; complete -C "evwatch every 1s -- cat some-"'
  grep -q '^some-file' <<<"$output"
}

@test "zsh: a word is completed when Tab is pressed" {
  need zsh
  need tmux
  evwatch completions zsh >_evwatch
  tmux -L "zsh$$" -f /dev/null new-session -d -x 100 -y 30 'zsh -f'
  screen() { tmux -L "zsh$$" capture-pane -p; }
  tmux -L "zsh$$" send-keys "PS1='> '; fpath=($PWD \$fpath); PATH=$PWD/bin:\$PATH; autoload -U compinit; compinit -u -D; echo up" Enter
  until_ok 'screen | grep -q "^up"'
  tmux -L "zsh$$" send-keys 'evwatch file --on-bu' Tab
  until_ok 'screen | grep -q "file --on-busy *$"'
  tmux -L "zsh$$" send-keys 'rest' Tab
  until_ok 'screen | grep -q "on-busy restart *$"'
  tmux -L "zsh$$" send-keys C-u 'evwatch trig' Tab
  until_ok 'screen | grep -q "evwatch trigger *$"'
  tmux -L "zsh$$" kill-server
}

@test "make install puts them where the shells look" {
  make -s -C "$ROOT" install BUILD="$(dirname "$(realpath "$EV")")" DESTDIR="$PWD/dest" PREFIX=/usr -o all
  for f in bash-completion/completions/evwatch zsh/site-functions/_evwatch fish/vendor_completions.d/evwatch.fish; do
    grep -q 'completions --for' "dest/usr/share/$f"
  done
  make -s -C "$ROOT" uninstall DESTDIR="$PWD/dest" PREFIX=/usr
  [ -z "$(find dest -type f)" ]
}
