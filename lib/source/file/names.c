/*
 * The names in a directory, as they were last seen: what tells a new name from one that was there,
 * after a scan, after a rename onto it, after lost events, and which names are gone.
 *
 * One run of bytes holds the entries, an open-addressing table of offsets finds them; removed
 * entries leave holes until the bytes are copied to grow.
 */
#include "source/file/names.h"

#include "base/table.h"

#include <stdlib.h>
#include <string.h>

struct names {
	uint32_t count, mask; /* names; slots - 1 */
	uint32_t used, room, waste;
	uint32_t *slots; /* offset + 1; 0: free */
	char *text;      /* entries */
};

enum { HEAD = offsetof(struct entry, name) };

static struct entry *entry_at(const struct names *n, uint32_t slot)
{
	return (struct entry *)(void *)(n->text + n->slots[slot] - 1);
}

/* Entries stay aligned for their stamp. */
static uint32_t entry_size(const char *name)
{
	return ((uint32_t)(HEAD + strlen(name) + 1) + 3) & ~UINT32_C(3);
}

static uint32_t home_of(const struct names *n, const char *name)
{
	return (uint32_t)(hash_bytes(name, strlen(name)) >> 20) & n->mask;
}

static uint32_t slot_of(const struct names *n, const char *name)
{
	uint32_t i = home_of(n, name);

	while (n->slots[i] && strcmp(entry_at(n, i)->name, name) != 0)
		i = (i + 1) & n->mask;
	return i;
}

struct entry *names_find(const struct names *n, const char *name)
{
	uint32_t slot;

	if (!n)
		return NULL;
	slot = slot_of(n, name);
	return n->slots[slot] ? entry_at(n, slot) : NULL;
}

void names_free(struct names **n)
{
	if (*n) {
		free((*n)->slots);
		free((*n)->text);
	}
	free(*n);
	*n = NULL;
}

static void copy_entries(struct names *to, const struct names *from)
{
	for (uint32_t i = 0; i <= from->mask; i++) {
		const struct entry *e;
		uint32_t size;

		if (!from->slots[i])
			continue;
		e = entry_at(from, i);
		size = entry_size(e->name);
		memcpy(to->text + to->used, e, size);
		to->slots[slot_of(to, e->name)] = to->used + 1;
		to->used += size;
		to->count++;
	}
}

/* Makes room for one more entry of `more` bytes: a new copy without holes. Returns 0 or -1. */
static int names_grow(struct names **n, uint32_t more)
{
	const struct names *old = *n;
	struct names *grown = calloc(1, sizeof *grown);
	uint32_t count = old ? old->count + 1 : 1, live = old ? old->used - old->waste : 0;

	if (!grown)
		return -1;
	for (grown->mask = 3; count * 4 > (grown->mask + 1) * 3; grown->mask = grown->mask * 2 + 1)
		;
	grown->room = live + more + live / 2;
	grown->slots = calloc((size_t)grown->mask + 1, sizeof *grown->slots);
	grown->text = malloc(grown->room);
	if (!grown->slots || !grown->text) {
		names_free(&grown);
		return -1;
	}
	if (old)
		copy_entries(grown, old);
	names_free(n);
	*n = grown;
	return 0;
}

int names_add(struct names **n, const char *name, char type)
{
	struct entry *e = names_find(*n, name);
	uint32_t size = entry_size(name);

	if (e)
		return 0;
	if ((!*n || (*n)->count * 4 + 4 > ((*n)->mask + 1) * 3 || (*n)->room - (*n)->used < size) &&
	    names_grow(n, size) < 0)
		return -1;
	e = (struct entry *)(void *)((*n)->text + (*n)->used);
	memset(e, 0, size);
	e->type = type;
	memcpy(e->name, name, strlen(name) + 1);
	(*n)->slots[slot_of(*n, name)] = (*n)->used + 1;
	(*n)->used += size;
	(*n)->count++;
	return 1;
}

bool names_remove(struct names **names, const char *name)
{
	struct names *n = *names;
	uint32_t hole, i;

	if (!names_find(n, name))
		return false;
	hole = i = slot_of(n, name);
	n->waste += entry_size(name);
	for (;;) {
		i = (i + 1) & n->mask;
		if (!n->slots[i])
			break;
		if (((i - home_of(n, entry_at(n, i)->name)) & n->mask) < ((i - hole) & n->mask))
			continue;
		n->slots[hole] = n->slots[i];
		hole = i;
	}
	n->slots[hole] = 0;
	if (--n->count == 0)
		names_free(names);
	return true;
}

struct entry *names_next(const struct names *n, uint32_t *at)
{
	while (n && *at <= n->mask) {
		uint32_t slot = (*at)++;

		if (n->slots[slot])
			return entry_at(n, slot);
	}
	return NULL;
}
