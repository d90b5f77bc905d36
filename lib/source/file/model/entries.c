/* The names in a directory; see entries.h. */
#include "source/file/model/entries.h"

#include "base/table.h"

#include <stdlib.h>
#include <string.h>

struct entries {
	uint32_t count, mask; /* names; slots - 1 */
	uint32_t used, room, waste;
	uint32_t cursor; /* entries_any: no slot before it is taken */
	bool stamped;
	uint32_t slots[]; /* place of an entry + 1; 0: free. The entries follow. */
};

enum { HEAD = offsetof(struct entry, name), ALIGN = 8, LEAST_MASK = 3 };

static char *text_of(const struct entries *set)
{
	size_t start = offsetof(struct entries, slots) + sizeof(uint32_t) * ((size_t)set->mask + 1);

	return (char *)set + (start + ALIGN - 1) / ALIGN * ALIGN;
}

struct entry *entries_at(const struct entries *set, uint32_t place)
{
	return (struct entry *)(void *)(text_of(set) + place);
}

uint32_t entries_place(const struct entries *set, const struct entry *e)
{
	return (uint32_t)((const char *)e - text_of(set));
}

struct stamp *entries_stamp(const struct entries *set, struct entry *e)
{
	return set->stamped ? (struct stamp *)(void *)e - 1 : NULL;
}

static uint32_t entries_count(const struct entries *set)
{
	return set ? set->count : 0;
}

void entries_free(struct entries **set)
{
	free(*set);
	*set = NULL;
}

/* Four fifths of the slots are taken at most: a search for what is not there stays short. */
static bool has_slots(uint32_t mask, uint32_t count)
{
	return (uint64_t)count * 5 <= ((uint64_t)mask + 1) * 4;
}

static uint32_t size_of(const char *name, bool stamped)
{
	size_t bytes = HEAD + strlen(name) + 1 + (stamped ? sizeof(struct stamp) : 0);

	return (uint32_t)((bytes + ALIGN - 1) / ALIGN * ALIGN);
}

static uint32_t home_of(const struct entries *set, const char *name)
{
	return (uint32_t)(hash_bytes(name, strlen(name)) >> 20) & set->mask;
}

static uint32_t slot_of(const struct entries *set, const char *name)
{
	uint32_t i = home_of(set, name);

	while (set->slots[i] && strcmp(entries_at(set, set->slots[i] - 1)->name, name) != 0)
		i = (i + 1) & set->mask;
	return i;
}

struct entry *entries_find(const struct entries *set, const char *name)
{
	uint32_t slot;

	if (!set)
		return NULL;
	slot = slot_of(set, name);
	return set->slots[slot] ? entries_at(set, set->slots[slot] - 1) : NULL;
}

static struct entry *append(struct entries *set, const char *name)
{
	uint32_t place = set->used + (set->stamped ? (uint32_t)sizeof(struct stamp) : 0);
	uint32_t slot = slot_of(set, name);
	struct entry *e = entries_at(set, place);

	memcpy(e->name, name, strlen(name) + 1);
	set->slots[slot] = place + 1;
	set->used += size_of(name, set->stamped);
	set->count++;
	if (slot < set->cursor)
		set->cursor = slot;
	return e;
}

static void copy_all(struct entries *to, const struct entries *from)
{
	struct entry *e;

	for (uint32_t at = 0; (e = entries_next(from, &at));) {
		struct entry *copy = append(to, e->name);
		struct stamp *stamp = entries_stamp(to, copy);
		const struct stamp *known = entries_stamp(from, e);

		memcpy(copy, e, HEAD);
		if (stamp && known)
			*stamp = *known;
	}
}

/* A new block without holes, with room for `more` bytes and a half beyond what it holds. */
static int grow(struct entries **set, uint32_t more, bool stamped)
{
	const struct entries *old = *set;
	uint32_t count = entries_count(old) + 1, live = old ? old->used - old->waste : 0;
	uint32_t mask = LEAST_MASK, room;
	struct entries *grown;

	if (old && stamped && !old->stamped)
		live += old->count * (uint32_t)sizeof(struct stamp);
	room = live + more + live / 2;
	while (!has_slots(mask, count))
		mask = mask * 2 + 1;
	grown = calloc(1, offsetof(struct entries, slots) + (mask + 1) * sizeof(uint32_t) + ALIGN +
			      room);
	if (!grown)
		return -1;
	grown->mask = mask;
	grown->room = room;
	grown->stamped = stamped;
	if (old)
		copy_all(grown, old);
	entries_free(set);
	*set = grown;
	return 0;
}

struct entry *entries_add(struct entries **set, const char *name, bool stamped)
{
	const struct entries *old = *set;
	uint32_t size = size_of(name, old ? old->stamped : stamped);

	if ((!old || !has_slots(old->mask, old->count + 1) || old->room - old->used < size) &&
	    grow(set, size, old ? old->stamped : stamped) < 0)
		return NULL;
	return append(*set, name);
}

void entries_fit(struct entries **of)
{
	struct entries *set = *of;
	struct entries *fit =
	    set ? realloc(set, (size_t)(text_of(set) - (char *)set) + set->used) : NULL;

	if (!fit)
		return;
	fit->room = fit->used;
	*of = fit;
}

int entries_stamp_all(struct entries **set)
{
	struct entry *e;

	if (*set && !(*set)->stamped)
		return grow(set, 0, true);
	for (uint32_t at = 0; (e = entries_next(*set, &at));)
		*entries_stamp(*set, e) = (struct stamp){0};
	return 0;
}

void entries_remove(struct entries **of, struct entry *e)
{
	struct entries *set = *of;
	uint32_t hole = slot_of(set, e->name), i = hole;

	set->waste += size_of(e->name, set->stamped);
	for (;;) {
		i = (i + 1) & set->mask;
		if (!set->slots[i])
			break;
		if (((i - home_of(set, entries_at(set, set->slots[i] - 1)->name)) & set->mask) <
		    ((i - hole) & set->mask))
			continue;
		set->slots[hole] = set->slots[i];
		if (hole < set->cursor)
			set->cursor = hole;
		hole = i;
	}
	set->slots[hole] = 0;
	if (--set->count == 0)
		entries_free(of);
}

struct entry *entries_next(const struct entries *set, uint32_t *at)
{
	while (set && *at <= set->mask) {
		uint32_t slot = (*at)++;

		if (set->slots[slot])
			return entries_at(set, set->slots[slot] - 1);
	}
	return NULL;
}

struct entry *entries_any(struct entries *set)
{
	while (set && set->cursor <= set->mask) {
		if (set->slots[set->cursor])
			return entries_at(set, set->slots[set->cursor] - 1);
		set->cursor++;
	}
	return NULL;
}
