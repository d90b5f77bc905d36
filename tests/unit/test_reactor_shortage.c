/* lib/reactor: single shortages of memory, each at the place where it hurts. */
#include "reactor_work.h"

#include "../shim/calls.h"

#include <fcntl.h>

enum { MS = 1000000 };

/* One turn without any new memory. */
static void turn_without_memory(struct reactor *r)
{
	calls_fail("realloc", 1, ENOMEM, true);
	reactor_turn(r, 0);
	calls_reset();
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void test_edge(void)
{
	struct reactor *r = reactor_here();
	struct probe p;
	int fds[2];

	pipe_open(fds);
	probe_start(r, &p, fds[0], IO_READ | (reactor_has_edges(r) ? IO_EDGE : 0u));
	put(fds[1], "x");
	turn_without_memory(r);
	EQUAL(p.calls, 0, "without room in the queue an edge is not told");
	turns(r, 2);
	HOLDS(p.calls > 0, "but when there is room it is");
	calls_reset();
	turns(r, 3);
	EQUAL(calls_count(backend_is("epoll") ? "epoll_create1" : "io_uring_setup"), 0,
	      "for one new backend");
	reactor_free(r);
	close_both(fds);
}

static void test_always_ready(void)
{
	struct reactor *r = reactor_here();
	struct probe p, closed;

	probe_start(r, &p, open("/proc/self/exe", O_RDONLY), IO_READ);
	turn_without_memory(r);
	turns(r, 2);
	HOLDS(p.last == IO_READ, "a regular file is told when there is memory for it");
	p.calls = 0;
	for (int i = 0; i < 3; i++)
		reactor_turn(r, -1); /* hangs when it sleeps */
	EQUAL(p.calls, 3, "and keeps the loop awake");
	io_stop(r, &p.io);
	calls_reset();
	turns(r, 3);
	EQUAL(calls_count("epoll_create1"), 0, "until it is stopped, for no new backend");
	closed = probe_of(40, IO_READ); /* closed; a number that nothing takes meanwhile */
	closed.io.priority = 2;
	io_start(r, &closed.io);
	turn_without_memory(r);
	turns(r, 4);
	HOLDS(closed.calls == 1 && closed.last & IO_ERROR, "so is the error of a closed one");
	reactor_free(r);
	close(p.io.fd);
}

enum { MANY = 100 };

/* Started one a turn, so that there is no room to note as many changes at once. */
static void start_one_by_one(struct reactor *r, struct probe *probes, int fd)
{
	for (int i = 0; i < MANY; i++) {
		probe_start(r, &probes[i], dup(fd), IO_READ);
		turns(r, 1);
	}
}

static int sum_of_calls(const struct probe *probes)
{
	int n = 0;

	for (int i = 0; i < MANY; i++)
		n += probes[i].calls > 0;
	return n;
}

static void test_changes(void)
{
	static struct probe probes[MANY];
	struct reactor *r = reactor_here();
	int fds[2];

	stream_open(fds);
	start_one_by_one(r, probes, fds[0]);
	calls_fail("realloc", 1, ENOMEM, true);
	for (int i = 0; i < MANY; i++)
		io_change(r, &probes[i].io, IO_WRITE);
	calls_reset();
	turns(r, 3);
	EQUAL(sum_of_calls(probes), MANY, "changes that could not be noted hold all the same");
	calls_fail("realloc", 1, ENOMEM, true);
	for (int i = 0; i < MANY; i++)
		io_stop(r, &probes[i].io);
	calls_reset();
	for (int i = 0; i < MANY; i++)
		probes[i].calls = 0;
	turns(r, 3);
	EQUAL(sum_of_calls(probes), 0, "so do stops");
	HOLDS(turns_within(r, 30 * MS) < 20, "and nothing spins");
	for (int i = 0; i < MANY; i++)
		close(probes[i].io.fd);
	reactor_free(r);
	close_both(fds);
}

/* ---- timers, deferred calls ------------------------------------------------------------------ */

static int fired;

static void on_timer(struct reactor *r, struct timer *t)
{
	(void)r;
	(void)t;
	fired++;
	errno = E2BIG;
}

static void test_timers(void)
{
	struct reactor *r = reactor_here();
	struct timer t, wall, boot;

	fired = 0;
	timer_init(&t, CLOCK_OF_LOOP, on_timer);
	timer_start_in(r, &t, 0);
	turn_without_memory(r);
	HOLDS(!fired && timer_active(&t), "a timer that cannot be queued stays armed");
	reactor_run(r);
	EQUAL(fired, 1, "and fires when it can");
	timer_init(&wall, CLOCK_OF_WALL, on_timer);
	timer_start_in(r, &wall, 5 * MS);
	calls_fail("timerfd_settime", 1, ENOMEM, false);
	while (fired < 2)
		reactor_turn(r, -1); /* hangs when nothing looks again */
	calls_reset();
	timer_start_in(r, &wall, INT64_C(3600000000000));
	timer_init(&boot, CLOCK_OF_BOOT, on_timer);
	timer_start_in(r, &boot, 5 * MS);
	calls_fail("timerfd_settime", 1, ENOMEM, false);
	while (fired < 3)
		reactor_turn(r, -1);
	calls_reset();
	HOLDS(true, "an alarm that cannot be set is looked at all the same");
	reactor_free(r);
}

static void test_full_heap(void)
{
	enum { TIMERS = 1000 };
	static struct timer timers[TIMERS];
	struct reactor *r = reactor_here();
	int n = 0, again = 0;

	for (int i = 0; i < TIMERS; i++)
		timer_init(&timers[i], CLOCK_OF_LOOP, on_timer);
	timer_start_in(r, &timers[n++], 1000 * MS);
	calls_fail("aligned_alloc", 1, ENOMEM, true);
	while (n < TIMERS && timer_start_in(r, &timers[n], 1000 * MS) == 0)
		n++;
	HOLDS(n < TIMERS && errno == ENOMEM, "a timer that the heap has no room for is refused");
	for (int i = 0; i < n; i++)
		again += timer_start_in(r, &timers[i], 2000 * MS) == 0 &&
			 timer_start_in(r, &timers[i], 500 * MS) == 0;
	EQUAL(again, n, "but never one that is armed already");
	calls_reset();
	reactor_free(r);
}

static void on_deferred(struct reactor *r, struct timer *d)
{
	(void)r;
	(void)d;
	fired++;
}

static void test_deferred(void)
{
	struct reactor *r = reactor_here();
	struct timer d;

	fired = 0;
	timer_init(&d, CLOCK_OF_LOOP, on_deferred);
	timer_start_soon(r, &d);
	turn_without_memory(r);
	EQUAL(fired, 0, "a deferred call that cannot be queued waits");
	timer_stop(r, &d);
	reactor_run(r);
	EQUAL(fired, 0, "it can be stopped then");
	timer_start_soon(r, &d);
	turn_without_memory(r);
	reactor_run(r);
	HOLDS(fired == 1, "or is called when there is memory");
	reactor_free(r);
}

static void on_wake(struct reactor *r, struct waker *w)
{
	(void)r;
	(void)w;
	fired++;
}

static void test_waker_without_memory(void)
{
	struct reactor *r = reactor_here();
	struct waker w;

	fired = 0;
	waker_init(&w, on_wake);
	waker_start(r, &w);
	waker_wake(&w);
	turn_without_memory(r);
	EQUAL(fired, 0, "without room in the queue a wake-up is not told");
	turns(r, 1);
	EQUAL(fired, 1, "but when there is room it is");
	HOLDS(turns_within(r, 30 * MS) < 20, "and the loop sleeps again");
	calls_reset();
	waker_wake(&w);
	turns(r, 2);
	HOLDS(fired == 2 && calls_count("write") == 0 && calls_count("read") == 0,
	      "a wake-up that finds the loop at work costs no system call");
	waker_stop(r, &w);
	reactor_free(r);
}

static const struct conformance cases[] = {
    {"edge", test_edge},
    {"always ready", test_always_ready},
    {"changes", test_changes},
    {"timers", test_timers},
    {"full heap", test_full_heap},
    {"deferred calls", test_deferred},
    {"waker without memory", test_waker_without_memory},
    {0},
};

int main(void)
{
	return conformance_run(cases);
}
