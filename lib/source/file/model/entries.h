/*
 * The names in a directory as they were last looked at; NULL is the empty set.
 *
 * One block of memory holds a table of offsets and, behind it, the entries one after the other.
 * Removed entries leave holes until the block is copied to grow. 100,000 directories are 100,000
 * entries, so each byte here counts.
 */
#ifndef EVWATCH_SOURCE_FILE_MODEL_ENTRIES_H
#define EVWATCH_SOURCE_FILE_MODEL_ENTRIES_H

#include "source/file/model/look.h"

#include <stdbool.h>
#include <stdint.h>

struct entries;
struct node;

struct entry {
	union {
		uint64_t inode;
		struct node *node; /* where `entered` */
	};
	char type;        /* as in struct look; '?': not looked at yet */
	bool entered : 1; /* a directory that is watched and read */
	bool sure : 1;    /* its inode comes from a look, not from getdents64 */
	bool seen : 1;    /* by the reading that is under way */
	bool twice : 1;   /* a directory that is entered by another path already */
	bool learned : 1; /* it was listed, but never reported (sparse.c) */
	char name[];
};

/* The entry of this name, or NULL. It stays where it is until the next addition. */
struct entry *entries_find(const struct entries *set, const char *name);

/*
 * Adds a name that is not there yet, zeroed but for its name. A set that is new keeps stamps if
 * `stamped`. *set changes when the entries moved in memory. NULL with ENOMEM.
 */
struct entry *entries_add(struct entries **set, const char *name, bool stamped);

/* Few more are to come: what was allocated for more is given back. */
void entries_fit(struct entries **set);

/* Takes it out; the memory of the last one goes with it. */
void entries_remove(struct entries **set, struct entry *e);

/* The set keeps stamps from now on, 0 for what is in it. Returns 0, or -1 with ENOMEM. */
int entries_stamp_all(struct entries **set);

/* Walks all from *at = 0 in no order; NULL ends. Nothing may be added or removed meanwhile. */
struct entry *entries_next(const struct entries *set, uint32_t *at);

/* Any one, or NULL: for taking all out one by one, which costs O(1) for each. */
struct entry *entries_any(struct entries *set);

/* Its stamp, NULL where the set has none. */
struct stamp *entries_stamp(const struct entries *set, struct entry *e);

/* Where it is, as a number that stays right until *set changes, and back. */
uint32_t entries_place(const struct entries *set, const struct entry *e);
struct entry *entries_at(const struct entries *set, uint32_t place);

void entries_free(struct entries **set);

#endif
