# shellcheck shell=bash disable=SC2154
# The tools that are compared: what they are called, how each is started, and how it is ended. Loaded by
# run; wants $ev, $bin, $work and $npm.

have() { command -v "$1" >/dev/null; }
chokidar=$npm/node_modules/.bin/chokidar
sock=$work/watchman.sock
wm() { watchman --sockname="$sock" --no-spawn --no-local "$@"; }

# What Debian and npm have; what is not there is named, and the rest goes on.
name_missing() {
	local peer
	if [ ! -x "$chokidar" ] && have npm; then
		timeout 60 npm install --prefix "$npm" --no-audit --no-fund chokidar-cli >npm.log 2>&1 || true
	fi
	for peer in inotifywait fswatch entr watchman "$chokidar"; do
		have "$peer" || echo "missing: ${peer##*/}"
	done
	fanotify_works || echo "missing: fanotify ($(head -1 why))"
}
fanotify_works() { "$ev" -w 10ms file . --fanotify >/dev/null 2>why; }

# ---- processes ----

pids=()
started() { # OUT COMMAND...: in the background, in a session of its own
	local out=$1
	shift
	setsid "$@" >"$out" 2>"$out.err" </dev/null &
	pids+=($!)
}
ended() { # All that was started, and what it started.
	local p
	for p in "${pids[@]}"; do kill -- "-$p" 2>/dev/null || kill "$p" 2>/dev/null || true; done
	for p in "${pids[@]}"; do wait "$p" 2>/dev/null || true; done
	pids=()
}
until_true() { for _ in {1..3000}; do "$@" && return; sleep 0.01; done; return 1; }
rss() { awk '/VmRSS/ { print $2 }' "/proc/$1/status"; }

ours() { # ARGS...: evwatch file, armed; it writes to `out`
	rm -f ready
	started out "$ev" --ready-file ready file "$@"
	until [ -e ready ]; do sleep 0.0005; done
}
watchman_up() {
	started out watchman --foreground --sockname="$sock" -n --logfile="$work/wm.log" --pidfile="$work/wm.pid"
	until_true wm version >/dev/null 2>&1
}

# ---- a command at each change of d/f ----

# The careful loop: one that never stops watching while the command runs.
inotifywait_loop() { inotifywait -qme close_write d | while read -r _; do "$bin/stamp" "$work/stamps"; done; }
fswatch_loop() { fswatch "$@" d | while read -r _; do "$bin/stamp" "$work/stamps"; done; }
export -f inotifywait_loop fswatch_loop
export bin work

# runner TOOL: returns 1 where it is missing. Peers that do not tell when they watch get time.
runner() {
	local stamp=("$bin/stamp" "$work/stamps")
	rm -f out
	case $1 in
	floor) started out "$bin/floor" run d "${stamp[@]}" && until_true grep -q ready out ;;
	fanotify_floor)
		fanotify_works && started out "$bin/floor" markrun d "${stamp[@]}" && until_true grep -q ready out
		;;
	evwatch_0) ours d --debounce 0 -- "${stamp[@]}" ;;
	evwatch) ours d -- "${stamp[@]}" ;;
	fanotify_0) fanotify_works && ours d --fanotify --debounce 0 -- "${stamp[@]}" ;;
	fanotify) fanotify_works && ours d --fanotify -- "${stamp[@]}" ;;
	inotifywait) have inotifywait && started out bash -c inotifywait_loop && sleep 0.3 ;;
	fswatch) have fswatch && started out bash -c fswatch_loop && sleep 0.5 ;;
	fswatch_0.1) have fswatch && started out bash -c 'fswatch_loop -l 0.1' && sleep 0.5 ;;
	entr) have entr && started out bash -c 'echo d/f | entr -n "$bin/stamp" "$work/stamps"' && sleep 0.5 ;;
	chokidar) have "$chokidar" && started out "$chokidar" d/f -c "${stamp[*]}" && sleep 1.5 ;;
	watchman)
		have watchman && watchman_up && wm watch "$work/d" >wm.out &&
			wm -- trigger "$work/d" t f -- "${stamp[@]}" >>wm.out && sleep 0.5
		;;
	esac
}

# ---- what changes below s, one a line in `out` ----

# lister TOOL EVENTS: EVENTS as evwatch and inotifywait name them.
lister() {
	case $1 in
	evwatch) ours s --events "$2" ;;
	fanotify) fanotify_works && ours s --events "$2" --fanotify ;;
	inotifywait)
		have inotifywait && started out inotifywait -mr -e "$2" --format '%e %w%f' s &&
			until_true grep -q established out.err
		;;
	fswatch) have fswatch && started out fswatch -rx -l 0.1 s && sleep 0.5 ;;
	chokidar) have "$chokidar" && started out "$chokidar" s && sleep 1.5 ;;
	esac
}
