/* See floor_heap.h. */
#include "floor_heap.h"

#include <stdlib.h>

static void put(struct floor_heap *h, uint32_t at, struct floor_entry e)
{
	h->entries[at] = e;
	e.timer->place = at + 1;
}

static void sift_up(struct floor_heap *h, uint32_t at, struct floor_entry e)
{
	while (at) {
		uint32_t parent = (at - 1) / 4;

		if (h->entries[parent].key <= e.key)
			break;
		put(h, at, h->entries[parent]);
		at = parent;
	}
	put(h, at, e);
}

static void sift_down(struct floor_heap *h, uint32_t at, struct floor_entry e)
{
	for (;;) {
		uint32_t child = at * 4 + 1, least = child;

		if (child >= h->count)
			break;
		for (uint32_t i = child + 1; i < child + 4 && i < h->count; i++)
			least = h->entries[i].key < h->entries[least].key ? i : least;
		if (h->entries[least].key >= e.key)
			break;
		put(h, at, h->entries[least]);
		at = least;
	}
	put(h, at, e);
}

static void sift(struct floor_heap *h, uint32_t at, struct floor_entry e)
{
	if (at && h->entries[(at - 1) / 4].key > e.key)
		sift_up(h, at, e);
	else
		sift_down(h, at, e);
}

void floor_heap_set(struct floor_heap *h, struct floor_timer *t, int64_t key)
{
	struct floor_entry e = {key, t};

	if (t->place) {
		sift(h, t->place - 1, e);
		return;
	}
	if (h->count == h->room) {
		h->room = h->room ? h->room * 2 : 64;
		h->entries = realloc(h->entries, h->room * sizeof *h->entries);
		if (!h->entries)
			abort();
	}
	sift_up(h, h->count++, e);
}

void floor_heap_remove(struct floor_heap *h, struct floor_timer *t)
{
	uint32_t at = t->place - 1;

	t->place = 0;
	if (at != --h->count)
		sift(h, at, h->entries[h->count]);
}
