/*
 * The loop: one iteration is ten steps, in reactor_turn. Queues, life and end of a reactor.
 */
#include "reactor/loop.h"

#include "base/array.h"

#include <errno.h>
#include <stdlib.h>

/* ---- active queues --------------------------------------------------------------------------- */

int queue_reserve(struct reactor *r, unsigned priority)
{
	struct queue *q = &r->queues[priority];

	if (ARRAY_GROW(q->items, q->capacity, (size_t)q->count + 1) == 0)
		return 0;
	r->rebuild = true; /* a new backend tells it again, edges too */
	return -1;
}

/* Apart, so that the first of a turn has no registers to save for it. */
static __attribute__((noinline)) uint32_t queue_grow(struct reactor *r, unsigned priority,
						     uintptr_t item)
{
	return queue_reserve(r, priority) < 0 ? 0 : queue_add_slowly(r, priority, item);
}

uint32_t queue_add_slowly(struct reactor *r, unsigned priority, uintptr_t item)
{
	struct queue *q = &r->queues[priority];
	uint32_t place = q->count;

	if (place == q->capacity)
		return queue_grow(r, priority, item);
	q->room = (uint32_t)q->capacity;
	r->nonempty |= 1u << priority;
	q->items[place] = item;
	return q->count = place + 1;
}

void queue_remove(struct reactor *r, unsigned priority, uint32_t place)
{
	r->queues[priority].items[place - 1] = ACTIVE_NONE;
}

/* In all that is called here the callback is the last thing done: it may free the watcher. */
static void call_io(struct reactor *r, struct io_watcher *w)
{
	w->pending = 0;
	w->call(r, w, w->ready);
}

static __attribute__((noinline)) void call_other(struct reactor *r, uintptr_t item)
{
	void *watcher = (void *)(item & ~(uintptr_t)KIND_BITS);
	struct timer *t = watcher;

	switch ((enum active_kind)(item & KIND_BITS)) {
	case ACTIVE_TIMER:
		timer_forget_due(t);
		t->call(r, t);
		break;
	case ACTIVE_MARKED:
		io_call_marked(r, watcher);
		break;
	case ACTIVE_SIGNAL:
		signal_call_queued(r, (uint32_t)(item / (KIND_BITS + 1)));
		break;
	case ACTIVE_CHILD:
		child_call_queued(r, watcher);
		break;
	default:
		break;
	}
}

/* Runs the first queue until it is empty, one that goes before is not, or the loop is stopped. */
static void run_first_queue(struct reactor *r)
{
	uint32_t bit = r->nonempty & -r->nonempty;
	uint32_t interrupted = (bit - 1) | STOPPING;
	struct queue *q = &r->queues[__builtin_ctz(bit)];

	while (q->run < q->count) {
		uintptr_t item = q->items[q->run++];

		if (__builtin_expect((item & KIND_BITS) == ACTIVE_IO, 1))
			call_io(r, (struct io_watcher *)item);
		else
			call_other(r, item);
		if (__builtin_expect(r->nonempty & interrupted, 0))
			return;
	}
	q->count = q->room = q->run = 0;
	r->nonempty &= ~bit;
}

static void queues_close(struct reactor *r)
{
	for (int i = 0; i < PRIORITIES; i++) {
		const struct queue *q = &r->queues[i];

		for (uint32_t at = q->run; at < q->count; at++) {
			void *watcher = (void *)(q->items[at] & ~(uintptr_t)KIND_BITS);

			if ((q->items[at] & KIND_BITS) == ACTIVE_TIMER)
				timer_forget_due(watcher);
			if ((q->items[at] & KIND_BITS) == ACTIVE_CHILD)
				child_forget_ended(watcher);
		}
		free(q->items);
	}
}

/* ---- one iteration --------------------------------------------------------------------------- */

/* Steps 2, 3, half of 5: how long may the wait last? Step 1 comes with the wall clock's alarm. */
static int64_t prepare_wait(struct reactor *r, int64_t wait)
{
	if (r->n_changes | r->rebuild)
		io_flush_changes(r); /* first: what is refused now must not be waited for */
	if ((r->rebuild || r->n_changes) && (wait < 0 || wait > RETRY))
		wait = RETRY;
	if (r->nonempty)
		wait = 0;
	if (timing(r))
		wait = timers_wait(r, wait);
	return r->wakers ? wakers_wait(r, wait) : wait;
}

static void run_queues(struct reactor *r)
{
	while (r->nonempty && r->nonempty < STOPPING)
		run_first_queue(r);
}

static __attribute__((noinline)) void run_measured(struct reactor *r)
{
	int64_t start = clock_read(CLOCK_OF_LOOP);

	run_queues(r);
	if (r->on_turn)
		r->on_turn(r->on_turn_context, clock_read(CLOCK_OF_LOOP) - start);
}

int reactor_turn(struct reactor *r, int64_t wait)
{
	/* Otherwise descriptors are all there is, before the wait and after it. */
	bool more = timing(r) | r->n_changes | r->rebuild | r->nonempty | (uintptr_t)r->wakers;

	if (more)
		wait = prepare_wait(r, wait); /* 1 to 3 */
	clock_forget(r);                      /* 4 */
	/* 5, and 7 and 8 as it comes in: signals come through a pipe, which goes before all others.
	 */
	if (r->backend->dispatch(r->backend_state, r, wait) < 0)
		return -1;
	if (more) {
		wakers_activate(r);
		timers_activate_expired(r); /* 6, 9 */
	}
	if (__builtin_expect(r->on_turn != NULL, 0))
		run_measured(r); /* 10 */
	else
		run_queues(r);
	return 0;
}

int reactor_run(struct reactor *r)
{
	int result = 0;

	r->nonempty &= ~(uint32_t)STOPPING;
	while (!(r->nonempty & STOPPING) && result == 0 &&
	       (r->started || r->nonempty || timers_armed(r)))
		result = reactor_turn(r, -1);
	r->nonempty &= ~(uint32_t)STOPPING;
	return result;
}

void reactor_stop(struct reactor *r)
{
	r->nonempty |= STOPPING;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct reactor *reactor_new(const char *backend, struct reactor_error *e)
{
	struct reactor *r = calloc(1, sizeof *r);

	if (!r) {
		reactor_fail_errno(e, "cannot make an event loop");
		return NULL;
	}
	children_open(r);
	if (backend_choose(r, backend, e) < 0) {
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
	wakers_close(r);
	io_close(r);
	queues_close(r);
	backend_free(r->backend, r->backend_state);
	free(r->slots);
	free(r->changes);
	free(r);
}

int backend_rebuild(struct reactor *r)
{
	void *state = backend_new(r->backend, NULL);

	if (!state)
		return -1;
	backend_free(r->backend, r->backend_state);
	r->backend_state = state;
	r->rebuild = false;
	io_reinstall_all(r);
	return 0;
}

int reactor_reinit(struct reactor *r)
{
	if (r->backend->need_reinit && backend_rebuild(r) < 0)
		return -1;
	return signals_reinit(r) < 0 || alarms_reinit(r) < 0 ? -1 : 0;
}

void reactor_measure(struct reactor *r, turn_call *call, void *context)
{
	r->on_turn = call;
	r->on_turn_context = context;
}

const char *reactor_backend(const struct reactor *r)
{
	return r->backend->info.name;
}
