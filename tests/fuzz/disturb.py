"""Disturbs a tree at random: what a process may do to files, and nothing that waits for anybody.

Every step is drawn from the generator that it is given, so that a seed tells the whole sequence;
what fails (another process was there first) is ignored, as a careless program would.
"""

import ctypes
import os
import shutil
import stat
import time

RENAME_EXCHANGE = 2
AT_FDCWD = -100
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20000, 0x1000, 0x4000, 0x40000, 2
NOBODY = 65534
libc = ctypes.CDLL(None, use_errno=True)

# Few enough that they meet each other again and again; some that filters look at, some hostile.
NAMES = [b"a", b"b", b"c", b"d", b"e", b"f.c", b"g.c", b"x.txt", b"skip", b".f.swp", b"f.c~", b"4913",
         b"-e", b"new\nline", b"q'\"$(touch pwned)", b"\xff\xfe", b"tmp1", b"n" * 255]
LINKED = [b"h1", b"h2", b"h3"]  # names of hard links: written by nobody, see mirror.py


def mount_apart():
    """Whether this process, and those that it starts, may mount what nobody else sees."""
    return os.getuid() == 0 and libc.unshare(CLONE_NEWNS) == 0 and \
        libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0


def mounted_below(folder):
    with open("/proc/self/mountinfo", "rb") as f:
        points = [line.split()[4].decode("unicode_escape").encode("latin-1") for line in f]
    return [p for p in points if p.startswith(os.path.realpath(folder) + b"/")]


def unmount_below(folder):
    for point in reversed(mounted_below(folder)):
        libc.umount2(point, MNT_DETACH)


class Disturber:
    """The roots lie in the current folder, beside `outside`, to which and from which things move."""

    outside = b"outside"
    beside = b"beside"  # what is mounted: nobody touches it there

    def __init__(self, random, roots, flood=None):
        self.random = random
        self.roots = roots
        self.flood = flood
        self.serial = 0
        self.log = []
        self.counts = True  # else `appeared` stays empty: that is two thirds of the work
        self.appeared = {}  # path: how often something came to stand there
        self.hidden = set()  # names over which something was mounted, or that were renamed above a root
        self.steps = [
            (14, self.create), (10, self.write), (6, self.append), (8, self.remove), (10, self.mkdir),
            (5, self.mkdir_p), (5, self.rmtree), (12, self.rename), (5, self.move_out), (5, self.move_in),
            (5, self.exchange), (4, self.save), (4, self.save_like_vim), (3, self.hard_link), (4, self.symlink),
            (2, self.chmod), (3, self.touch), (2, self.truncate), (3, self.unpack), (1, self.replace_root), (1, self.exchange_root),
            (1, self.remove_root), (2, self.make_root), (2, self.burst), (3, self.rename_up), (2, self.copy_tree),
            (2, self.chmod_folder), (1, self.chown), (2, self.rename_ancestor), (2, self.bind), (2, self.unbind),
        ]
        if flood:
            self.steps.append((1, self.overflow))

    def forgo(self, *names):
        """Takes no steps of these names."""
        self.steps = [s for s in self.steps if s[1].__name__ not in names]

    def note(self, *words):
        self.log.append(b" ".join(w if isinstance(w, bytes) else str(w).encode() for w in words))

    # ---- places ----

    def name(self):
        return self.random.choice(NAMES)

    def folder(self):
        """Some directory in some root."""
        at = self.random.choice(self.roots)
        for _ in range(self.random.randrange(5)):
            try:
                below = [e.name for e in os.scandir(at) if e.is_dir(follow_symlinks=False)]
            except OSError:
                break
            if not below:
                break
            at = os.path.join(at, self.random.choice(sorted(below)))
        return at

    def place(self):
        """A path in some directory, there or not."""
        return os.path.join(self.folder(), self.name())

    def entry(self, wanted=None):
        """A path that is there (`wanted` says which), or one that may be."""
        at = self.folder()
        try:
            found = sorted(e.name for e in os.scandir(at) if not wanted or wanted(e))
        except OSError:
            found = []
        return os.path.join(at, self.random.choice(found)) if found else self.place()

    def file(self):
        return self.entry(lambda e: e.is_file(follow_symlinks=False) and e.name not in LINKED)

    def moved_name(self, old):
        """Hard links keep a name that says so."""
        return self.random.choice(LINKED) if os.path.basename(old) in LINKED else self.name()

    def stored(self):
        self.serial += 1
        return os.path.join(self.outside, b"%d-%d" % (os.getpid(), self.serial))

    def text(self):
        self.serial += 1
        return b"%d\n" % self.serial * self.random.choice([1, 1, 1, 100])

    # ---- what all steps are made of ----

    def count(self, path):
        if not self.counts:
            return
        # By the path that is told, should a link have led there.
        folder = os.path.relpath(os.path.realpath(os.path.dirname(path)))
        path = os.path.normpath(os.path.join(folder, os.path.basename(path)))
        self.appeared[path] = self.appeared.get(path, 0) + 1

    def put(self, path, mode="wb"):
        """Writes the file, unless it has other names, by which it would change unseen."""
        if os.path.basename(path) in LINKED or os.path.islink(path):
            return
        try:
            st = os.stat(path)
            if st.st_nlink > 1 and not stat.S_ISDIR(st.st_mode):
                return
        except FileNotFoundError:
            self.count(path)
        with open(path, mode) as f:
            f.write(self.text())

    def make(self, path):
        os.mkdir(path)
        self.count(path)

    def make_all(self, path):
        if not path or os.path.isdir(path):
            return
        self.make_all(os.path.dirname(path))
        self.make(path)

    def move(self, old, new):
        os.rename(old, new)
        self.count_below(new)

    def count_below(self, path):
        if not self.counts:
            return
        self.count(path)
        for at, folders, files in os.walk(path):
            for name in folders + files:
                self.count(os.path.join(at, name))

    def swap(self, one, other):
        if libc.renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) != 0:
            raise OSError(ctypes.get_errno(), "exchange")
        self.count_below(one)
        self.count_below(other)

    # ---- steps ----

    def create(self):
        path = self.place()
        self.note("create", path)
        self.put(path)

    def write(self):
        path = self.file()
        self.note("write", path)
        self.put(path)

    def append(self):
        path = self.file()
        self.note("append", path)
        if os.path.exists(path):
            self.put(path, "ab")

    def truncate(self):
        path = self.file()
        self.note("truncate", path)
        if os.stat(path).st_nlink == 1:
            os.truncate(path, 0)

    def touch(self):
        path = self.file()
        self.note("touch", path)
        os.utime(path)

    def chmod(self):
        path = self.file()
        self.note("chmod", path)
        os.chmod(path, self.random.choice([0o600, 0o644, 0o755]))

    def chmod_folder(self):
        path = self.folder()
        self.note("chmod", path)
        os.chmod(path, self.random.choice([0o700, 0o755, 0o777, 0o1777]))

    def chown(self):
        path = self.random.choice([self.folder, self.file])()
        self.note("chown", path)
        os.chown(path, self.random.choice([0, NOBODY]), -1)

    def bind(self):
        """Something else is mounted over a directory."""
        path = self.entry(lambda e: e.is_dir(follow_symlinks=False))
        self.serial += 1
        source = os.path.join(self.beside, b"%d-%d" % (os.getpid(), self.serial))
        self.note("bind", source, path)
        os.makedirs(os.path.join(source, b"a"))
        for below in (b"x.c", b"a/y.txt"):
            self.put(os.path.join(source, below))
        if libc.mount(source, path, None, MS_BIND, None) != 0:
            raise OSError(ctypes.get_errno(), "bind")
        self.hidden.add(os.path.basename(path))

    def unbind(self):
        points = mounted_below(b".")
        if points:
            path = self.random.choice(sorted(points))
            self.note("unbind", path)
            libc.umount2(path, MNT_DETACH)

    def remove(self):
        path = self.entry()
        self.note("remove", path)
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.unlink(path)

    def mkdir(self):
        path = self.place()
        self.note("mkdir", path)
        self.make(path)

    def mkdir_p(self):
        path = self.folder()
        for _ in range(self.random.randrange(2, 6)):
            path = os.path.join(path, self.name())
        self.note("mkdir -p", path)
        self.make_all(path)
        self.put(os.path.join(path, self.name()))
        self.put(os.path.join(os.path.dirname(path), self.name()))

    def rmtree(self):
        path = self.entry(lambda e: e.is_dir(follow_symlinks=False))
        self.note("rm -r", path)
        shutil.rmtree(path)

    def rename(self):
        old = self.entry()
        new = os.path.join(self.folder(), self.moved_name(old))
        self.note("rename", old, new)
        self.move(old, new)

    def rename_up(self):
        """Directories change places with what is in them, or near them."""
        old = self.entry(lambda e: e.is_dir(follow_symlinks=False))
        new = os.path.join(os.path.dirname(os.path.dirname(old)), self.name())
        if not any(new.startswith(r + b"/") for r in self.roots):
            return
        self.note("rename", old, new)
        self.move(old, new)
        self.put(os.path.join(new, self.name()))

    def move_out(self):
        old, new = self.entry(), self.stored()
        self.note("move out", old, new)
        self.move(old, new)
        if os.path.isdir(new) and self.random.randrange(2):
            self.put(os.path.join(new, self.name()))  # nobody may be told of that

    def move_in(self):
        """What was moved out, or came to be there, with all that is in it."""
        stored = sorted(os.listdir(self.outside))
        if not stored:
            return
        old = os.path.join(self.outside, self.random.choice(stored))
        if os.path.isfile(old) and os.stat(old).st_nlink > 1:
            os.unlink(old)
            return
        new = self.place()
        self.note("move in", old, new)
        self.move(old, new)

    def exchange(self):
        one, other = self.entry(), self.entry()
        if (os.path.basename(one) in LINKED) != (os.path.basename(other) in LINKED):
            return
        self.note("exchange", one, other)
        self.swap(one, other)

    def save(self):
        path = self.file()
        new = os.path.join(os.path.dirname(path), self.random.choice([b".new", b"4913", b"f.tmp"]))
        self.note("save", path)
        self.put(new)
        self.move(new, path)

    def save_like_vim(self):
        path = self.file()
        if os.path.isdir(path) and not os.path.islink(path):
            return  # it would move, also where nothing is to move
        self.note("save like vim", path)
        self.move(path, path[:-1] + b"~" if len(path) > 250 else path + b"~")
        self.put(path)
        os.chmod(path, 0o644)
        os.unlink(path[:-1] + b"~" if len(path) > 250 else path + b"~")

    def hard_link(self):
        path = self.file()
        new = os.path.join(self.folder(), self.random.choice(LINKED))
        self.note("hard link", path, new)
        os.link(path, new)
        self.count(new)

    def symlink(self):
        path = self.place()
        target = self.random.choice([b"nowhere", b"..", b".", os.path.relpath(self.folder(), os.path.dirname(path))])
        self.note("symlink", target, path)
        os.symlink(target, path)
        self.count(path)

    def unpack(self):
        """As tar does: directories, and files in them at once."""
        top = self.place()
        self.note("unpack", top)
        self.make(top)
        for i in range(self.random.randrange(1, 4)):
            below = os.path.join(top, b"%d" % i)
            self.make(below)
            for j in range(self.random.randrange(4)):
                self.put(os.path.join(below, b"%d.c" % j))

    def copy_tree(self):
        """Made ready outside and moved in, as package managers do."""
        top, at = self.stored(), self.place()
        self.note("make ready and move in", at)
        os.makedirs(os.path.join(top, b"a", b"skip"))
        for below in (b"x.c", b"a/y.txt", b"a/skip/z.c"):
            self.put(os.path.join(top, below))
        self.move(top, at)
        self.put(os.path.join(at, b"a", self.name()))

    def burst(self):
        at = self.folder()
        self.note("burst", at)
        for i in range(200):
            self.put(os.path.join(at, b"burst%d" % i))
        for i in range(0, 200, self.random.randrange(1, 4)):
            os.unlink(os.path.join(at, b"burst%d" % i))

    # ---- roots ----

    def remove_root(self):
        root = self.random.choice(self.roots)
        self.note("remove root", root)
        if os.path.isdir(root) and self.random.randrange(2):
            shutil.rmtree(root)
        else:
            self.move(root, self.stored())

    def make_root(self):
        root = self.random.choice(self.roots)
        if os.path.lexists(root):
            return
        self.note("make root", root)
        if os.path.basename(root).startswith(b"file"):
            self.put(root)
        else:
            self.make_all(root)
        if os.path.isdir(root):
            self.put(os.path.join(root, self.name()))

    def exchange_root(self):
        root, other = self.random.choice(self.roots), self.stored()
        if not os.path.isdir(root):
            return
        self.note("exchange root", root)
        os.makedirs(os.path.join(other, b"a"))
        self.put(os.path.join(other, b"a", b"g.c"))
        self.swap(other, root)

    def replace_root(self):
        root, ready = self.random.choice(self.roots), self.stored()
        self.note("replace root", root)
        if os.path.basename(root).startswith(b"file"):
            self.put(ready)
            self.move(ready, root)
            return
        os.makedirs(os.path.join(ready, b"a"))
        self.put(os.path.join(ready, b"f.c"))
        self.put(os.path.join(ready, b"a", b"g.c"))
        if os.path.isdir(root):
            self.move(root, self.stored())
        self.move(ready, root)

    def rename_ancestor(self):
        """What a root is in goes away, comes back, or both at once."""
        above = [r.split(b"/")[0] for r in self.roots if b"/" in r]
        if not above:
            return
        path = self.random.choice(above)
        away = path + b".away"
        for _ in range(self.random.randrange(1, 3)):
            self.note("rename ancestor", path)
            self.hidden.add(path)
            os.rename(*((path, away) if os.path.exists(path) else (away, path)))

    # ---- all of it ----

    def overflow(self):
        self.note("overflow")
        self.flood()

    def run(self, steps, pause):
        """`steps` steps; `pause` is called between them."""
        weights = [w for w, _ in self.steps]
        for _ in range(steps):
            step = self.random.choices(self.steps, weights)[0][1]
            try:
                step()
            except OSError:
                self.note("  (failed)")
            pause(self.random)


def pause_at_random(random):
    """Mostly none; sometimes what a scheduler would do, sometimes a person."""
    kind = random.randrange(60)
    if kind == 0:
        time.sleep(random.random() * 0.03)
    elif kind < 4:
        time.sleep(random.random() * 0.002)
