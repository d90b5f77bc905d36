/* See signal_ring.h. */
#include "base/signal_ring.h"

_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_BOOL_LOCK_FREE == 2, "a handler may use them");

unsigned signal_ring_put(struct signal_ring *r, const struct signal_info *info)
{
	unsigned at = atomic_load(&r->written);

	do
		if (at - atomic_load(&r->read) >= SIGNAL_RING)
			return SIGNAL_RING;
	while (!atomic_compare_exchange_weak(&r->written, &at, at + 1));
	r->places[at % SIGNAL_RING].info = *info;
	atomic_store(&r->places[at % SIGNAL_RING].filled, true);
	return at + 1 - atomic_load(&r->read);
}

bool signal_ring_take(struct signal_ring *r, struct signal_info *info)
{
	unsigned at = atomic_load(&r->read);

	if (!atomic_load(&r->places[at % SIGNAL_RING].filled))
		return false;
	*info = r->places[at % SIGNAL_RING].info;
	atomic_store(&r->places[at % SIGNAL_RING].filled, false);
	atomic_store(&r->read, at + 1);
	return true;
}
