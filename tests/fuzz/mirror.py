"""A mirror of a tree, kept by nothing but the events: what a synchronising program would have.

At each event of a path the mirror looks at that path and at no other. In the end it must be what a
walk of the tree finds; what differs was lost, or told wrongly.
"""

import base64
import os
import stat

from disturb import LINKED


def look(path):
    """(type, content): what is at the path; None: nothing."""
    try:
        st = os.lstat(path)
        if stat.S_ISDIR(st.st_mode):
            return ("d", None)
        if stat.S_ISLNK(st.st_mode):
            return ("l", os.readlink(path))
        # A hard link is written by its other names, too, of which no event here speaks.
        if st.st_nlink > 1 or os.path.basename(path) in LINKED:
            return ("f", None)
        with open(path, "rb") as f:
            return ("f", f.read())
    except OSError:
        return None


def walk(roots, enters):
    """All that is there: {path: (type, content)}. `enters(path, depth)`: may it be entered?"""
    found = {}

    def below(at, depth):
        try:
            names = os.listdir(at)
        except OSError:
            return
        for name in names:
            path = os.path.join(at, name)
            what = look(path)
            if what:
                found[path] = what
            if what and what[0] == "d" and enters(path, depth):
                below(path, depth + 1)

    for root in roots:
        what = look(root)
        if what:
            found[root] = what
        if what and what[0] == "d":
            below(root, 1)
    return found


def text_of(event, key):
    """A path as bytes."""
    if key + "_base64" in event:
        return base64.b64decode(event[key + "_base64"])
    return event[key].encode()


class Mirror:
    def __init__(self, there):
        self.there = dict(there)
        self.told = {}  # path: how often it was told to be created

    def forget(self, path):
        self.there.pop(path, None)
        for p in [p for p in self.there if p.startswith(path + b"/")]:
            del self.there[p]

    def move(self, old, path):
        moved = [p for p in self.there if p == old or p.startswith(old + b"/")]
        self.forget(path)
        for p in moved:
            self.there.pop(p, None)
            at = path + p[len(old):]
            self.there[at] = look(at) or ("gone", None)

    def take(self, event):
        name, path = event["event"], text_of(event, "path")
        if name in ("overflow", "unmount"):
            return
        if name == "delete":
            self.forget(path)
            return
        if name == "move":
            self.move(text_of(event, "old_path"), path)
        if name == "create":
            self.told[path] = self.told.get(path, 0) + 1
        what = look(path) or ("gone", None)
        # Net effects may leave out that it was a directory, and what was in it. Of what moved that is
        # known: what stands there by now may be its successor, and the events to come say so.
        if what[0] in "fl" and name != "move":
            self.forget(path)
        self.there[path] = what


def differences(mirror, tree, contents=True, may_return=lambda path: False):
    """What the mirror has wrong, a line each. `may_return`: what was away when the mirror looked may be back without
    another event, as where a directory above it is renamed, and renamed back, between two passes of polling."""
    mirror = dict(mirror)  # it goes on meanwhile
    wrong = []
    for path in sorted(set(mirror) | set(tree)):
        told, true = mirror.get(path), tree.get(path)
        if told is None:
            wrong.append(f"not told of: {path!r} is {true[0]}")
        elif true is None:
            wrong.append(f"told to be there: {path!r}, was {told[0]}")
        elif told[0] == "gone" and may_return(path):
            continue
        elif contents and told[0] != true[0]:
            wrong.append(f"{path!r} is {true[0]}, told as {told[0]}")
        elif contents and None not in (told[1], true[1]) and told[1] != true[1]:
            wrong.append(f"{path!r} was changed since it was told: {true[1][-20:]!r}, not {told[1][-20:]!r}")
    return wrong
