/* The loop: one iteration is ten steps, in reactor_turn. Life and end of a reactor. */
#include "reactor/fast.h"

#include <errno.h>
#include <stdlib.h>

/* Steps 2, 3, half of 5: how long may the wait last? Step 1 comes with the wall clock's alarm. */
static int64_t prepare_wait(struct reactor *r, int64_t wait)
{
	if (r->n_changes | r->rebuild)
		io_flush_changes(r); /* first: what is refused now must not be waited for */
	wait = wait_at_most(r, wait);
	if (timing(r))
		wait = timers_wait(r, wait);
	return r->wakers ? wakers_wait(r, wait) : wait;
}

static __attribute__((noinline)) int run_measured(struct reactor *r)
{
	int64_t start = clock_read(CLOCK_OF_LOOP);

	run_queues(r);
	if (r->on_turn)
		r->on_turn(r->on_turn_context, clock_read(CLOCK_OF_LOOP) - start);
	return 0;
}

int reactor_turn(struct reactor *r, int64_t wait)
{
	bool more = more_than_descriptors(r); /* or else 1 to 3, 6 and 9 have nothing to do */

	if (more)
		wait = prepare_wait(r, wait); /* 1 to 3 */
	clock_forget(r);                      /* 4 */
	/* 5, and 7 and 8 as it comes in: signals come through a pipe, which goes before others. */
	if (r->backend->dispatch(r->backend_state, r, wait) < 0)
		return -1;
	if (more) {
		wakers_activate(r);
		timers_activate_expired(r); /* 6, 9 */
	}
	if (more && r->on_turn)
		return run_measured(r);
	run_queues(r); /* 10 */
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

int reactor_reinit(struct reactor *r)
{
	if (r->backend->need_reinit && io_rebuild(r) < 0)
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

bool reactor_has_edges(const struct reactor *r)
{
	return !r->backend->no_edges;
}
