#!/usr/bin/env python3
"""Many connections through a relay, and whether each got what it should.

usage: storm.py serve PORT-FILE            the target; writes its port
       storm.py hold PORT N                N at once, held open, each answered twice
       storm.py storm PORT N [AT-ONCE]     N short ones, with every ending there is

The first byte of a connection says what the target does with it: `e` sends everything back and
passes the FIN on, `r` resets, `d` closes at once, `h` never reads and closes when a hundred more hang.
Of each kind the client knows what must come back. Prints what was lost, and ends with 1 then.
"""
import collections
import os
import random
import select
import socket
import struct
import sys
import time

READ, WRITE, GONE = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP | select.EPOLLERR
PATIENCE = 60


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


class Target:
    def __init__(self, port_file):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        self.loop = select.epoll()
        self.loop.register(self.listener, READ)
        self.all, self.hung = {}, collections.deque()
        with open(port_file + ".new", "w", encoding="ascii") as f:
            f.write(str(self.listener.getsockname()[1]))
        os.rename(port_file + ".new", port_file)

    def accept(self):
        while True:
            try:
                c = self.listener.accept()[0]
            except BlockingIOError:
                return
            self.all[c.fileno()] = c
            self.loop.register(c, READ)

    def drop(self, c, end=socket.socket.close):
        self.loop.unregister(c)
        del self.all[c.fileno()]
        end(c)

    def hang(self, c):
        self.loop.unregister(c)
        del self.all[c.fileno()]
        self.hung.append(c)
        if len(self.hung) > 100:
            self.hung.popleft().close()

    def serve(self, c):
        try:
            kind = c.recv(1, socket.MSG_PEEK)
            if kind == b"h":
                return self.hang(c)
            if kind == b"d":
                return self.drop(c)
            data = c.recv(65536)
            if kind == b"r":
                return self.drop(c, reset)
            if not data:
                return self.drop(c)
            c.setblocking(True)
            c.sendall(data)
            c.setblocking(False)
        except (ConnectionResetError, BrokenPipeError):
            self.drop(c)

    def run(self):
        while True:
            for fd, _ in self.loop.poll():
                if fd == self.listener.fileno():
                    self.accept()
                elif fd in self.all:
                    self.serve(self.all[fd])


class Client:
    """One short connection: says what it has to say, and waits for the end."""

    def __init__(self, port, number, kind):
        self.kind, self.got = kind, b""
        self.text = kind + b"%08d" % number + random.randbytes(random.choice((0, 100, 3000)))
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", port))

    def speak(self):
        self.socket.send(self.text)
        if self.kind == b"h":
            return True  # goes away without an answer
        self.socket.shutdown(socket.SHUT_WR)
        return False

    def hear(self):
        """True: it is over. With an echo that is wrong, raises."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            if self.kind in b"rd":
                return True
            raise
        self.got += data
        if data:
            return False
        if self.kind == b"e" and self.got != self.text:
            raise ValueError(f"{len(self.got)} of {len(self.text)} bytes")
        return True


def step(c, events):
    if events & WRITE and not events & GONE:
        return c.speak()
    return c.hear()


def storm(port, count, at_once):
    loop, clients, lost, begun, done = select.epoll(), {}, [], 0, 0
    end = time.monotonic() + PATIENCE + count / 500
    while done < count:
        while begun < count and len(clients) < at_once:
            c = Client(port, begun, random.choice((b"e", b"e", b"e", b"r", b"d", b"h")))
            clients[c.socket.fileno()] = c
            loop.register(c.socket, WRITE)
            begun += 1
        for fd, events in loop.poll(1):
            c = clients[fd]
            try:
                over = step(c, events)
                if not over:
                    loop.modify(c.socket, READ)
            except (OSError, ValueError) as error:
                if c.kind == b"e":
                    lost.append(f"{c.text[:9]}: {error}")
                over = True
            if over:
                loop.unregister(c.socket)
                clients.pop(fd).socket.close()
                done += 1
        if time.monotonic() > end:
            lost.append(f"{len(clients)} still wait, {count - begun} were not begun")
            break
    return lost


def hold(port, count):
    clients = []
    for i in range(count):
        clients.append(socket.create_connection(("127.0.0.1", port), PATIENCE))
        clients[-1].sendall(b"e%06d" % i)
        if i % 200 == 199:
            clients[-1].recv(1, socket.MSG_PEEK)  # not faster than they are accepted
    lost = [i for i, c in enumerate(clients) if c.recv(7, socket.MSG_WAITALL) != b"e%06d" % i]
    for c in clients:
        c.sendall(b"again")
    return lost + [i for i, c in enumerate(clients) if c.recv(5, socket.MSG_WAITALL) != b"again"]


def main(work, *words):
    if work == "serve":
        Target(words[0]).run()
    if work == "hold":
        lost = hold(int(words[0]), int(words[1]))
    else:
        lost = storm(int(words[0]), int(words[1]), int(words[2]) if len(words) > 2 else 100)
    print(f"{len(lost)} lost {lost[:5]}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
