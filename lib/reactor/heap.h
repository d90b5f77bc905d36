/*
 * A 4-ary min-heap of keys whose owners know their places, so that nothing is searched for.
 *
 * The keys stand beside the pointers: a comparison touches no owner. The first entry stands at
 * HEAP_ROOT in memory that is aligned, so the four children of each share a cache line, and their
 * children are four lines in a row. Of a million entries few are in the caches: sifting down waits
 * for memory, so it asks for all four while it compares. Calls would be a third of what adding one
 * costs: all is inline.
 */
#ifndef EVWATCH_REACTOR_HEAP_H
#define EVWATCH_REACTOR_HEAP_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { HEAP_ROOT = 3, CACHE_LINE = 64 };

struct heap_entry {
	int64_t key;
	uint32_t *place; /* in the owner, who is found by it (CONTAINER_OF); 0: in no heap */
};

struct heap {
	struct heap_entry *entries; /* the least is entries[HEAP_ROOT] */
	size_t count, capacity;
};

_Static_assert(4 * sizeof(struct heap_entry) <= CACHE_LINE, "four children share a line");

/* More room. Returns 0, or -1 with ENOMEM. */
static inline int heap_grow(struct heap *h)
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

/* Takes everything out. */
static inline void heap_free(struct heap *h)
{
	for (size_t i = 0; i < h->count; i++)
		*h->entries[HEAP_ROOT + i].place = 0;
	free(h->entries);
	*h = (struct heap){0};
}

static inline void heap_put(struct heap *h, size_t at, struct heap_entry entry)
{
	h->entries[at] = entry;
	*entry.place = (uint32_t)at;
}

/* Puts an entry where that of `at` was, or higher: its key is not greater. */
static inline void heap_up(struct heap *h, size_t at, struct heap_entry entry)
{
	while (at > HEAP_ROOT) {
		size_t parent = at / 4 + 2;

		if (h->entries[parent].key <= entry.key)
			break;
		heap_put(h, at, h->entries[parent]);
		at = parent;
	}
	heap_put(h, at, entry);
}

/* The least of `n` entries. Four are compared in pairs, of which none waits for the other. */
static inline const struct heap_entry *heap_least(const struct heap_entry *of, size_t n)
{
	const struct heap_entry *least = of, *other = of + 2;

	if (n >= 4) {
		least += least[1].key < least[0].key;
		other += other[1].key < other[0].key;
		return other->key < least->key ? other : least;
	}
	for (size_t i = 1; i < n; i++)
		least = of[i].key < least->key ? &of[i] : least;
	return least;
}

/* The same, or lower: its key is not less. */
static inline void heap_down(struct heap *h, size_t at, struct heap_entry entry)
{
	size_t after_last = h->count + HEAP_ROOT;

	for (;;) {
		size_t first = (at - 2) * 4, least;

		if (first >= after_last)
			break;
		/* Whichever is least, its children are on their way. */
		for (size_t i = 0; i < 4; i++)
			__builtin_prefetch(&h->entries[(first - 2 + i) * 4]);
		least = (size_t)(heap_least(&h->entries[first], after_last - first) - h->entries);
		if (entry.key <= h->entries[least].key)
			break;
		heap_put(h, at, h->entries[least]);
		at = least;
	}
	heap_put(h, at, entry);
}

/* There is room: count < capacity. */
static inline void heap_add(struct heap *h, struct heap_entry entry)
{
	heap_up(h, HEAP_ROOT + h->count++, entry);
}

static inline void heap_remove(struct heap *h, uint32_t *place)
{
	struct heap_entry last = h->entries[HEAP_ROOT + --h->count];
	size_t at = *place;

	*place = 0;
	if (last.place == place)
		return;
	if (at > HEAP_ROOT && h->entries[at / 4 + 2].key > last.key)
		heap_up(h, at, last);
	else
		heap_down(h, at, last);
}

#endif
