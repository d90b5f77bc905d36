"""Each kind with each sort of command under one busy policy. usage: policies.py EVWATCH POLICY

Three events a case: where the command takes long, two of them come while it runs. What must be
true afterwards is a table: counts, order, statuses. Then evwatch is ended, and nothing may be left.
Prints a line a case, and fails when one does.
"""
import os, re, signal, socket, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor

EVWATCH, POLICY = os.path.abspath(sys.argv[1]), sys.argv[2]
KINDS = ["signal", "every", "lines", "file", "listen", "probe", "exit"]
COMMANDS = ["slow", "fast", "failing", "stubborn", "forking", "daemonising"]
LONG = {"slow", "stubborn"}

# What a command does. $1 is its sort; it tells of its life in `trace`.
SCRIPT = r"""
begin() { echo "begin $EVWATCH_COUNT" >>trace; }
trap 'echo "usr2 $EVWATCH_COUNT" >>trace' USR2
case $1 in
stubborn) trap '' TERM ;;
esac
begin
case $1 in
slow | stubborn) while [ ! -e go ]; do sleep 0.02; done ;;
failing) exit 7 ;;
forking) sleep 1000.$2 & ;;
daemonising) setsid sh -c 'sleep 1000.$0 & exec </dev/null >/dev/null' $2 ;;
esac
echo "end $EVWATCH_COUNT" >>trace
"""


class Failed(Exception):
    pass


def until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed("never: " + what)
        time.sleep(0.005)


class Case:
    def __init__(self, kind, command, number):
        self.kind, self.command = kind, command
        self.mark = f"{os.getpid() % 100000:05d}{number:03d}"
        self.folder = tempfile.mkdtemp(prefix=f"{kind}.{command}.", dir=os.getcwd())
        self.helpers, self.sockets = [], []

    def path(self, name):
        return os.path.join(self.folder, name)

    def text(self, name):
        try:
            with open(self.path(name)) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def log(self, pattern):
        lines = re.sub(r"^[0-9:.]+ (?=evwatch: )", "", self.text("err"), flags=re.M)  # the time of day
        return re.findall(pattern, lines, re.M)

    # ---- events

    def source(self):
        if self.kind == "signal":
            return ["signal", "USR1"]
        if self.kind == "every":
            return ["every", "150ms"]
        if self.kind == "lines":
            open(self.path("input"), "w").close()
            return ["lines", "--follow", "input"]
        if self.kind == "file":
            os.mkdir(self.path("src"))
            return ["file", "src", "--debounce", "0", "--events", "create"]
        if self.kind == "listen":
            return ["listen", "unix:socket"]
        if self.kind == "probe":
            return ["probe", "unix:service", "--interval", "20ms"]
        self.helpers = [subprocess.Popen(["sleep", "1000"]) for _ in range(3)]
        return ["exit"] + [str(p.pid) for p in self.helpers]

    def trigger(self, i):
        if self.kind == "signal":
            os.kill(self.process.pid, signal.SIGUSR1)
        elif self.kind == "lines":
            with open(self.path("input"), "a") as f:
                f.write(f"line {i}\n")
        elif self.kind == "file":
            open(self.path(f"src/{i}"), "w").close()
        elif self.kind == "listen":
            s = socket.socket(socket.AF_UNIX)
            s.connect(self.path("socket"))
            self.sockets.append(s)
        elif self.kind == "probe":
            self.turn_service()
        elif self.kind == "exit":
            self.helpers[i].kill()
            self.helpers[i].wait()

    def turn_service(self):
        """Up, down, up: each a change that the probe tells."""
        if self.sockets:
            self.sockets.pop().close()
            os.unlink(self.path("service"))
            return
        s = socket.socket(socket.AF_UNIX)
        s.bind(self.path("service"))
        s.listen(4096)  # nobody accepts: a full backlog would be "down"
        self.sockets.append(s)

    # ---- what was seen

    def events(self):
        return len(self.log(rf"^evwatch: {self.kind}1: (?!run |stopp|on )\w+(?: |$)"))

    def begun(self):
        return len(re.findall("^begin", self.text("trace"), re.M))

    def statuses(self):
        return [int(s) for s in self.log(r"run \d+ ended after [^,]+, status (\d+)")]

    def most_at_once(self):
        now = most = 0
        for what in self.log(r"run \d+ (started|ended)"):
            now += 1 if what == "started" else -1
            most = max(most, now)
        return most

    def expect(self, what, got, wanted):
        if got != wanted and not (callable(wanted) and wanted(got)):
            raise Failed(f"{what}: {got}")

    # ---- the cases

    def run_short(self):
        timer = self.kind == "every"
        # On a busy machine a tick may come while a short one still runs, and end it by the policy.
        cut_short = {"restart": 128 + signal.SIGTERM, "signal": 128 + signal.SIGUSR2}.get(POLICY) if timer else None
        whole = lambda: [s for s in self.statuses() if s != cut_short]
        for i in range(3):
            self.trigger(i)
            until(lambda: len(whole()) > i, f"run {i + 1} ends")
        status = 7 if self.command == "failing" else 0
        self.expect("statuses", whole()[:3], [status] * 3)
        self.expect("runs", len(whole()), lambda n: n == 3 or timer and n > 3)

    def run_long(self):
        self.trigger(0)
        until(lambda: self.begun() == 1, "the first run begins")
        for i in (1, 2):
            self.trigger(i)
            # What cannot be run yet may be left unread by a source that can wait.
            if POLICY != "queue" or self.kind not in ("file", "lines", "listen"):
                until(lambda: self.events() > i, f"event {i + 1}")
            if POLICY == "signal":
                until(lambda: self.text("trace").count("usr2") >= i, f"signal {i}")
        getattr(self, "check_" + POLICY)()

    def go(self):
        open(self.path("go"), "w").close()

    def check_queue(self):
        if self.kind == "every":  # ticks that were missed are one: no more than that waits
            until(lambda: self.events() >= 2, "a second tick")
        self.expect("runs while the first goes on", self.begun(), 1)
        self.go()
        wanted = 2 if self.kind in ("file", "every") else 3
        until(lambda: len(self.statuses()) >= wanted, f"{wanted} runs end")
        self.expect("statuses", self.statuses()[:wanted], [0] * wanted)
        self.expect("at once", self.most_at_once(), 1)
        order = [int(n) for n in re.findall(r"^begin (\d+)", self.text("trace"), re.M)]
        self.expect("order", order[:wanted], list(range(1, wanted + 1)))

    def check_skip(self):
        until(lambda: len(self.log("skipped: the command still runs")) >= 2, "two are skipped")
        self.expect("runs", self.begun(), 1)
        self.go()
        until(lambda: self.statuses(), "it ends")
        self.expect("status", self.statuses()[0], 0)

    def check_restart(self):
        killed = 137 if self.command == "stubborn" else 143
        until(self.is_restarted, "it is restarted")
        # One that was stopped before it began knew nothing of being stubborn yet.
        begun = set(re.findall(r"^begin (\d+)", self.text("trace"), re.M))
        stopped = {(n in begun, int(s)) for n, s in self.log(r"run (\d+) ended .* status (\d+)")}
        self.expect("stopped", stopped, lambda got: got <= {(True, killed), (False, 143), (False, killed)})
        self.expect("at once", self.most_at_once(), 1)
        self.go()
        until(lambda: self.statuses()[-1] == 0, "the last one ends by itself")

    def is_restarted(self):
        """One was stopped at least, and the newest is at work: another may be stopped at birth."""
        started = self.log(r"run (\d+) started")
        return 0 < len(self.statuses()) == len(started) - 1 and f"begin {started[-1]}\n" in self.text("trace")

    def check_signal(self):
        self.expect("runs", self.begun(), 1)
        self.go()
        until(lambda: self.statuses(), "it ends")
        self.expect("status", self.statuses()[0], 0)

    def check_parallel(self):
        until(lambda: self.begun() >= 3, "three run at once")
        until(lambda: self.most_at_once() >= 3, "it tells so")
        self.go()
        until(lambda: len(self.statuses()) >= 3, "all end")
        self.expect("statuses", set(self.statuses()), {0})

    # ---- the frame

    def start(self):
        # A stubborn one is killed soon, a slow one has the time to end by TERM.
        signal = ["--signal", "USR2"] if POLICY == "signal" else []
        words = [EVWATCH, "-v", "--ready-file", "ready", *self.source(), "--on-busy", POLICY, *signal,
                 "--stop-timeout", "500ms" if self.command == "stubborn" else "60s", "--", "sh", "script", self.command, self.mark]
        with open(self.path("script"), "w") as f:
            f.write(SCRIPT)
        with open(self.path("err"), "w") as err:
            self.process = subprocess.Popen(words, cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=err)
        until(lambda: os.path.exists(self.path("ready")), "it is armed")

    def no_zombies(self):
        alike = subprocess.run(["ps", "-eo", "ppid=,stat=,args="], capture_output=True, text=True).stdout
        ours = {str(self.process.pid)}
        ours |= set(subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split())
        return not [l for l in alike.splitlines() if l.split()[0] in ours and l.split()[1].startswith("Z")]

    def end(self):
        if self.kind == "exit":  # the rule is over, and so is evwatch
            status = self.process.wait(100)
        else:
            until(self.no_zombies, "nothing is defunct")
            self.process.terminate()
            status = self.process.wait(100)
            self.expect("status of evwatch", status, -signal.SIGTERM)
        left = subprocess.run(["pgrep", "-fa", self.mark], capture_output=True, text=True).stdout
        if left:
            raise Failed("left behind: " + left)

    def run(self):
        try:
            self.start()
            (self.run_long if self.command in LONG else self.run_short)()
            self.end()
            return None
        except (Failed, subprocess.TimeoutExpired) as e:
            return f"{e}\n{self.text('err')}"
        finally:
            self.process.kill()
            for p in self.helpers:
                p.kill()
                p.wait()
            for s in self.sockets:
                s.close()


def main():
    cases = [Case(kind, command, 100 + i * len(COMMANDS) + k)
             for i, kind in enumerate(KINDS) for k, command in enumerate(COMMANDS)]
    failed = 0
    with ThreadPoolExecutor(6) as pool:
        for case, why in zip(cases, pool.map(Case.run, cases)):
            print("not ok" if why else "ok", POLICY, case.kind, case.command)
            if why:
                failed += 1
                print("  " + why.replace("\n", "\n  "))
    sys.exit(failed > 0)


main()
