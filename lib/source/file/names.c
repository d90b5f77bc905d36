/*
 * Sets of names as 64-bit hashes (open addressing, no tombstones). They tell a name that is new
 * from one that was there: after a scan, after a rename onto it, after a lost event.
 */
#include "source/file/file.h"

#include <stdlib.h>
#include <string.h>

static uint64_t name_hash(const char *name)
{
	return hash_bytes(name, strlen(name)) | 1; /* 0 marks a free slot */
}

static uint32_t names_slot(const struct names *n, uint64_t hash)
{
	uint32_t i = (uint32_t)(hash >> 20) & n->mask;

	while (n->slots[i] && n->slots[i] != hash)
		i = (i + 1) & n->mask;
	return i;
}

bool names_has(const struct names *n, const char *name)
{
	return n->slots && n->slots[names_slot(n, name_hash(name))];
}

static int names_grow(struct names *n)
{
	struct names grown = {.mask = n->slots ? n->mask * 2 + 1 : 3, .count = n->count};

	grown.slots = calloc((size_t)grown.mask + 1, sizeof *grown.slots);
	if (!grown.slots)
		return -1;
	for (uint32_t i = 0; n->slots && i <= n->mask; i++)
		if (n->slots[i])
			grown.slots[names_slot(&grown, n->slots[i])] = n->slots[i];
	free(n->slots);
	*n = grown;
	return 0;
}

int names_add(struct names *n, const char *name)
{
	uint64_t hash = name_hash(name);

	if (n->slots && n->slots[names_slot(n, hash)])
		return 0;
	if ((!n->slots || (n->count + 1) * 4 > (n->mask + 1) * 3) && names_grow(n) < 0)
		return -1;
	n->slots[names_slot(n, hash)] = hash;
	n->count++;
	return 1;
}

void names_remove(struct names *n, const char *name)
{
	uint32_t hole, i;

	if (!names_has(n, name))
		return;
	hole = i = names_slot(n, name_hash(name));
	n->count--;
	for (;;) {
		uint32_t home;

		i = (i + 1) & n->mask;
		if (!n->slots[i])
			break;
		home = (uint32_t)(n->slots[i] >> 20) & n->mask;
		if (((i - home) & n->mask) < ((i - hole) & n->mask))
			continue;
		n->slots[hole] = n->slots[i];
		hole = i;
	}
	n->slots[hole] = 0;
}

void names_free(struct names *n)
{
	free(n->slots);
	*n = (struct names){0};
}
