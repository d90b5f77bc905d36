/* See place.h. */
#include "source/relay/workers/place.h"

#include <sys/mman.h>

enum { EVENTS_MOST = 128 * 1024 /* bytes that wait: no connection is accepted beyond */ };

struct worker_counts *worker_counts_new(size_t workers, size_t length, size_t targets)
{
	size_t rows = (workers + 1) * length; /* the last one is of those that are over */
	size_t size = sizeof(struct worker_counts) + rows * sizeof(atomic_ullong) +
		      targets * sizeof(atomic_bool);
	struct worker_counts *c =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (c == MAP_FAILED)
		return NULL;
	c->size = size;
	c->length = length;
	c->down = (atomic_bool *)(c->rows + rows);
	return c;
}

void worker_counts_free(struct worker_counts *c)
{
	if (c)
		munmap(c, c->size);
}

atomic_ullong *worker_counts_row(struct worker_counts *c, size_t number)
{
	return c->rows + number * c->length;
}

atomic_bool *place_targets_down(const struct worker_place *place)
{
	return place->counts->down;
}

bool place_is_first(const struct worker_place *place)
{
	return place->number == 0;
}

static bool take_room(struct worker_counts *counts, uint64_t most)
{
	unsigned long long total = atomic_load(&counts->total);

	do
		if (most && total >= most)
			return false;
	while (!atomic_compare_exchange_weak(&counts->total, &total, total + 1));
	return true;
}

bool place_enter(struct worker_place *place)
{
	struct worker_counts *counts = place->counts;

	if (!take_room(counts, place->most)) {
		atomic_store(&counts->waits, true);
		/* One that ended before the wish was known tells nobody. */
		if (!take_room(counts, place->most))
			return false;
	}
	atomic_fetch_add(&counts->connections[place->number], 1);
	return true;
}

void place_leave(struct worker_place *place)
{
	struct worker_counts *counts = place->counts;

	atomic_fetch_sub(&counts->connections[place->number], 1);
	atomic_fetch_sub(&counts->total, 1);
	if (atomic_exchange(&counts->waits, false))
		channel_say(&place->channel, WORKER_ROOM, NULL, 0);
}

bool place_lags(const struct worker_place *place)
{
	return channel_waiting(&place->channel) >= EVENTS_MOST;
}
