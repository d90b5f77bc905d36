#!/usr/bin/env python3
"""Names that people do not expect: made below a folder, and looked for in what was told of them.
names.py make FOLDER | names.py check FOLDER JSON SUBJECTS
JSON has one object a line, SUBJECTS what a command got, each ended by NUL."""
import base64
import json
import os
import sys

NAMES = [
    b"new\nline", b"quote'\"", b"$(touch pwned)", b"`touch pwned`", b";touch pwned", b"-dash", b"--help",
    b" ", b"\t", b"\\", b"*", b"?", b"[a", b"~", b"{}", b"...", b"\x01\x1b[31m\x7f", b"n" * 255,
    b"invalid\xff\xfe\x80", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\xef\xbb\xbfmark",
    "\u202e\u2028\u00e9".encode(), "\U0001f600".encode(),
]  # among the last: cut, a surrogate, beyond Unicode, overlong


def paths(folder):
    return {folder + b"/" + n for n in NAMES} | {folder + b"/d/" + n + b"/" + n for n in NAMES}


def make(folder):
    for path in paths(folder):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write("x")


def path_of(line):
    """The JSON is valid, and UTF-8; what is no UTF-8 in a name is told exactly besides."""
    event = json.loads(line.decode("utf-8"))
    path = event["path"].encode("utf-8")
    return base64.b64decode(event["path_base64"]) if "path_base64" in event else path


def check(folder, told_json, told_subjects):
    with open(told_json, "rb") as f:
        in_json = {path_of(line) for line in f.read().split(b"\n") if line}
    with open(told_subjects, "rb") as f:
        subjects = {subject for subject in f.read().split(b"\0") if subject}
    for told in (in_json, subjects):
        for path in told ^ paths(folder):
            print("only one of told and made:", path)
    return in_json == subjects == paths(folder)


if sys.argv[1] == "make":
    make(os.fsencode(sys.argv[2]))
else:
    sys.exit(not check(os.fsencode(sys.argv[2]), sys.argv[3], sys.argv[4]))
