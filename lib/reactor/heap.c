/* See heap.h. */
#include "reactor/heap.h"

#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

_Static_assert(4 * sizeof(struct heap_entry) <= CACHE_LINE, "four children share a line");

int heap_grow(struct heap *h)
{
	size_t places = h->capacity ? 2 * (h->capacity + HEAP_ROOT) : CACHE_LINE;
	struct heap_entry *entries = aligned_alloc(CACHE_LINE, places * sizeof *entries);

	if (!entries)
		return -1;
	if (h->count)
		memcpy(entries + HEAP_ROOT, h->entries + HEAP_ROOT, h->count * sizeof *entries);
	free(h->entries);
	h->entries = entries;
	h->capacity = places - HEAP_ROOT;
	return 0;
}

void heap_free(struct heap *h)
{
	for (size_t i = 0; i < h->count; i++)
		*h->entries[HEAP_ROOT + i].place = 0;
	free(h->entries);
	*h = (struct heap){0};
}
