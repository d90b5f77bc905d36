"""What the soaks of a whole evwatch share: one that runs in a folder of its own, and the ticks that it printed beside its work."""
import json, os, resource, shutil, signal, socket, subprocess, sys, tempfile, time

LIMIT = 20000


def raise_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = LIMIT if hard == resource.RLIM_INFINITY else min(hard, LIMIT)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()]


class Evwatch:
    """In a new folder, which is the working directory from then on."""

    def __init__(self, program):
        raise_limit()
        self.program = os.path.realpath(program)
        self.folder = tempfile.mkdtemp(prefix="evwatch-soak.")
        os.chmod(self.folder, 0o755)
        os.chdir(self.folder)

    def start(self, rules, *options):
        """It is armed when this returns."""
        self.write(rules)
        self.out, self.err = open("out", "w"), open("err", "w")
        self.process = subprocess.Popen(
            [self.program, "--control", "ctl", "--ready-file", "ready", *options, "-f", "r.rules"],
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err)
        while not os.path.exists("ready"):
            assert self.process.poll() is None, open("err").read()
            time.sleep(0.01)
        self.loop = children(self.process.pid)[0]

    @staticmethod
    def write(rules):
        with open("r.rules.new", "w") as f:
            f.write(rules)
        os.rename("r.rules.new", "r.rules")

    @staticmethod
    def port(rule):
        with open("ready") as f:
            return next(int(l.rsplit(":", 1)[1]) for l in f if l.startswith(rule + " "))

    def client(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect("ctl")
        return s

    def ask(self, request):
        with self.client() as s:
            s.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(s.makefile().readline())
        assert answer["ok"], answer
        return answer

    def reload(self, rules):
        """Returns how long that took, in seconds."""
        self.write(rules)
        began = time.monotonic()
        self.ask({"do": "reload"})
        return time.monotonic() - began

    def end(self):
        """By TERM; returns how long that took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == -signal.SIGTERM, self.process.returncode
        return time.monotonic() - began

    def events(self, rule):
        with open("out", errors="replace") as f:
            for line in f:
                if line.endswith("\n") and f'"rule":"{rule}"' in line:
                    yield json.loads(line)

    def missed(self, rule):
        """How many ticks of a timer were printed, how many of them it missed."""
        events = list(self.events(rule))
        return len(events), sum(int(e["missed"]) for e in events)

    def forget(self):
        os.chdir("/")
        shutil.rmtree(self.folder)
