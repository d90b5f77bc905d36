/* See place.h. */
#include "source/relay/workers/place.h"

#include <sys/mman.h>

enum { EVENTS_MOST = 128 * 1024 /* bytes that wait: no connection is accepted beyond */ };

/* The last row is of those that are over. */
static size_t rows_length(const struct counts_shape *shape)
{
	return (shape->workers + 1) * shape->length;
}

static size_t size_of(const struct counts_shape *shape)
{
	return sizeof(struct worker_counts) + rows_length(shape) * sizeof(atomic_ullong) +
	       shape->targets * sizeof(atomic_bool);
}

struct worker_counts *worker_counts_new(const struct counts_shape *shape)
{
	struct worker_counts *c =
	    mmap(NULL, size_of(shape), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return c == MAP_FAILED ? NULL : c;
}

void worker_counts_free(struct worker_counts *c, const struct counts_shape *shape)
{
	if (c)
		munmap(c, size_of(shape));
}

atomic_ullong *worker_counts_row(struct worker_counts *c, const struct counts_shape *shape,
				 size_t number)
{
	return c->rows + number * shape->length;
}

atomic_bool *place_targets_down(const struct worker_place *place)
{
	return (atomic_bool *)(place->counts->rows + rows_length(&place->shape));
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
