/* See place.h. */
#include "source/relay/workers/place.h"

enum { EVENTS_MOST = 128 * 1024 /* bytes that wait: no connection is accepted beyond */ };

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
