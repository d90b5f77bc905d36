/* See place.h. */
#include "source/relay/workers/place.h"

#include <sys/mman.h>

enum { EVENTS_MOST = 128 * 1024 /* bytes that wait: no connection is accepted beyond */ };

static size_t size_of_board(const struct relay_config *c)
{
	return sizeof(struct worker_board) + c->workers * totals_size(c);
}

struct worker_board *worker_board_new(const struct relay_config *c)
{
	struct worker_board *b =
	    mmap(NULL, size_of_board(c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return b == MAP_FAILED ? NULL : b;
}

void worker_board_free(struct worker_board *b, const struct relay_config *c)
{
	if (b)
		munmap(b, size_of_board(c));
}

struct totals *worker_totals(struct worker_board *b, const struct relay_config *c, size_t worker)
{
	return (struct totals *)(void *)(b->totals + worker * totals_size(c));
}

static bool take_room(struct worker_board *b, uint64_t most)
{
	unsigned long long total = atomic_load(&b->total);

	do
		if (most && total >= most)
			return false;
	while (!atomic_compare_exchange_weak(&b->total, &total, total + 1));
	return true;
}

bool place_enter(struct worker_place *place)
{
	if (take_room(place->board, place->most))
		return true;
	atomic_store(&place->board->waits, true);
	/* One that ended before the wish was known tells nobody. */
	return take_room(place->board, place->most);
}

void place_leave(struct worker_place *place)
{
	atomic_fetch_sub(&place->board->total, 1);
	if (atomic_exchange(&place->board->waits, false))
		channel_say(&place->channel, WORKER_ROOM, NULL, 0);
}

bool place_lags(const struct worker_place *place)
{
	return channel_waiting(&place->channel) >= EVENTS_MOST;
}
