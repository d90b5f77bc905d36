/*
 * A hash table of pointers (open addressing, linear probing, no tombstones). A large one grows by
 * a few items with each addition, so that none takes long.
 *
 * The table stores pointers to items that their owners keep; it never frees one. Equality and hash
 * come from the user's `table_type`; the hash of a key is computed by the caller through the type.
 */
#ifndef EVWATCH_BASE_TABLE_H
#define EVWATCH_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_type {
	uint64_t (*hash_item)(const void *item);
	uint64_t (*hash_key)(const void *key);
	bool (*equal)(const void *item, const void *key);
};

struct table {
	const struct table_type *type;
	void **slots; /* owned; NULL: free */
	size_t mask;  /* slots - 1, or 0 when none are allocated */
	size_t count;
	struct table_rest *rest; /* owned: what is still to be moved as it grows; NULL: nothing */
};

void table_init(struct table *t, const struct table_type *type);

/* Frees the slots, not the items. */
void table_free(struct table *t);

/* The item that equals `key`, or NULL. */
void *table_find(const struct table *t, const void *key);

/* Adds an item whose key is not there yet. Returns 0, or -1 with ENOMEM and nothing changed. */
int table_add(struct table *t, void *item);

/* Takes out the item that equals `key` and returns it, or NULL. */
void *table_remove(struct table *t, const void *key);

/* Walks all items in no order: start with *at = 0; NULL ends. The table must not change meanwhile,
 * but that the item may be taken out that was returned last; *at is then to be taken back by one.
 */
void *table_next(const struct table *t, size_t *at);

/* For items that begin with a pointer to their text, which is the key. */
extern const struct table_type table_by_text;

/* For items that begin with these two pointers; the key is one of these. */
struct table_name {
	const void *of; /* what the name is one of: compared as a pointer */
	const char *name;
};
extern const struct table_type table_by_name;

/* A hash of bytes; seeded once a process, so that nobody outside can choose collisions. */
uint64_t hash_bytes(const void *bytes, size_t length);

#endif
