/* lib/reactor: how many system calls and descriptors its work takes, and that none of it allocates.
 */
#include "reactor_work.h"

#include "../shim/calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>

/* ---- system calls ---------------------------------------------------------------------------- */

enum { DESCRIPTORS = 500 };

static struct probe probes[DESCRIPTORS];

static void start_all(struct reactor *r)
{
	for (int i = 0; i < DESCRIPTORS; i++)
		io_start(r, &probes[i].io);
}

static void stop_all(struct reactor *r)
{
	for (int i = 0; i < DESCRIPTORS; i++)
		io_stop(r, &probes[i].io);
}

/* What the turn needed, of the calls that tell the kernel about descriptors. */
static long told_in_a_turn(struct reactor *r)
{
	calls_reset();
	turns(r, 1);
	return calls_count("epoll_ctl");
}

static void test_registrations(void)
{
	bool epoll = backend_is("epoll");
	struct reactor *r = reactor_here();

	for (int i = 0; i < DESCRIPTORS; i++)
		probes[i] = probe_of(eventfd(0, 0), IO_READ);
	start_all(r);
	EQUAL(told_in_a_turn(r), epoll ? DESCRIPTORS : 0, "one epoll_ctl a descriptor");
	EQUAL(told_in_a_turn(r), 0, "and none when nothing changes");
	stop_all(r);
	start_all(r);
	EQUAL(told_in_a_turn(r), 0, "a stop and a start in one turn cost none");
	for (int i = 0; i < DESCRIPTORS; i++) {
		io_change(r, &probes[i].io, IO_READ | IO_WRITE);
		io_change(r, &probes[i].io, IO_READ);
	}
	EQUAL(told_in_a_turn(r), 0, "nor an interest that is changed there and back");
	for (int i = 0; i < DESCRIPTORS; i++)
		io_change(r, &probes[i].io, IO_READ | IO_WRITE);
	EQUAL(told_in_a_turn(r), epoll ? DESCRIPTORS : 0, "one that stays changed costs one");
	for (int i = 0; i < DESCRIPTORS; i++) {
		io_stop(r, &probes[i].io);
		close(probes[i].io.fd);
		probe_start(r, &probes[i], eventfd(0, 0), IO_READ | IO_WRITE);
	}
	EQUAL(told_in_a_turn(r), epoll ? DESCRIPTORS : 0, "so does a number that is reused");
	stop_all(r);
	EQUAL(told_in_a_turn(r), epoll ? DESCRIPTORS : 0, "and a stop");
	start_all(r);
	turns(r, 1);
	for (int i = 0; i < DESCRIPTORS; i++)
		io_stop_close(r, &probes[i].io);
	EQUAL(told_in_a_turn(r), 0, "but none that closes at once");
	reactor_free(r);
}

/* The calls of the whole turn, whichever: all that is counted but the allocator's. */
static long calls_in_all(void)
{
	long n = 0;

	for (const char *const *name = calls_names(); *name; name++)
		n += calls_count(*name);
	return n - calls_of_the_allocator();
}

static void test_turns(void)
{
	struct reactor *r = reactor_here();
	long per_turn = backend_is("select") ? 2 : 1; /* what select finds is asked for again */
	struct timer timers[3];
	struct probe p;
	int fds[2];

	stream_open(fds);
	probe_start(r, &p, fds[0], IO_WRITE);
	for (int i = 0; i < 3; i++) { /* far, on every clock */
		timer_init(&timers[i], (enum clock)i, stop_loop);
		timer_start_in(r, &timers[i], INT64_C(3600000000000));
	}
	turns(r, 5);
	calls_reset();
	turns(r, 100);
	EQUAL(p.calls, 105, "a ready descriptor is told in every turn");
	EQUAL(calls_in_all(), 100 * per_turn, "for one system call a turn");
	io_stop(r, &p.io);
	timer_start_in(r, &timers[0], 50000000);
	turns(r, 1);
	calls_reset();
	reactor_run(r);
	HOLDS(calls_in_all() <= 5, "while nothing happens the loop sleeps");
	reactor_free(r);
	close_both(fds);
}

/* Whatever the loop opens must not be left to commands, nor block it. */
static void test_descriptors(void)
{
	enum { HIGHEST = 64 };
	bool before[HIGHEST];
	struct reactor *r;
	struct signal_watcher s;
	struct timer timers[3];
	struct child_watcher w;
	int opened = 0, kept = 0, blocking = 0;

	for (int fd = 0; fd < HIGHEST; fd++)
		before[fd] = fcntl(fd, F_GETFD) >= 0;
	r = reactor_here();
	signal_init(&s, SIGUSR1, NULL);
	signal_start(r, &s);
	for (int i = 0; i < 3; i++) {
		timer_init(&timers[i], (enum clock)i, stop_loop);
		timer_start_in(r, &timers[i], INT64_MAX);
	}
	child_init(&w, getpid(), NULL);
	child_start(r, &w);
	reactor_reap_orphans(r);
	turns(r, 1);
	for (int fd = 0; fd < HIGHEST; fd++) {
		char name[64] = "", path[64];

		if (before[fd] || fcntl(fd, F_GETFD) < 0)
			continue;
		opened++;
		kept += !(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		if (readlink(path, name, sizeof name - 1) < 0)
			bail_out("readlink");
		if (strstr(name, "eventfd") || strstr(name, "timerfd") || strstr(name, "signalfd"))
			blocking += !(fcntl(fd, F_GETFL) & O_NONBLOCK);
	}
	HOLDS(opened >= 4, "a loop opens descriptors");
	EQUAL(kept, 0, "which all are closed on exec");
	EQUAL(blocking, 0, "and what it reads of does not block");
	reactor_free(r);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void start_work(struct work *w)
{
	work_init(w);
	w->reactor = reactor_here();
	io_start(w->reactor, &w->reader.io);
	signal_start(w->reactor, &w->signal);
	waker_start(w->reactor, &w->waker);
}

/* Everything that a busy loop does over and over. */
static void work_once(struct work *w)
{
	struct reactor *r = w->reactor;

	work_put(w->fds[1]);
	io_start(r, &w->writer.io);
	for (int i = 0; i < CLOCKS_OF_WORK; i++)
		timer_start_in(r, &w->timers[i], 0);
	timer_start_soon(r, &w->deferred);
	waker_wake(&w->waker);
	raise(SIGUSR1);
	io_change(r, &w->reader.io, IO_READ | IO_HALF_CLOSE);
	turns(r, 1);
	io_change(r, &w->reader.io, IO_READ);
	io_stop(r, &w->reader.io);
	io_start(r, &w->reader.io);
	turns(r, 2);
}

static void finish_work(struct work *w)
{
	waker_stop(w->reactor, &w->waker);
	reactor_free(w->reactor);
	close_both(w->fds);
}

static void test_steady_state(void)
{
	enum { ROUNDS = 300 };
	struct work w;

	start_work(&w);
	for (int i = 0; i < 3; i++)
		work_once(&w);
	calls_reset();
	for (int i = 0; i < ROUNDS; i++)
		work_once(&w);
	EQUAL(calls_of_the_allocator(), 0, "nothing allocates in the steady state");
	HOLDS(w.reader.calls >= ROUNDS && w.writer.calls >= ROUNDS, "while descriptors are told");
	HOLDS(w.timed[0] >= ROUNDS && w.timed[1] >= ROUNDS && w.timed[2] >= ROUNDS,
	      "timers of every clock fire");
	HOLDS(w.signalled == ROUNDS + 3 && w.woken >= ROUNDS, "signals and wake-ups are told");
	EQUAL(w.deferred_calls, ROUNDS + 3, "and deferred calls are called");
	finish_work(&w);
}

/* Watchers come and go, as connections and commands do: the tables have their size by then. */
static void test_coming_and_going(void)
{
	struct reactor *r = reactor_here();
	long allocations = 0;

	for (int round = 0; round < 20; round++) {
		struct timer timers[100];
		struct probe p[100];
		int fds[2];

		stream_open(fds);
		if (round == 3)
			calls_reset();
		for (int i = 0; i < 100; i++) {
			probe_start(r, &p[i], dup(fds[0]), IO_WRITE);
			timer_init(&timers[i], CLOCK_OF_LOOP, stop_loop);
			timer_start_in(r, &timers[i], INT64_MAX);
		}
		turns(r, 2);
		for (int i = 0; i < 100; i++) {
			io_stop(r, &p[i].io);
			close(p[i].io.fd);
			timer_stop(r, &timers[i]);
		}
		close_both(fds);
		allocations = calls_of_the_allocator();
	}
	EQUAL(allocations, 0, "nothing allocates when watchers come and go");
	reactor_free(r);
}

static const struct conformance cases[] = {
    {"registrations", test_registrations},       {"turns", test_turns},
    {"descriptors", test_descriptors},           {"steady state", test_steady_state},
    {"coming and going", test_coming_and_going}, {0},
};

int main(void)
{
	return conformance_run(cases);
}
