/*
 * The order of slots, in pieces: short runs are sorted, and then merged two by two. It is stable.
 */
#include "source/file/batch/net_inner.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { RUN = 1024 };

/* ---- what comes first ------------------------------------------------------------------------ */

static unsigned rank(const struct slot *s)
{
	if (s->now && s->now->now->moves)
		return 0;
	if (!s->now)
		return 1;
	return s->was ? 3 : 2;
}

/* Among moves directories first, by how deep they lead; of what is gone the deepest first; all else
 * as it came. */
static int depth_rank(const struct slot *s)
{
	switch (rank(s)) {
	case 0:
		return s->now->now->type == 'd' ? (int)s->depth : INT_MAX;
	case 1:
		return -(int)s->depth;
	default:
		return 0;
	}
}

static int by_rank(const void *a, const void *b)
{
	const struct slot *x = *(struct slot *const *)a, *y = *(struct slot *const *)b;
	unsigned rx = rank(x), ry = rank(y);
	int dx, dy;

	if (rx != ry)
		return rx < ry ? -1 : 1;
	dx = depth_rank(x);
	dy = depth_rank(y);
	if (dx != dy)
		return dx < dy ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static int by_order(const void *a, const void *b)
{
	const struct slot *x = *(struct slot *const *)a, *y = *(struct slot *const *)b;

	return (x->order > y->order) - (x->order < y->order);
}

/* ---- sorting --------------------------------------------------------------------------------- */

static int compare(const struct work *w, const struct slot *a, const struct slot *b)
{
	return w->options->gathers ? by_rank(&a, &b) : by_order(&a, &b);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The runs from p->i on, of p->width each, go to `spare`, as one. */
static void merge(struct work *w)
{
	struct net_progress *p = &w->progress;
	size_t a = p->i, middle = least(a + p->width, w->n_slots), b = middle,
	       end = least(middle + p->width, w->n_slots);

	for (size_t to = a; to < end; to++) {
		bool first = b == end || (a < middle && compare(w, w->slots[a], w->slots[b]) <= 0);

		w->spare[to] = w->slots[first ? a++ : b++];
	}
	p->i = end;
}

static void sort_run(struct work *w)
{
	struct net_progress *p = &w->progress;
	size_t n = least(RUN, w->n_slots - p->i);

	qsort(w->slots + p->i, n, sizeof(struct slot *), w->options->gathers ? by_rank : by_order);
	p->i += n;
}

/* All runs of this width are there: they are merged to wider ones. */
static int next_width(struct work *w)
{
	struct net_progress *p = &w->progress;
	struct slot **merged = w->spare;

	if (p->width) {
		w->spare = w->slots;
		w->slots = merged;
	} else {
		w->spare = calloc(w->slots_capacity, sizeof(struct slot *));
		if (!w->spare)
			return -1;
	}
	p->width = p->width ? p->width * 2 : RUN;
	p->i = 0;
	return p->width < w->n_slots;
}

int net_sort(struct work *w)
{
	struct net_progress *p = &w->progress;

	if (p->i < w->n_slots && p->width)
		merge(w);
	else if (p->i < w->n_slots)
		sort_run(w);
	if (p->i < w->n_slots)
		return 1;
	if (!p->width && w->n_slots <= RUN)
		return 0;
	return next_width(w);
}
