/* lib/reactor: descriptors that are closed, and their numbers reused. */
#include "reactor_suite.h"

#include <fcntl.h>
#include <poll.h>

static void test_closed(void)
{
	struct reactor *r = reactor_here();
	struct probe p, second;
	int fds[2];

	pipe_open(fds);
	p = probe_of(fds[0], IO_READ);
	second = probe_of(fds[0], IO_READ);
	close_both(fds);
	io_start(r, &p.io);
	io_start(r, &second.io);
	turns(r, 3);
	HOLDS(p.calls == 1 && p.last & IO_ERROR && !p.io.started,
	      "a closed descriptor is told once as an error, and stopped");
	HOLDS(second.calls == 1 && second.last & IO_ERROR, "to all of its watchers");
	pipe_open(fds);
	put(fds[1], "x");
	probe_start(r, &p, fds[0], IO_READ);
	turns(r, 1);
	EQUAL(p.last, IO_READ, "the number can be watched again when it is a file again");
	io_stop(r, &p.io);
	p = probe_of(-1, IO_READ);
	EQUAL(io_start(r, &p.io), -1, "a negative descriptor is refused at once");
	HOLDS(!p.io.started, "and not started");
	reactor_free(r);
	close_both(fds);
}

/* Closed and reused within one turn: the new file is watched, the old one's readiness is stale. */
static void test_reused(void)
{
	struct reactor *r = reactor_here();
	struct probe old, now;
	int a[2], b[2], duplicate;

	pipe_open(a);
	pipe_open(b);
	put(a[1], "x");
	probe_start(r, &old, a[0], IO_READ);
	turns(r, 1);
	EQUAL(old.calls, 1, "the first file is ready");
	io_stop(r, &old.io);
	duplicate = dup(a[0]); /* keeps the old file alive in the kernel's set */
	HOLDS(dup2(b[0], a[0]) == a[0], "its number names another file");
	probe_start(r, &now, a[0], IO_READ);
	turns(r, 3);
	EQUAL(now.calls, 0, "stale readiness of a reused number is not told");
	HOLDS(turns_within(r, 30000000) < 20, "and does not keep the loop awake");
	put(b[1], "y");
	turns(r, 1);
	EQUAL(now.calls, 1, "that the new file becomes readable is told");
	EQUAL(old.calls, 1, "to its own watcher alone");
	io_stop(r, &now.io);
	close(a[0]);
	turns(r, 3);
	reactor_free(r);
	close(duplicate);
	close(a[1]);
	close_both(b);
}

/* Poll keeps its array dense: the last one moves to where another was. */
static void test_one_of_three(void)
{
	struct reactor *r = reactor_here();
	struct probe probes[3];
	int fds[3][2];

	for (int i = 0; i < 3; i++) {
		pipe_open(fds[i]);
		probe_start(r, &probes[i], fds[i][0], IO_READ);
	}
	for (int i = 0; i < 3; i++) { /* the last one's registration is the fourth of its number */
		io_stop(r, &probes[2].io);
		turns(r, 1);
		io_start(r, &probes[2].io);
		turns(r, 1);
	}
	io_stop(r, &probes[0].io);
	for (int i = 0; i < 3; i++)
		put(fds[i][1], "x");
	turns(r, 1);
	HOLDS(!probes[0].calls && probes[1].calls == 1 && probes[2].calls == 1,
	      "when one of three is stopped the others are told");
	reactor_free(r);
	for (int i = 0; i < 3; i++)
		close_both(fds[i]);
}

/* Not what is asked of users; libevent bears it as well. */
static void test_reused_while_watched(void)
{
	struct reactor *r = reactor_here();
	struct probe p;
	int a[2], b[2];

	pipe_open(a);
	pipe_open(b);
	probe_start(r, &p, a[0], IO_READ);
	turns(r, 1);
	HOLDS(dup2(b[0], a[0]) == a[0], "a watched number names another file");
	io_change(r, &p.io, IO_READ | IO_HALF_CLOSE);
	put(b[1], "x");
	turns(r, 2);
	EQUAL(p.all, IO_READ, "which is watched once its interest is changed");
	reactor_free(r);
	close_both(a);
	close_both(b);
}

/* What the callback of one does to the other: its descriptor names another file from then on. */
static int reuse_with, reuse_duplicate;

static void reuse_other(struct reactor *r, struct probe *p)
{
	int fd = p->other->io.fd;

	p->act = p->other->act = NULL;
	io_stop(r, &p->other->io);
	reuse_duplicate = dup(fd);
	dup2(reuse_with, fd);
	io_init(&p->other->io, fd, IO_READ, on_io);
	io_start(r, &p->other->io);
}

/* Both were found ready by the same wait: what is told of the second is about a file that is gone.
 */
static void test_reused_in_the_same_round(void)
{
	struct reactor *r = reactor_here();
	struct probe a, b;
	int first[2], second[2], idle[2];

	pipe_open(first);
	pipe_open(second);
	pipe_open(idle);
	put(first[1], "x");
	put(second[1], "x");
	reuse_with = idle[0];
	probe_start(r, &a, first[0], IO_READ);
	probe_start(r, &b, second[0], IO_READ);
	a.act = b.act = reuse_other;
	a.other = &b;
	b.other = &a;
	turns(r, 1);
	EQUAL(a.calls + b.calls, 1, "readiness found before a number was reused is not told");
	turns(r, 3);
	EQUAL(a.calls + b.calls, 4, "nor later: only the other one goes on");
	reactor_free(r);
	close(reuse_duplicate);
	close_both(first);
	close_both(second);
	close_both(idle);
}

/* A live duplicate of a descriptor that was closed before its stop reached the kernel. */
static void live_duplicate(bool at_once)
{
	struct reactor *r = reactor_here();
	struct probe p;
	int fds[2], duplicate;

	pipe_open(fds);
	put(fds[1], "x");
	probe_start(r, &p, fds[0], IO_READ);
	turns(r, 1);
	duplicate = dup(fds[0]);
	if (at_once) {
		io_stop_close(r, &p.io);
	} else {
		io_stop(r, &p.io);
		close(fds[0]);
	}
	turns(r, 3);
	HOLDS(turns_within(r, 30000000) < 20, "a live duplicate of a closed file does not spin");
	EQUAL(p.calls, 1, "and calls nobody");
	reactor_free(r);
	close(duplicate);
	close(fds[1]);
}

static void test_live_duplicate(void)
{
	live_duplicate(false);
	live_duplicate(true);
}

/* io_stop_close leaves nothing behind: not for the number's next owner, and nothing started. */
static void test_io_stop_close(void)
{
	struct reactor *r = reactor_here();
	struct probe old, now;
	int a[2], b[2];

	pipe_open(a);
	pipe_open(b);
	put(a[1], "x");
	probe_start(r, &old, a[0], IO_READ);
	turns(r, 1);
	io_stop_close(r, &old.io);
	EQUAL(old.io.fd, -1, "a closed watcher has no descriptor");
	EQUAL(fcntl(a[0], F_GETFD), -1, "io_stop_close closes it");
	HOLDS(dup2(b[0], a[0]) == a[0], "its number names another file");
	probe_start(r, &now, a[0], IO_READ);
	turns(r, 2);
	EQUAL(old.calls + now.calls, 1, "nobody is called for the closed one");
	put(b[1], "y");
	turns(r, 1);
	EQUAL(now.calls, 1, "the number's next owner is told of its own");
	io_stop_close(r, &now.io);
	io_stop_close(r, &now.io);
	EQUAL(now.io.fd, -1, "closing twice is closing once");
	reactor_run(r);
	HOLDS(true, "and nothing is left started");
	reactor_free(r);
	close(a[1]);
	close(b[0]);
	close(b[1]);
}

/* One of two watchers closes the descriptor: the other hears of it, on every backend. */
static void test_closed_by_another(void)
{
	struct reactor *r = reactor_here();
	struct probe a, b;
	int fds[2];

	pipe_open(fds);
	probe_start(r, &a, fds[0], IO_READ);
	probe_start(r, &b, fds[0], IO_READ);
	turns(r, 1);
	io_stop_close(r, &a.io);
	turns(r, 3);
	HOLDS(b.calls == 1 && b.last & IO_ERROR, "what another watcher closed is told as an error");
	HOLDS(!b.io.started && a.calls == 0, "once, and to nobody else");
	reactor_free(r);
	close(fds[1]);
}

/* A file that the backend still held would stay open, and its peer would wait for ever. */
static void test_close_is_heard(void)
{
	struct reactor *r = reactor_here();
	struct pollfd peer = {.events = POLLIN};
	struct probe p;
	int fds[2];

	stream_open(fds);
	peer.fd = fds[1];
	probe_start(r, &p, fds[0], IO_READ);
	turns(r, 1);
	io_stop_close(r, &p.io);
	turns(r, 1);
	HOLDS(poll(&peer, 1, 10000) == 1 && peer.revents & POLLHUP,
	      "the peer of a closed descriptor hears of it");
	reactor_free(r);
	close(fds[1]);
}

static const struct conformance cases[] = {
    {"closed", test_closed},
    {"reused", test_reused},
    {"one of three", test_one_of_three},
    {"reused while it is watched", test_reused_while_watched},
    {"reused in the same round", test_reused_in_the_same_round},
    {"live duplicate", test_live_duplicate},
    {"stopped and closed at once", test_io_stop_close},
    {"closed by another", test_closed_by_another},
    {"close is heard", test_close_is_heard},
    {0},
};

int main(void)
{
	return conformance_run(cases);
}
