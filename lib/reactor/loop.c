/*
 * The loop: one iteration is ten steps, in reactor_turn. Queues, life and end of a reactor.
 */
#include "reactor/loop.h"

#include "base/array.h"
#include "base/error.h"

#include <errno.h>
#include <stdlib.h>

enum { KIND_BITS = 3 };

/* ---- active queues --------------------------------------------------------------------------- */

int queue_grow(struct queue *q)
{
	return ARRAY_GROW(q->items, q->capacity, q->count + 1);
}

void queue_remove(struct reactor *r, unsigned priority, uint32_t place)
{
	r->queues[priority].items[place - 1] = 0;
}

static void call_io(struct reactor *r, struct io_watcher *w)
{
	unsigned ready = w->ready;

	w->pending = 0;
	w->ready = 0;
	if (w->timeout)
		io_called(r, w);
	if (w->interest & IO_ONCE)
		io_stop(r, w);
	w->call(r, w, ready);
}

/* The callback is the last thing done: the watcher may be freed by it. */
static void call_active(struct reactor *r, uintptr_t item)
{
	void *watcher = (void *)(item & ~(uintptr_t)KIND_BITS);
	struct deferred *d = watcher;
	struct timer *t = watcher;

	r->stats.callbacks++;
	switch (item & KIND_BITS) {
	case ACTIVE_IO:
		call_io(r, watcher);
		break;
	case ACTIVE_TIMER:
		t->pending = 0;
		t->call(r, t);
		break;
	default:
		d->pending = 0;
		r->started--;
		d->call(r, d);
	}
}

/* Runs a queue until it is empty, or one that goes first is not. */
static void run_queue(struct reactor *r, unsigned priority)
{
	struct queue *q = &r->queues[priority];
	uint32_t first = (1u << priority) - 1;

	while (q->run < q->count) {
		uintptr_t item = q->items[q->run++];

		if (item)
			call_active(r, item);
		if (r->stopping || (r->nonempty & first))
			return;
	}
	q->count = q->run = 0;
	r->nonempty &= ~(1u << priority);
}

static void run_queues(struct reactor *r)
{
	r->running_queues = true;
	while (r->nonempty && !r->stopping)
		run_queue(r, (unsigned)__builtin_ctz(r->nonempty));
	r->running_queues = false;
}

/* ---- deferred calls -------------------------------------------------------------------------- */

/* `pending` of one that waits for the next turn: its place among `later`, beyond all queues. */
enum { LATER = 0x40000000 };

void deferred_init(struct deferred *d, deferred_call *call)
{
	*d = (struct deferred){.call = call, .priority = PRIORITY_DEFAULT};
}

int deferred_start(struct reactor *r, struct deferred *d)
{
	if (d->pending)
		return 0;
	/* Always the next turn: one that starts itself again must not starve the descriptors. */
	if (ARRAY_GROW(r->later, r->later_capacity, r->n_later + 1) < 0)
		return -1;
	r->later[r->n_later++] = d;
	d->pending = LATER + (uint32_t)r->n_later;
	r->started++;
	return 0;
}

void deferred_stop(struct reactor *r, struct deferred *d)
{
	if (!d->pending)
		return;
	if (d->pending > LATER)
		r->later[d->pending - LATER - 1] = NULL;
	else
		queue_remove(r, d->priority, d->pending);
	d->pending = 0;
	r->started--;
}

static void activate_deferred(struct reactor *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n_later; i++) {
		struct deferred *d = r->later[i];

		if (!d)
			continue;
		d->pending = queue_add(r, d->priority, d, ACTIVE_DEFERRED);
		if (!d->pending) { /* no memory: it waits for another turn */
			r->later[kept++] = d;
			d->pending = LATER + (uint32_t)kept;
		}
	}
	r->n_later = kept;
}

/* ---- one iteration --------------------------------------------------------------------------- */

/* Steps 2 and 3: how long may the wait last? */
static int64_t longest_wait(struct reactor *r, int64_t wait)
{
	int64_t timer = timers_wait(r);

	if (r->nonempty || r->n_later || r->n_always)
		return 0;
	if (timer >= 0 && (wait < 0 || timer < wait))
		return timer;
	return wait;
}

int reactor_turn(struct reactor *r, int64_t wait)
{
	int result;

	/* 1: steps of the clock arrive through the wall clock's alarm. */
	io_flush_changes(r);
	wait = longest_wait(r, wait); /* 2, 3 */
	if (r->n_changes)             /* the alarms are descriptors, too */
		io_flush_changes(r);
	clock_forget(r);                                          /* 4 */
	result = r->backend->dispatch(r->backend_state, r, wait); /* 5, and 8 as it comes in */
	r->stats.turns++;
	if (r->heaps[CLOCK_OF_LOOP].count) /* 6 */
		reactor_now(r, CLOCK_OF_LOOP);
	/* 7: signals come as readiness of their pair, before all others by its priority. */
	if (r->n_always)
		io_activate_always_ready(r); /* 8 */
	timers_activate_expired(r);          /* 9 */
	if (r->n_later)
		activate_deferred(r);
	run_queues(r); /* 10 */
	return result;
}

int reactor_run(struct reactor *r)
{
	int result = 0;

	r->stopping = false;
	while (!r->stopping && (r->started || r->nonempty) && result == 0)
		result = reactor_turn(r, -1);
	r->stopping = false;
	return result;
}

void reactor_stop(struct reactor *r)
{
	r->stopping = true;
}

/* ---- life ------------------------------------------------------------------------------------ */

int io_start_internal(struct reactor *r, struct io_watcher *w)
{
	if (io_start(r, w) < 0)
		return -1;
	r->started--;
	return 0;
}

void io_stop_internal(struct reactor *r, struct io_watcher *w)
{
	if (!w->started)
		return;
	r->started++;
	io_stop(r, w);
}

struct reactor *reactor_new(const struct reactor_config *config, struct error *e)
{
	struct reactor *r = calloc(1, sizeof *r);

	if (!r) {
		error_errno(e, "cannot make an event loop");
		return NULL;
	}
	r->signal_pair[0] = r->signal_pair[1] = -1;
	children_open(r);
	if (backend_choose(r, config ? config->backend : NULL, e) < 0) {
		free(r);
		return NULL;
	}
	return r;
}

void reactor_free(struct reactor *r)
{
	timers_close(r);
	children_close(r);
	signals_close(r);
	r->backend->dealloc(r->backend_state);
	for (int i = 0; i < PRIORITIES; i++)
		free(r->queues[i].items);
	free(r->slots);
	free(r->changes);
	free(r->always);
	free(r->later);
	free(r);
}

int backend_rebuild(struct reactor *r)
{
	struct error e;
	void *state = r->backend->init(&e);

	if (!state)
		return -1;
	r->backend->dealloc(r->backend_state);
	r->backend_state = state;
	io_reinstall_all(r);
	return 0;
}

int reactor_reinit(struct reactor *r)
{
	if (r->backend->need_reinit && backend_rebuild(r) < 0)
		return -1;
	return signals_reinit(r) < 0 || alarms_reinit(r) < 0 ? -1 : 0;
}

const char *reactor_backend(const struct reactor *r)
{
	return r->backend->name;
}

void reactor_stats(const struct reactor *r, struct reactor_stats *stats)
{
	*stats = r->stats;
}
