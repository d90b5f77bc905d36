/*
 * A loop with one watcher of every kind: the work that the tests of calls, memory and faults do.
 * What it does itself goes past tests/shim/calls.c (readv, writev), so that only the library's
 * calls are counted and failed.
 */
#ifndef EVWATCH_TESTS_REACTOR_WORK_H
#define EVWATCH_TESTS_REACTOR_WORK_H

#include "reactor_suite.h"

#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum { CLOCKS_OF_WORK = 3 };

struct work {
	struct reactor *reactor;
	struct probe reader, writer;
	struct timer timers[CLOCKS_OF_WORK];
	struct signal_watcher signal;
	struct timer deferred;
	struct waker waker;
	struct child_watcher child;
	int fds[2];
	pid_t pid;
	/* How often each was told. */
	int timed[CLOCKS_OF_WORK], signalled, deferred_calls, woken, children, status;
};

static inline void work_put(int fd)
{
	char byte = 'x';
	struct iovec v = {&byte, 1};

	if (writev(fd, &v, 1) != 1)
		bail_out("writev");
}

static inline void work_take(struct reactor *r, struct probe *p)
{
	char byte;
	struct iovec v = {&byte, 1};

	(void)r;
	if (p->last & IO_READ && readv(p->io.fd, &v, 1) != 1 && errno != EAGAIN)
		bail_out("readv");
}

static inline void work_timer(struct reactor *r, struct timer *t)
{
	struct work *w = CONTAINER_OF(t - t->clock, struct work, timers[0]);

	(void)r;
	w->timed[t->clock]++;
}

static inline void work_signal(struct reactor *r, struct signal_watcher *s,
			       const struct signal_info *info)
{
	(void)r;
	(void)info;
	CONTAINER_OF(s, struct work, signal)->signalled++;
}

static inline void work_deferred(struct reactor *r, struct timer *d)
{
	(void)r;
	CONTAINER_OF(d, struct work, deferred)->deferred_calls++;
}

static inline void work_waker(struct reactor *r, struct waker *waker)
{
	(void)r;
	CONTAINER_OF(waker, struct work, waker)->woken++;
}

static inline void work_child(struct reactor *r, struct child_watcher *c, int status)
{
	struct work *w = CONTAINER_OF(c, struct work, child);

	(void)r;
	w->children++;
	w->status = status;
}

/* Everything is initialised and nothing started. */
static inline void work_init(struct work *w)
{
	*w = (struct work){.pid = -1};
	pipe_open(w->fds);
	w->reader = probe_of(w->fds[0], IO_READ);
	w->reader.act = work_take;
	w->writer = probe_of(w->fds[1], IO_WRITE);
	w->writer.act = stop_own;
	for (int i = 0; i < CLOCKS_OF_WORK; i++)
		timer_init(&w->timers[i], (enum clock)i, work_timer);
	signal_init(&w->signal, SIGUSR1, work_signal);
	timer_init(&w->deferred, CLOCK_OF_LOOP, work_deferred);
	waker_init(&w->waker, work_waker);
}

/* Forks a child that ends with 5. */
static inline void work_fork(struct work *w)
{
	w->pid = fork();
	if (w->pid == 0)
		_exit(5);
	child_init(&w->child, w->pid, work_child);
}

#endif
