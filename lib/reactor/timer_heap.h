/*
 * A 4-ary min-heap with the keys beside the pointers: a comparison touches no timer.
 *
 * Four children share a cache line, and the tree is half as deep as a binary one. Every timer knows
 * its place, so that it is found at once when it is stopped.
 */
#include "reactor/loop.h"

#include "base/array.h"

enum { ARITY = 4 };

static void heap_put(struct heap *h, size_t at, struct heap_entry entry)
{
	h->entries[at] = entry;
	entry.timer->place = (uint32_t)at + 1;
}

static void heap_up(struct heap *h, size_t at, struct heap_entry entry)
{
	while (at > 0) {
		size_t parent = (at - 1) / ARITY;

		if (h->entries[parent].key <= entry.key)
			break;
		heap_put(h, at, h->entries[parent]);
		at = parent;
	}
	heap_put(h, at, entry);
}

/* The child with the least key, or `count` when there is no child. */
static size_t heap_least_child(const struct heap *h, size_t at)
{
	size_t first = at * ARITY + 1, end = first + ARITY, least = first;

	if (first >= h->count)
		return h->count;
	if (end > h->count)
		end = h->count;
	for (size_t i = first + 1; i < end; i++)
		if (h->entries[i].key < h->entries[least].key)
			least = i;
	return least;
}

static void heap_down(struct heap *h, size_t at, struct heap_entry entry)
{
	for (;;) {
		size_t child = heap_least_child(h, at);

		if (child == h->count || entry.key <= h->entries[child].key)
			break;
		heap_put(h, at, h->entries[child]);
		at = child;
	}
	heap_put(h, at, entry);
}

int heap_push(struct heap *h, struct timer *t)
{
	if (ARRAY_GROW(h->entries, h->capacity, h->count + 1) < 0)
		return -1;
	h->count++;
	heap_up(h, h->count - 1, (struct heap_entry){t->deadline, t});
	return 0;
}

static void heap_place(struct heap *h, size_t at, struct heap_entry entry)
{
	if (at > 0 && h->entries[(at - 1) / ARITY].key > entry.key)
		heap_up(h, at, entry);
	else
		heap_down(h, at, entry);
}

void heap_remove(struct heap *h, size_t at)
{
	struct heap_entry last = h->entries[--h->count];

	h->entries[at].timer->place = 0;
	if (at < h->count)
		heap_place(h, at, last);
}

void heap_adjust(struct heap *h, size_t at)
{
	struct heap_entry entry = h->entries[at];

	entry.key = entry.timer->deadline;
	heap_place(h, at, entry);
}
