#!/usr/bin/env python3
"""lines --catch-up under rotation: evwatch is killed with -9, guardian and loop at once, KILLS times at random points.
usage: catch_up.py EVWATCH KILLS JOBS SEED. Fails when a line is lost, or more than JOBS a kill run again."""
import os
import random
import signal
import subprocess
import sys
import threading
import time

evwatch, kills, jobs, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
random.seed(seed)
written, over = 0, False


def write():
    """Numbered lines; every 40 or so the log is rotated, and its writer goes on for a moment."""
    global written
    log = open('log', 'a')
    rotation = 0
    while not over:
        written += 1
        log.write('%d\n' % written)
        log.flush()
        if written % 40 == 0:
            rotation += 1
            os.rename('log', 'log.%d' % rotation)
            fresh = open('log', 'a')
            written += 1
            log.write('%d\n' % written)
            log.close()
            log = fresh
        time.sleep(.005)


def start():
    return subprocess.Popen([evwatch, '-q', 'lines', 'log', '--follow', '--from', 'start', '--catch-up', 'state', '-j',
                             str(jobs), '--', 'echo "$1" >>seen'])


def works(p):
    """Not where a command of the last one, not executed yet, had the lock."""
    return p.poll() is None


def kill(p):
    children = subprocess.run(['pgrep', '-P', str(p.pid)], capture_output=True, text=True).stdout.split()
    for pid in [p.pid, *map(int, children)]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    p.wait()
    while any(lives(pid) for pid in children):
        time.sleep(.001)


def lives(pid):
    """Its lock goes with it, whoever reaps it."""
    try:
        with open('/proc/%s/stat' % pid) as f:
            return f.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def seen():
    with open('seen') as f:
        return [int(line) for line in f]


open('log', 'a').close()
open('seen', 'a').close()
writer = threading.Thread(target=write)
writer.start()
p = start()
for _ in range(kills):
    time.sleep(random.uniform(.02, .25))
    while not works(p):
        p = start()
        time.sleep(random.uniform(.02, .25))
    kill(p)
    if random.random() < .3:
        time.sleep(.1)
    p = start()
over = True
writer.join()
end = time.time() + 90
while len(set(seen())) < written and time.time() < end:
    if not works(p):
        p = start()
    time.sleep(.05)
p.terminate()
p.wait()
runs = seen()
lost = sorted(set(range(1, written + 1)) - set(runs))
again = len(runs) - len(set(runs))
print('%d lines, %d kills: %d lost, %d run again' % (written, kills, len(lost), again))
if lost:
    print('lost: %s' % lost[:20])
sys.exit(bool(lost) or again > kills * jobs)
