/* lib/reactor: descriptors that are watched once, or with a timeout. */
#include "reactor_suite.h"

enum { MS = 1000000 };

static void test_once(void)
{
	struct reactor *r = reactor_here();
	struct probe once, always;
	int fds[2];

	stream_open(fds);
	probe_start(r, &once, fds[0], IO_READ | IO_ONCE);
	probe_start(r, &always, fds[0], IO_READ);
	turns(r, 2);
	EQUAL(once.calls, 0, "one that is watched once waits");
	put(fds[1], "a");
	turns(r, 4);
	HOLDS(once.calls == 1 && once.last == IO_READ, "it is called once");
	HOLDS(!once.io.started, "and is stopped");
	HOLDS(always.calls >= 3, "which another of the same descriptor does not feel");
	io_start(r, &once.io);
	turns(r, 3);
	HOLDS(once.calls == 2 && !once.io.started, "started again it is called once again");
	io_change(r, &once.io, IO_READ);
	io_start(r, &once.io);
	turns(r, 3);
	HOLDS(once.calls >= 4 && once.io.started, "and changed, as often as it is ready");
	io_change(r, &once.io, IO_READ | IO_ONCE);
	once.calls = 0;
	turns(r, 3);
	HOLDS(once.calls == 1 && !once.io.started, "and changed back, once");
	reactor_free(r);
	close_both(fds);
}

static void start_anew(struct reactor *r, struct probe *p)
{
	HOLDS(!p->io.started, "in its callback it is stopped already");
	if (p->calls < 3)
		io_start(r, &p->io);
	else
		free(p);
}

static void test_once_in_its_callback(void)
{
	struct reactor *r = reactor_here();
	struct probe *p = malloc(sizeof *p);
	int fds[2];

	stream_open(fds);
	put(fds[1], "a");
	probe_start(r, p, fds[0], IO_READ | IO_ONCE);
	p->act = start_anew;
	reactor_run(r);
	HOLDS(true, "it may be started again, and freed, in its callback");
	reactor_free(r);
	close_both(fds);
}

struct timed {
	struct timed_io io;
	int calls, timeouts, again;
	unsigned last;
	int64_t at;
};

static void on_timed(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct timed *t = CONTAINER_OF(w, struct timed, io.io);

	t->calls++;
	t->timeouts += ready == IO_TIMEOUT;
	t->last = ready;
	t->at = clock_read(CLOCK_OF_LOOP);
	if (ready & IO_READ)
		take(w->fd, 1);
	if (ready & IO_TIMEOUT && --t->again < 0)
		io_stop(r, w);
}

static void start_timed(struct reactor *r, struct timed *t, int fd, unsigned interest,
			int64_t timeout)
{
	*t = (struct timed){0};
	timed_io_init(&t->io, fd, interest, timeout, on_timed);
	if (io_start(r, &t->io.io) < 0)
		bail_out("io_start");
}

static void test_timeout(void)
{
	struct reactor *r = reactor_here();
	int64_t began = clock_read(CLOCK_OF_LOOP);
	struct timed t;
	int fds[2];

	stream_open(fds);
	start_timed(r, &t, fds[0], IO_READ, 20 * MS);
	t.again = 2;
	reactor_run(r);
	HOLDS(t.calls == 3 && t.timeouts == 3, "a quiet descriptor times out, again and again");
	HOLDS(t.at - began >= 60 * MS, "never early");
	start_timed(r, &t, fds[0], IO_READ | IO_ONCE, 5 * MS);
	reactor_run(r);
	HOLDS(t.calls == 1 && t.last == IO_TIMEOUT && !t.io.io.started, "or once");
	HOLDS(!timer_active(&t.io.timer), "and no timer is left behind");
	start_timed(r, &t, fds[0], IO_READ, INT64_MAX);
	io_stop(r, &t.io.io);
	reactor_run(r);
	HOLDS(t.calls == 0 && !timer_active(&t.io.timer), "none is left of one that is stopped");
	reactor_free(r);
	close_both(fds);
}

/* Late ticks of a busy machine cannot make it fail: each byte is there before the loop looks. */
static void test_put_off(void)
{
	struct reactor *r = reactor_here();
	int64_t end = clock_read(CLOCK_OF_LOOP) + 100 * MS;
	struct timed t;
	int fds[2];

	stream_open(fds);
	start_timed(r, &t, fds[0], IO_READ, 10 * MS);
	while (clock_read(CLOCK_OF_LOOP) < end) {
		put(fds[1], "x");
		reactor_turn(r, MS);
	}
	HOLDS(t.calls > 0 && t.timeouts == 0,
	      "what becomes ready in time puts it off, though the loop is late to see it");
	t.again = 0;
	while (!t.timeouts)
		reactor_turn(r, -1);
	EQUAL(t.last, IO_TIMEOUT, "and when nothing comes any more it is told so, alone");
	reactor_free(r);
	close_both(fds);
}

static void test_refused(void)
{
	struct reactor *r = reactor_here();
	struct timed t;
	int fds[2];

	pipe_open(fds);
	start_timed(r, &t, fds[0], IO_READ, 1000 * (int64_t)MS);
	close_both(fds);
	for (int i = 0; i < 10 && !t.calls; i++)
		reactor_turn(r, MS);
	HOLDS(t.calls == 1 && t.last & IO_ERROR && !t.io.io.started, "a closed one is refused");
	reactor_run(r);
	HOLDS(!timer_active(&t.io.timer), "and its timeout is over");
	reactor_free(r);
}

static const struct conformance cases[] = {
    {"once", test_once},       {"once in its callback", test_once_in_its_callback},
    {"timeout", test_timeout}, {"timeout put off", test_put_off},
    {"refused", test_refused}, {0},
};

int main(void)
{
	return conformance_run(cases);
}
