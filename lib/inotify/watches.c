/* The watches of an instance, by number, and who listens to them. See inner.h. */
#include "inotify/inner.h"

#include "base/array.h"
#include "base/list.h"

#include <stdlib.h>
#include <string.h>

static const uint32_t A_CROWD = UINT32_MAX; /* as the user of a listener */

enum { A_BLOCK = 2048 /* slots: four pages */, SPREAD = 0x9e3779b /* odd */ };

/* Stands in the table for its members: most inodes have one listener, which stands there itself. */
struct crowd {
	struct inotify_listener listener;
	struct inotify_listener **members;
	size_t count, capacity;
};

/* An item begins with its key. Were all slots in use side by side, to take one out would look at
 * all behind it: large blocks, which the kernel's counting fills one after the other, are
 * apart. */
static uint64_t wd_hash(const void *wd)
{
	unsigned n = (unsigned)*(const int *)wd;

	return (uint64_t)(n / A_BLOCK) * SPREAD * A_BLOCK + n % A_BLOCK;
}

static bool has_wd(const void *item, const void *wd)
{
	return *(const int *)item == *(const int *)wd;
}

static struct crowd *crowd_of(struct inotify_listener *l)
{
	return l && l->user == A_CROWD ? CONTAINER_OF(l, struct crowd, listener) : NULL;
}

static void crowd_free(struct crowd *c)
{
	if (c)
		free(c->members);
	free(c);
}

void watches_init(struct table *w)
{
	static const struct table_type by_wd = {wd_hash, wd_hash, has_wd};

	table_init(w, &by_wd);
}

size_t watch_count(const struct table *w, int wd)
{
	struct inotify_listener *first = table_find(w, &wd);
	const struct crowd *c = crowd_of(first);

	return c ? c->count : first != NULL;
}

struct inotify_listener *watch_at(const struct table *w, int wd, size_t i)
{
	struct inotify_listener *first = table_find(w, &wd);
	const struct crowd *c = crowd_of(first);

	return c ? c->members[i] : first;
}

/* Stands where its first member stood. NULL with ENOMEM. */
static struct crowd *crowd_new(struct table *w, struct inotify_listener *first)
{
	struct crowd *c = calloc(1, sizeof *c);

	if (!c || ARRAY_GROW(c->members, c->capacity, 2) < 0) {
		free(c);
		return NULL;
	}
	c->listener = (struct inotify_listener){first->wd, A_CROWD};
	c->members[c->count++] = first;
	table_remove(w, &first->wd);
	table_add(w, c); /* where one was taken out there is room */
	return c;
}

int watch_add(struct table *w, struct inotify_listener *l)
{
	struct inotify_listener *first = table_find(w, &l->wd);
	struct crowd *c = crowd_of(first);

	if (!first)
		return table_add(w, l);
	if (!c)
		c = crowd_new(w, first);
	if (!c || ARRAY_GROW(c->members, c->capacity, c->count + 1) < 0)
		return -1;
	c->members[c->count++] = l;
	return 0;
}

size_t watch_remove(struct table *w, struct inotify_listener *l)
{
	struct crowd *c = crowd_of(table_find(w, &l->wd));
	size_t place = 0;

	if (c) {
		while (c->members[place] != l)
			place++;
		c->count--;
		memmove(c->members + place, c->members + place + 1,
			(c->count - place) * sizeof(struct inotify_listener *));
	}
	if (!c || !c->count) {
		table_remove(w, &l->wd);
		crowd_free(c);
	}
	return place;
}

/* Whoever listens is stopped; what stood in the table for them is freed. */
static void stop(struct inotify_listener *first)
{
	struct crowd *c = crowd_of(first);

	for (size_t i = 0; c && i < c->count; i++)
		*c->members[i] = (struct inotify_listener){0};
	if (first && !c)
		*first = (struct inotify_listener){0};
	crowd_free(c);
}

void watch_forget(struct table *w, int wd)
{
	stop(table_remove(w, &wd));
}

void watches_clear(struct table *w)
{
	struct inotify_listener *first;

	for (size_t at = 0; (first = table_next(w, &at));)
		stop(first);
	table_free(w);
	watches_init(w);
}
