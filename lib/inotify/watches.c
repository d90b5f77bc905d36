/* The watches of an instance, by number. See inner.h. */
#include "inotify/inner.h"

#include <stdlib.h>

enum { LEAST = 16 };

/* The slot of this number, or the free one where it would be. */
static struct watch *slot_of(const struct watches *w, int wd)
{
	size_t i = (size_t)wd & w->mask;

	while (w->slots[i].wd && w->slots[i].wd != wd)
		i = (i + 1) & w->mask;
	return &w->slots[i];
}

struct watch *watches_find(const struct watches *w, int wd)
{
	struct watch *found = w->mask ? slot_of(w, wd) : NULL;

	return found && found->wd ? found : NULL;
}

static int rebuild(struct watches *w, size_t slots)
{
	struct watches wider = {calloc(slots, sizeof *w->slots), slots - 1, w->count};

	if (!wider.slots)
		return -1;
	for (size_t i = 0; w->mask && i <= w->mask; i++)
		if (w->slots[i].wd)
			*slot_of(&wider, w->slots[i].wd) = w->slots[i];
	free(w->slots);
	*w = wider;
	return 0;
}

int watches_reserve(struct watches *w)
{
	size_t slots = w->mask + 1;

	if (!w->mask)
		return rebuild(w, LEAST);
	return (w->count + 1) * 4 > slots * 3 ? rebuild(w, slots * 2) : 0;
}

struct watch *watches_add(struct watches *w, int wd)
{
	struct watch *slot = slot_of(w, wd);

	slot->wd = wd;
	w->count++;
	return slot;
}

/* Slots behind the free one move up where that is on the way to their place. */
void watches_remove(struct watches *w, struct watch *watch)
{
	size_t gap = (size_t)(watch - w->slots);

	for (size_t i = (gap + 1) & w->mask; w->slots[i].wd; i = (i + 1) & w->mask) {
		size_t home = (size_t)w->slots[i].wd & w->mask;

		if (((i - home) & w->mask) < ((i - gap) & w->mask))
			continue;
		w->slots[gap] = w->slots[i];
		gap = i;
	}
	w->slots[gap] = (struct watch){0};
	w->count--;
}

void watches_free(struct watches *w)
{
	free(w->slots);
	*w = (struct watches){0};
}
