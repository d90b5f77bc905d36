/* The active queues, one a priority: what is rare, or costs a call in any case (fast.h). */
#include "reactor/fast.h"

#include "base/array.h"

#include <stdlib.h>

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

/* The callback is the last thing done: it may free the watcher. */
void call_other(struct reactor *r, uintptr_t item)
{
	struct timer *t = watcher_of(item);

	if (kind_of(item) == ACTIVE_MARKED) {
		io_call_marked(r, watcher_of(item));
	} else if (kind_of(item) == ACTIVE_TIMER) {
		timer_forget_due(t);
		t->call(r, t);
	}
}

void queues_close(struct reactor *r)
{
	for (int i = 0; i < PRIORITIES; i++) {
		const struct queue *q = &r->queues[i];

		for (uint32_t at = q->run; at < q->count; at++)
			if (kind_of(q->items[at]) == ACTIVE_TIMER)
				timer_forget_due(watcher_of(q->items[at]));
		free(q->items);
	}
}
