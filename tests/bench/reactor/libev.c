/* libev 4.33 on epoll: the default loop, for only that one has child watchers. */
#include "adapter.h"

#include <ev.h>

struct watch {
	ev_io io;
	int index;
};

struct loop {
	struct ev_loop *loop;
	struct watch *watches;
	int priorities; /* 0: the default one */
	ev_timer *timers;
	ev_signal signal;
	ev_async waker;
	ev_child *children;
};

static struct loop *open_loop(const char *option)
{
	struct loop *l = take(1, sizeof *l);

	(void)option;
	l->loop = ev_default_loop(EVBACKEND_EPOLL);
	return l->loop ? l : NULL;
}

static void turn(struct loop *l)
{
	ev_run(l->loop, EVRUN_ONCE);
}

/* ---- descriptors ---- */

static void on_count(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop, (void)w, (void)events;
	count();
}

static void on_restart(struct ev_loop *loop, ev_io *w, int events)
{
	(void)events;
	ev_io_stop(loop, w);
	ev_io_start(loop, w);
	count();
}

static void on_pass_on(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop, (void)events;
	pass_on(((struct watch *)w)->index);
}

static void on_batch(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop, (void)w, (void)events;
	tally.batch();
}

static void (*const calls[])(struct ev_loop *loop, ev_io *w, int events) = {
    [REACT_COUNT] = on_count,
    [REACT_RESTART] = on_restart,
    [REACT_PASS_ON] = on_pass_on,
    [REACT_BATCH] = on_batch,
};

static void open_io(struct loop *l, const int *fds, int n, enum reaction reaction)
{
	l->watches = take((size_t)n, sizeof *l->watches);
	for (int i = 0; i < n; i++) {
		ev_io_init(&l->watches[i].io, calls[reaction], fds[i], EV_READ);
		l->watches[i].index = i;
		if (l->priorities) /* 2 is the first, -2 the last */
			ev_set_priority(&l->watches[i].io, 1 - i % l->priorities);
	}
}

static void prioritize_io(struct loop *l, int priorities)
{
	l->priorities = priorities;
}

static void start_io(struct loop *l, int from, int to)
{
	for (int i = from; i < to; i++)
		ev_io_start(l->loop, &l->watches[i].io);
}

static void stop_io(struct loop *l, int from, int to)
{
	for (int i = from; i < to; i++)
		ev_io_stop(l->loop, &l->watches[i].io);
}

static void flip_io(struct loop *l, int n, bool write)
{
	for (int i = 0; i < n; i++) {
		ev_io *w = &l->watches[i].io;

		ev_io_stop(l->loop, w);
		ev_io_set(w, w->fd, write ? EV_WRITE : EV_READ);
		ev_io_start(l->loop, w);
	}
}

/* ---- timers ---- */

static void on_timer(struct ev_loop *loop, ev_timer *t, int events)
{
	(void)events;
	ev_timer_stop(loop,
		      t); /* it repeats, so that ev_timer_again serves: the quickest re-arming */
	count();
}

static void open_timers(struct loop *l, int n)
{
	l->timers = take((size_t)n, sizeof *l->timers);
	for (int i = 0; i < n; i++)
		ev_timer_init(&l->timers[i], on_timer, 0, 0);
}

static void start_timers(struct loop *l, const uint32_t *which, const int64_t *after, int n)
{
	for (int i = 0; i < n; i++) {
		ev_timer *t = &l->timers[which[i]];

		t->repeat = (double)after[i] * 1e-9;
		ev_timer_again(l->loop, t);
	}
}

static void stop_timers(struct loop *l, const uint32_t *which, int n)
{
	for (int i = 0; i < n; i++)
		ev_timer_stop(l->loop, &l->timers[which[i]]);
}

static void start_timer_at(struct loop *l, int64_t deadline)
{
	ev_now_update(l->loop);
	l->timers[0].repeat = (double)(deadline - nanoseconds_now()) * 1e-9;
	ev_timer_again(l->loop, &l->timers[0]);
}

/* ---- signals, wakers, children ---- */

static void on_signal(struct ev_loop *loop, ev_signal *w, int events)
{
	(void)loop, (void)w, (void)events;
	count();
}

static void open_signal(struct loop *l, int number)
{
	ev_signal_init(&l->signal, on_signal, number);
	ev_signal_start(l->loop, &l->signal);
}

static void on_wake(struct ev_loop *loop, ev_async *w, int events)
{
	(void)loop, (void)w, (void)events;
	count();
}

static void open_waker(struct loop *l)
{
	ev_async_init(&l->waker, on_wake);
	ev_async_start(l->loop, &l->waker);
}

static void wake(struct loop *l)
{
	ev_async_send(l->loop, &l->waker);
}

static void on_child(struct ev_loop *loop, ev_child *w, int events)
{
	(void)events;
	ev_child_stop(loop, w);
	count();
}

static void open_children(struct loop *l, int n, bool any)
{
	(void)any;
	l->children = take((size_t)n, sizeof *l->children);
}

static void start_child(struct loop *l, int slot, const char *path)
{
	ev_child_init(&l->children[slot], on_child, start_program(path), 0);
	ev_child_start(l->loop, &l->children[slot]);
}

/* A descriptor's entry in its table (ANFD, private): head, four bytes, generation. */
enum { TABLE_ENTRY = 16 };

const struct verbs libev_verbs = {
    .open = open_loop,
    .turn = turn,
    .io_open = open_io,
    .io_prioritize = prioritize_io,
    .io_start = start_io,
    .io_stop = stop_io,
    .io_flip = flip_io,
    .timer_open = open_timers,
    .timer_start = start_timers,
    .timer_stop = stop_timers,
    .timer_at = start_timer_at,
    .signal_open = open_signal,
    .waker_open = open_waker,
    .wake = wake,
    .child_open = open_children,
    .child_start = start_child,
    .io_bytes = sizeof(ev_io) + TABLE_ENTRY,
    .timer_bytes = sizeof(ev_timer) + sizeof(double) + sizeof(void *), /* with its heap entry */
};
