/* See table.h. */
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

void table_init(struct table *t, const struct table_type *type)
{
	*t = (struct table){.type = type};
}

/* The slots of a large table before it grew. What was moved, or removed, leaves its mark: who looks
 * for another must not end there. */
struct table_rest {
	void **slots;
	size_t mask, at; /* what is before `at` was moved */
};

enum {
	LARGE = 4096, /* slots */
	A_PART = 8,   /* slots that are moved with an addition: all, long before it grows again */
};

static char mark;

static void free_rest(struct table *t)
{
	if (t->rest)
		free(t->rest->slots);
	free(t->rest);
	t->rest = NULL;
}

void table_free(struct table *t)
{
	free_rest(t);
	free(t->slots);
	t->slots = NULL;
	t->mask = t->count = 0;
}

static size_t table_slot(const struct table *t, const void *key)
{
	size_t i = (size_t)t->type->hash_key(key) & t->mask;

	while (t->slots[i] && !t->type->equal(t->slots[i], key))
		i = (i + 1) & t->mask;
	return i;
}

static void **rest_slot(const struct table *t, const void *key)
{
	const struct table_rest *r = t->rest;
	size_t i = (size_t)t->type->hash_key(key) & r->mask;

	while (r->slots[i] && (r->slots[i] == &mark || !t->type->equal(r->slots[i], key)))
		i = (i + 1) & r->mask;
	return &r->slots[i];
}

void *table_find(const struct table *t, const void *key)
{
	void *item = t->slots ? t->slots[table_slot(t, key)] : NULL;

	return item || !t->rest ? item : *rest_slot(t, key);
}

static void table_place(struct table *t, void *item)
{
	size_t i = (size_t)t->type->hash_item(item) & t->mask;

	while (t->slots[i])
		i = (i + 1) & t->mask;
	t->slots[i] = item;
}

static void move_rest(struct table *t, struct table_rest *r, size_t n)
{
	for (; n > 0 && r->at <= r->mask; n--) {
		void **slot = &r->slots[r->at++];

		if (!*slot || *slot == &mark)
			continue;
		table_place(t, *slot);
		*slot = &mark;
	}
	if (r->at > r->mask && r == t->rest)
		free_rest(t);
}

static int table_grow(struct table *t)
{
	struct table_rest before = {t->slots, t->mask, 0};
	size_t old = t->slots ? t->mask + 1 : 0, wanted = old ? old * 2 : 16;
	void **slots;

	if (t->rest)
		move_rest(t, t->rest, SIZE_MAX);
	slots = calloc(wanted, sizeof *slots);
	if (!slots)
		return -1;
	t->slots = slots;
	t->mask = wanted - 1;
	t->rest = old >= LARGE ? malloc(sizeof *t->rest) : NULL;
	if (t->rest) {
		*t->rest = before;
	} else if (old) {
		move_rest(t, &before, SIZE_MAX);
		free(before.slots);
	}
	return 0;
}

int table_add(struct table *t, void *item)
{
	if (t->rest)
		move_rest(t, t->rest, A_PART);
	/* At most three quarters full: linear probing stays short. */
	if ((!t->slots || (t->count + 1) * 4 > (t->mask + 1) * 3) && table_grow(t) < 0)
		return -1;
	table_place(t, item);
	t->count++;
	return 0;
}

/* Closes the gap at `hole`: moves back every follower whose own place is not behind it. */
static void table_close_gap(struct table *t, size_t hole)
{
	size_t i = hole;

	for (;;) {
		size_t home;

		i = (i + 1) & t->mask;
		if (!t->slots[i])
			break;
		home = (size_t)t->type->hash_item(t->slots[i]) & t->mask;
		if (((i - home) & t->mask) < ((i - hole) & t->mask))
			continue;
		t->slots[hole] = t->slots[i];
		hole = i;
	}
	t->slots[hole] = NULL;
}

static void *remove_of_rest(struct table *t, const void *key)
{
	void **slot = rest_slot(t, key), *item = *slot;

	if (item)
		*slot = &mark;
	return item;
}

void *table_remove(struct table *t, const void *key)
{
	size_t i = t->slots ? table_slot(t, key) : 0;
	void *item = t->slots ? t->slots[i] : NULL;

	if (item)
		table_close_gap(t, i);
	else if (t->rest)
		item = remove_of_rest(t, key);
	t->count -= item != NULL;
	return item;
}

void *table_next(const struct table *t, size_t *at)
{
	size_t slots = t->slots ? t->mask + 1 : 0, rest = t->rest ? t->rest->mask + 1 : 0;

	while (*at < slots + rest) {
		size_t i = (*at)++;
		void *item = i < slots ? t->slots[i] : t->rest->slots[i - slots];

		if (item && item != &mark)
			return item;
	}
	return NULL;
}

/* The kernel gives every process 16 random bytes (getauxval(3), AT_RANDOM). */
static uint64_t hash_seed(void)
{
	static uint64_t seed;

	if (!seed) {
		const void *random = (const void *)getauxval(AT_RANDOM);

		if (random)
			memcpy(&seed, random, sizeof seed);
		seed |= 1;
	}
	return seed;
}

__extension__ typedef unsigned __int128 wide;

static uint64_t hash_mix(uint64_t a, uint64_t b)
{
	wide product = (wide)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hash_bytes(const void *bytes, size_t length)
{
	const unsigned char *s = bytes;
	uint64_t h = hash_seed() ^ length;

	for (; length >= 8; s += 8, length -= 8) {
		uint64_t word;

		memcpy(&word, s, 8);
		h = hash_mix(h ^ word, UINT64_C(0x9e3779b97f4a7c15));
	}
	if (length) {
		uint64_t word = 0;

		memcpy(&word, s, length);
		h = hash_mix(h ^ word, UINT64_C(0xc2b2ae3d27d4eb4f));
	}
	return hash_mix(h, UINT64_C(0x165667b19e3779f9));
}

/* ---- by text --------------------------------------------------------------------------------- */

static const char *text_of(const void *item)
{
	const char *text;

	memcpy(&text, item, sizeof text);
	return text;
}

static uint64_t text_hash(const void *text)
{
	return hash_bytes(text, strlen(text));
}

static uint64_t hash_of_text(const void *item)
{
	return text_hash(text_of(item));
}

static bool has_text(const void *item, const void *text)
{
	return strcmp(text_of(item), text) == 0;
}

const struct table_type table_by_text = {hash_of_text, text_hash, has_text};

static struct table_name name_of(const void *item)
{
	struct table_name name;

	memcpy(&name, item, sizeof name);
	return name;
}

static uint64_t name_hash(const void *item)
{
	const struct table_name name = name_of(item);

	return text_hash(name.name) ^ hash_bytes(&name.of, sizeof name.of);
}

static bool has_name(const void *item, const void *key)
{
	const struct table_name a = name_of(item), b = name_of(key);

	return a.of == b.of && strcmp(a.name, b.name) == 0;
}

const struct table_type table_by_name = {name_hash, name_hash, has_name};
