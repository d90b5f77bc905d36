/* libevent 2.1, with its defaults. */
#include "adapter.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <signal.h>
#include <sys/wait.h>

struct loop {
	struct event_base *base;
	struct event *watches, *timers;
	struct event signal, waker, child;
	enum reaction reaction;
	int priorities; /* 0: the default one */
};

static struct loop *open_loop(const char *option)
{
	struct loop *l = take(1, sizeof *l);

	(void)option;
	l->base = event_base_new();
	return l->base ? l : NULL;
}

static void turn(struct loop *l)
{
	must(event_base_loop(l->base, EVLOOP_ONCE), "event_base_loop");
}

/* ---- descriptors ---- */

static void on_count(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what, (void)context;
	count();
}

/* While one of the last priority waits to be called it would not come back from EVLOOP_ONCE. */
static void on_count_by_priority(evutil_socket_t fd, short what, void *base)
{
	(void)fd, (void)what;
	count();
	if (tally.calls >= tally.until)
		event_base_loopbreak(base);
}

static void on_restart(evutil_socket_t fd, short what, void *event)
{
	(void)fd, (void)what;
	event_del(event);
	event_add(event, NULL);
	count();
}

static void on_pass_on(evutil_socket_t fd, short what, void *index)
{
	(void)fd, (void)what;
	pass_on((int)(intptr_t)index);
}

static void on_batch(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what, (void)context;
	tally.batch();
}

static const event_callback_fn calls[] = {
    [REACT_COUNT] = on_count,
    [REACT_RESTART] = on_restart,
    [REACT_PASS_ON] = on_pass_on,
    [REACT_BATCH] = on_batch,
};

static void assign(struct loop *l, int i, evutil_socket_t fd, short what)
{
	struct event *e = &l->watches[i];
	event_callback_fn call = l->priorities ? on_count_by_priority : calls[l->reaction];
	void *context = (void *)(intptr_t)i;

	if (l->reaction == REACT_RESTART)
		context = e;
	else if (l->priorities)
		context = l->base;
	event_assign(e, l->base, fd, what | EV_PERSIST, call, context);
	if (l->priorities)
		event_priority_set(e, i % l->priorities);
}

static void open_io(struct loop *l, const int *fds, int n, enum reaction reaction)
{
	l->reaction = reaction;
	l->watches = take((size_t)n, sizeof *l->watches);
	for (int i = 0; i < n; i++)
		assign(l, i, fds[i], EV_READ);
}

static void prioritize_io(struct loop *l, int priorities)
{
	l->priorities = priorities;
	must(event_base_priority_init(l->base, priorities), "event_base_priority_init");
}

static void start_io(struct loop *l, int from, int to)
{
	for (int i = from; i < to; i++)
		must(event_add(&l->watches[i], NULL), "event_add");
}

static void stop_io(struct loop *l, int from, int to)
{
	for (int i = from; i < to; i++)
		must(event_del(&l->watches[i]), "event_del");
}

static void flip_io(struct loop *l, int n, bool write)
{
	for (int i = 0; i < n; i++) {
		struct event *e = &l->watches[i];

		event_del(e);
		assign(l, i, event_get_fd(e), write ? EV_WRITE : EV_READ);
		event_add(e, NULL);
	}
}

/* ---- timers ---- */

static void open_timers(struct loop *l, int n)
{
	l->timers = take((size_t)n, sizeof *l->timers);
	for (int i = 0; i < n; i++)
		evtimer_assign(&l->timers[i], l->base, on_count, NULL);
}

static struct timeval to_timeval(int64_t ns)
{
	int64_t us = ns > 0 ? (ns + 999) / 1000 : 0;

	return (struct timeval){.tv_sec = us / 1000000, .tv_usec = us % 1000000};
}

static void start_timers(struct loop *l, const uint32_t *which, const int64_t *after, int n)
{
	for (int i = 0; i < n; i++) {
		struct timeval tv = to_timeval(after[i]);

		evtimer_add(&l->timers[which[i]], &tv);
	}
}

static void stop_timers(struct loop *l, const uint32_t *which, int n)
{
	for (int i = 0; i < n; i++)
		evtimer_del(&l->timers[which[i]]);
}

static void start_timer_at(struct loop *l, int64_t deadline)
{
	struct timeval tv = to_timeval(deadline - nanoseconds_now());

	evtimer_add(&l->timers[0], &tv);
}

/* ---- signals, wakers, children ---- */

static void open_signal(struct loop *l, int number)
{
	evsignal_assign(&l->signal, l->base, number, on_count, NULL);
	must(evsignal_add(&l->signal, NULL), "evsignal_add");
}

static void open_waker(struct loop *l)
{
	evthread_use_pthreads();
	l->base = event_base_new(); /* made before, it would have no locks */
	event_assign(&l->waker, l->base, -1, EV_PERSIST, on_count, NULL);
	event_add(&l->waker, &(struct timeval){.tv_sec = 3600});
}

static void wake(struct loop *l)
{
	event_active(&l->waker, EV_READ, 0);
}

static void on_sigchld(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what, (void)context;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		count();
}

static void open_children(struct loop *l, int n, bool any)
{
	(void)any;
	(void)n;
	evsignal_assign(&l->child, l->base, SIGCHLD, on_sigchld, NULL);
	must(evsignal_add(&l->child, NULL), "evsignal_add");
}

static void start_child(struct loop *l, int slot, const char *path)
{
	(void)l, (void)slot;
	start_program(path);
}

/* A descriptor's entry in its table (struct evmap_io, private), and the pointer to it. */
enum { TABLE_ENTRY = 16 + 8 };

const struct verbs libevent_verbs = {
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
    .io_bytes = sizeof(struct event) + TABLE_ENTRY,
    .timer_bytes = sizeof(struct event) + sizeof(void *), /* in its heap */
};
