/* Our reactor, on the backend that is named. */
#include "adapter.h"

#include <reactor.h>
#include <stdlib.h>

/* What the loop's own tables have for each of them: a slot, a place in the heap (loop.h, heap.h).
 */
enum { OF_TABLES = 16 };

struct watch {
	struct io_watcher io;
	int index;
};

struct loop {
	struct reactor *reactor;
	struct watch *watches;
	int priorities; /* 0: the default one */
	struct timer *timers;
	struct signal_watcher signal;
	struct waker waker;
	struct child_watcher *children;
};

static struct loop *open_loop(const char *backend)
{
	struct loop *l = take(1, sizeof *l);

	l->reactor = reactor_new(backend, NULL);
	return l->reactor ? l : NULL;
}

static void turn(struct loop *l)
{
	must(reactor_turn(l->reactor, -1), "reactor_turn");
}

/* ---- descriptors ---- */

static void on_count(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	(void)r, (void)w, (void)ready;
	count();
}

static void on_restart(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	(void)ready;
	io_stop(r, w);
	must(io_start(r, w), "io_start");
	count();
}

static void on_pass_on(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	(void)r, (void)ready;
	pass_on(((struct watch *)w)->index);
}

static void on_batch(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	(void)r, (void)w, (void)ready;
	tally.batch();
}

static io_call *const calls[] = {
    [REACT_COUNT] = on_count,
    [REACT_RESTART] = on_restart,
    [REACT_PASS_ON] = on_pass_on,
    [REACT_BATCH] = on_batch,
};

static void open_io(struct loop *l, const int *fds, int n, enum reaction reaction)
{
	l->watches = take((size_t)n, sizeof *l->watches);
	for (int i = 0; i < n; i++) {
		io_init(&l->watches[i].io, fds[i], IO_READ, calls[reaction]);
		l->watches[i].index = i;
		if (l->priorities)
			l->watches[i].io.priority = (uint8_t)(i % l->priorities);
	}
}

static void prioritize_io(struct loop *l, int priorities)
{
	l->priorities = priorities;
}

static void start_io(struct loop *l, int from, int to)
{
	for (int i = from; i < to; i++)
		must(io_start(l->reactor, &l->watches[i].io), "io_start");
}

static void stop_io(struct loop *l, int from, int to)
{
	for (int i = from; i < to; i++)
		io_stop(l->reactor, &l->watches[i].io);
}

static void flip_io(struct loop *l, int n, bool write)
{
	for (int i = 0; i < n; i++)
		io_change(l->reactor, &l->watches[i].io, write ? IO_WRITE : IO_READ);
}

/* ---- timers ---- */

static void on_timer(struct reactor *r, struct timer *t)
{
	(void)r, (void)t;
	count();
}

static void open_timers(struct loop *l, int n)
{
	l->timers = take((size_t)n, sizeof *l->timers);
	for (int i = 0; i < n; i++)
		timer_init(&l->timers[i], CLOCK_OF_LOOP, on_timer);
}

static void start_timers(struct loop *l, const uint32_t *which, const int64_t *after, int n)
{
	for (int i = 0; i < n; i++)
		must(timer_start_in(l->reactor, &l->timers[which[i]], after[i]), "timer_start_in");
}

static void stop_timers(struct loop *l, const uint32_t *which, int n)
{
	for (int i = 0; i < n; i++)
		timer_stop(l->reactor, &l->timers[which[i]]);
}

static void start_timer_at(struct loop *l, int64_t deadline)
{
	must(timer_start_at(l->reactor, &l->timers[0], deadline), "timer_start_at");
}

/* ---- signals, wakers, children ---- */

static void on_signal(struct reactor *r, struct signal_watcher *w, const struct signal_info *info)
{
	(void)r, (void)w, (void)info;
	count();
}

static void open_signal(struct loop *l, int number)
{
	signal_init(&l->signal, number, on_signal);
	must(signal_start(l->reactor, &l->signal), "signal_start");
}

static void on_wake(struct reactor *r, struct waker *w)
{
	(void)r, (void)w;
	count();
}

static void open_waker(struct loop *l)
{
	waker_init(&l->waker, on_wake);
	must(waker_start(l->reactor, &l->waker), "waker_start");
}

static void wake(struct loop *l)
{
	waker_wake(&l->waker);
}

static void on_child(struct reactor *r, struct child_watcher *w, int status)
{
	(void)r, (void)w, (void)status;
	count();
}

static void open_children(struct loop *l, int n, bool any)
{
	l->children = take((size_t)n, sizeof *l->children);
	if (any)
		must(reactor_reap_orphans(l->reactor), "reactor_reap_orphans");
}

static void start_child(struct loop *l, int slot, const char *path)
{
	child_init(&l->children[slot], start_program(path), on_child);
	must(child_start(l->reactor, &l->children[slot]), "child_start");
}

const struct verbs evwatch_verbs = {
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
    .io_bytes = sizeof(struct io_watcher) + OF_TABLES,
    .timer_bytes = sizeof(struct timer) + OF_TABLES,
};
