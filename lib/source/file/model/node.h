/*
 * A node: a directory that is entered. It is the content of an entry of the directory above, and
 * its name is that entry's, so a node is 56 bytes; when the entry moves, the node stays the same.
 *
 * The top is a node without a parent. Its entries are the user's roots, whole paths as they were
 * written: so a root that comes, goes or is replaced is an entry like any other.
 *
 * The names in a directory are one block of memory: a table of offsets and, behind it, the entries
 * one after the other. Removed entries leave holes until the block is copied to grow. 100,000
 * directories are 100,000 entries, so each byte here counts.
 *
 * Who keeps a pointer to a node beyond the turn holds it. A node that is gone keeps its last name
 * and its parent, so that the path it had can still be reported.
 */
#ifndef EVWATCH_SOURCE_FILE_MODEL_NODE_H
#define EVWATCH_SOURCE_FILE_MODEL_NODE_H

#include "source/file/model/look.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;

/* The names as they were last looked at; NULL is the empty set. */
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

/* Few more are to come: what was allocated for more is given back. */
void entries_fit(struct entries **set);

/* Takes it out; the memory of the last one goes with it. */
void entries_remove(struct entries **set, struct entry *e);

/* Walks all from *at = 0 in no order; NULL ends. Nothing may be added or removed meanwhile. */
struct entry *entries_next(const struct entries *set, uint32_t *at);

/* Any one, or NULL: for taking all out one by one, which costs O(1) for each. */
struct entry *entries_any(struct entries *set);

/* Its stamp, NULL where the set has none. */
struct stamp *entries_stamp(const struct entries *set, struct entry *e);

void entries_free(struct entries **set);

enum node_state {
	NODE_UNREAD, /* it was found, and is to be watched and read */
	NODE_KNOWN,
	NODE_STALE, /* what is in it may be otherwise: it is to be read again */
};

struct node {
	struct node *parent; /* NULL: the top. Held while this node is gone or in hand */
	struct entries *entries;
	union {
		uint32_t place; /* of its entry in the parent's */
		char *last;     /* gone or in hand: the name it had; owned */
	};
	struct identity identity;
	uint64_t watch; /* the observer's own */
	uint32_t holds;
	unsigned state : 2; /* enum node_state */
	bool below : 1;     /* with NODE_STALE: so is all below it */
	struct {
		bool listed : 1; /* in a list of what is to be read */
		bool parity : 1; /* of the round in which it was listed */
		bool again : 1;  /* stale anew since then: it is read in the next round, too */
	} listing;
	bool gone : 1;    /* it is no part of the tree any more */
	bool in_hand : 1; /* it was taken from one name and will be put to another */
	bool early : 1;   /* it was there when watching began, and so was what it is read to hold */
	bool reported : 1;  /* that it cannot be read */
	bool watched : 1;   /* the observer has a watch for it; set by the observer */
	bool unwatched : 1; /* the observer had no watch for it */
	bool sparse : 1;    /* only some of its names are known: sparse.c */
	bool learned : 1;   /* with `sparse`: what was in it when it moved is known, too */
	bool mounted : 1;   /* when it was opened last, as in struct look */
	bool polled : 1; /* no event says what is written in it: stamps do; set by the observer */
};

/* A node without an entry. NULL with ENOMEM. */
struct node *node_new(void);

/* The entry of d becomes this node's; its inode moves to the node. */
void node_attach(struct node *d, struct entry *e, struct node *n);

/* Adds a name that is not there yet, zeroed but for its name. What is new keeps stamps if
 * `stamped`. The entries of d may move in memory. NULL with ENOMEM. */
struct entry *node_add(struct node *d, const char *name, bool stamped);

/* What is in d has stamps from now on, 0 for what is in it. Returns 0, or -1 with ENOMEM. */
int node_stamp(struct node *d);

/* Takes the entry out of d; its node, if it has one, is in hand afterwards. */
void node_remove(struct node *d, struct entry *e);

/* The entry stays as one that is not entered; its node is in hand. */
void node_detach(struct node *d, struct entry *e);

/* A node in hand has left the tree for good. It is freed as soon as nobody holds it. */
void node_retire(struct node *n);

struct node *node_hold(struct node *n);
void node_release(struct node *n);

/* Frees the tree; nobody may hold a node of it. */
void node_free_all(struct node *top);

const char *node_name(const struct node *n);
/* The entry that it is the content of; NULL for the top. */
struct entry *node_entry(const struct node *n);

/* The path of an entry, or with NULL of the node itself, appended. Returns the length of the part
 * that is the root as the user wrote it. */
size_t node_path(const struct node *n, const char *name, struct buf *out);

/* May that be this directory? Of one that was never looked at nothing is known. */
static inline bool node_may_be(const struct node *n, const struct identity *is)
{
	return !n->identity.inode || identity_equal(&n->identity, is);
}

/* Is it the other one, or below it? */
static inline bool node_is_in(const struct node *n, const struct node *top)
{
	while (n && n != top)
		n = n->parent;
	return n;
}

unsigned node_depth(const struct node *n); /* of the top: 0 */

#endif
