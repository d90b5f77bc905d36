/* lib/reactor/heap.h: a heap whose owners know their places. */
#include "tap.h"

#include "base/list.h"
#include "reactor/heap.h"

#include <stdlib.h>

struct waiter {
	int64_t key;
	uint32_t place;
};

/* Does every owner know its place, and is none less than its parent? */
static bool heap_holds(const struct heap *h)
{
	for (size_t at = HEAP_ROOT; at < HEAP_ROOT + h->count; at++)
		if (*h->entries[at].place != at ||
		    (at > HEAP_ROOT && h->entries[at].key < h->entries[at / 4 + 2].key))
			return false;
	return true;
}

static bool change_at_random(struct heap *h, struct waiter *w)
{
	struct heap_entry entry = {w->key = rand() % 1000, &w->place};

	if (w->place && rand() % 2) {
		heap_remove(h, &w->place);
		return true;
	}
	if (!w->place && h->count == h->capacity && heap_grow(h) < 0)
		return false;
	if (!w->place)
		heap_add(h, entry);
	else if (entry.key <= h->entries[w->place].key)
		heap_up(h, w->place, entry);
	else
		heap_down(h, w->place, entry);
	return true;
}

static void heaps(void)
{
	static struct waiter waiters[1000];
	struct heap h = {0};
	bool holds = true, sorted = true;
	int64_t before = 0;

	for (int i = 0; i < 20000; i++)
		holds &= change_at_random(&h, &waiters[rand() % 1000]) && heap_holds(&h);
	OK(holds && h.count > 100, "a heap stays one, whatever is added, moved and removed");
	SAME((uintptr_t)&h.entries[HEAP_ROOT + 1] % 64, 0, "four children share a cache line");
	while (h.count > 50) {
		const struct heap_entry *least = &h.entries[HEAP_ROOT];
		const struct waiter *w = CONTAINER_OF(least->place, struct waiter, place);

		sorted &= least->key == w->key && least->key >= before;
		before = least->key;
		heap_remove(&h, least->place);
	}
	OK(sorted, "its entries come by their keys");
	heap_free(&h);
	for (int i = 0; i < 1000; i++)
		holds &= !waiters[i].place;
	OK(holds && h.count == 0, "one that is freed leaves nobody in it");
}

int main(void)
{
	heaps();
	return tap_done();
}
