/* libuv 1.44. It has no priorities, and starts its children itself. */
#include "adapter.h"

#include <uv.h>

struct watch {
	uv_poll_t io;
	int fd, index;
};

struct loop {
	uv_loop_t loop;
	struct watch *watches;
	uv_poll_cb call;
	uv_timer_t *timers;
	uv_signal_t signal;
	uv_async_t waker;
	uv_process_t *children;
};

static struct loop *open_loop(const char *option)
{
	struct loop *l = take(1, sizeof *l);

	(void)option;
	return uv_loop_init(&l->loop) == 0 ? l : NULL;
}

static void turn(struct loop *l)
{
	uv_run(&l->loop, UV_RUN_ONCE);
}

/* ---- descriptors ---- */

static void on_count(uv_poll_t *w, int status, int events)
{
	(void)w, (void)status, (void)events;
	count();
}

static void on_restart(uv_poll_t *w, int status, int events)
{
	(void)status, (void)events;
	uv_poll_stop(w);
	uv_poll_start(w, UV_READABLE, on_restart);
	count();
}

static void on_pass_on(uv_poll_t *w, int status, int events)
{
	(void)status, (void)events;
	pass_on(((struct watch *)w)->index);
}

static void on_batch(uv_poll_t *w, int status, int events)
{
	(void)w, (void)status, (void)events;
	tally.batch();
}

static const uv_poll_cb calls[] = {
    [REACT_COUNT] = on_count,
    [REACT_RESTART] = on_restart,
    [REACT_PASS_ON] = on_pass_on,
    [REACT_BATCH] = on_batch,
};

static void open_io(struct loop *l, const int *fds, int n, enum reaction reaction)
{
	l->call = calls[reaction];
	l->watches = take((size_t)n, sizeof *l->watches);
	for (int i = 0; i < n; i++)
		l->watches[i] = (struct watch){.fd = fds[i], .index = i};
}

/* uv_poll_init probes the descriptor, so it is a part of the set-up. */
static void start_io(struct loop *l, int from, int to)
{
	for (int i = from; i < to; i++) {
		struct watch *w = &l->watches[i];

		if (!w->io.loop)
			must(uv_poll_init(&l->loop, &w->io, w->fd), "uv_poll_init");
		must(uv_poll_start(&w->io, UV_READABLE, l->call), "uv_poll_start");
	}
}

static void stop_io(struct loop *l, int from, int to)
{
	for (int i = from; i < to; i++)
		must(uv_poll_stop(&l->watches[i].io), "uv_poll_stop");
}

static void flip_io(struct loop *l, int n, bool write)
{
	for (int i = 0; i < n; i++)
		must(uv_poll_start(&l->watches[i].io, write ? UV_WRITABLE : UV_READABLE, l->call),
		     "uv_poll_start");
}

/* ---- timers, in milliseconds ---- */

static void on_timer(uv_timer_t *t)
{
	(void)t;
	count();
}

static void open_timers(struct loop *l, int n)
{
	l->timers = take((size_t)n, sizeof *l->timers);
	for (int i = 0; i < n; i++)
		uv_timer_init(&l->loop, &l->timers[i]);
}

static uint64_t to_milliseconds(int64_t ns)
{
	return ns > 0 ? (uint64_t)(ns + 999999) / 1000000 : 0;
}

static void start_timers(struct loop *l, const uint32_t *which, const int64_t *after, int n)
{
	for (int i = 0; i < n; i++)
		uv_timer_start(&l->timers[which[i]], on_timer, to_milliseconds(after[i]), 0);
}

static void stop_timers(struct loop *l, const uint32_t *which, int n)
{
	for (int i = 0; i < n; i++)
		uv_timer_stop(&l->timers[which[i]]);
}

static void start_timer_at(struct loop *l, int64_t deadline)
{
	uv_update_time(&l->loop);
	uv_timer_start(&l->timers[0], on_timer, to_milliseconds(deadline - nanoseconds_now()), 0);
}

/* ---- signals, wakers, children ---- */

static void on_signal(uv_signal_t *w, int number)
{
	(void)w, (void)number;
	count();
}

static void open_signal(struct loop *l, int number)
{
	uv_signal_init(&l->loop, &l->signal);
	must(uv_signal_start(&l->signal, on_signal, number), "uv_signal_start");
}

static void on_wake(uv_async_t *w)
{
	(void)w;
	count();
}

static void open_waker(struct loop *l)
{
	must(uv_async_init(&l->loop, &l->waker, on_wake), "uv_async_init");
}

static void wake(struct loop *l)
{
	uv_async_send(&l->waker);
}

static void on_exit_of_child(uv_process_t *w, int64_t status, int signal)
{
	(void)status, (void)signal;
	uv_close((uv_handle_t *)w, NULL);
	count();
}

static void open_children(struct loop *l, int n, bool any)
{
	(void)any;
	l->children = take((size_t)n, sizeof *l->children);
}

static void start_child(struct loop *l, int slot, const char *path)
{
	char *argv[] = {(char *)path, NULL};
	uv_process_options_t options = {.file = path, .args = argv, .exit_cb = on_exit_of_child};

	must(uv_spawn(&l->loop, &l->children[slot], &options), "uv_spawn");
}

const struct verbs libuv_verbs = {
    .open = open_loop,
    .turn = turn,
    .io_open = open_io,
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
    .io_bytes = sizeof(uv_poll_t) + sizeof(void *), /* in the loop's table */
    .timer_bytes = sizeof(uv_timer_t),
};
