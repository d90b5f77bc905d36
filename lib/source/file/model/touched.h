/*
 * The names that something was said of, each once: what they are is found by looking. A round takes
 * all of them, looks, and holds the results against what was known.
 */
#ifndef EVWATCH_SOURCE_FILE_MODEL_TOUCHED_H
#define EVWATCH_SOURCE_FILE_MODEL_TOUCHED_H

#include "base/list.h"
#include "base/table.h"
#include "source/file/model/look.h"

struct node;

/* What was said of a name: it decides whether an equal inode is the same file. */
enum hint {
	HINT_CREATED = 1, /* made anew: create, mkdir, link */
	HINT_DELETED = 2,
	HINT_CAME = 4,   /* the new name of a rename */
	HINT_LEFT = 8,   /* the old one */
	HINT_SCAN = 16,  /* no event speaks of it, or none that is to come */
	HINT_THERE = 64, /* it was written, opened ...: it was there before (sparse.c) */
	/* Beside HINT_SCAN, of a root: no event says when it is written, so its stamp does. */
	HINT_STAMP = 32,
	HINT_AHEAD = 128, /* a look found it otherwise: the event is still to come */
	HINT_FILE = 256,  /* beside HINT_THERE: it was no directory */
};

enum {
	HINTS_COME = HINT_CREATED | HINT_CAME,
	HINTS_GO = HINT_DELETED | HINT_LEFT,
	HINTS_THERE = HINT_THERE | HINT_FILE,
};

struct touched {
	struct node *node; /* held */
	const char *name;  /* what is looked at in it */
	struct link link;
	unsigned bits;    /* enum hint, all of them */
	unsigned last;    /* those of HINTS_COME and HINTS_GO that were said last */
	unsigned active;  /* what was done to what stands there: the host's bits */
	unsigned earlier; /* and to what left since */
	int by;           /* the process that did it last; 0: not known */
	unsigned mounts;  /* as in struct progress, when it was first hinted at; 0: not known */
	bool looked;
	bool differs;   /* from what is known: decided once all are looked at */
	bool awaits;    /* the event that says why it differs is still to come */
	uint8_t tries;  /* rounds in which its directory was not where it was expected */
	uint8_t waited; /* calls of model_retry, while its event was to come */
	struct look now;
	struct touched *to; /* what is known here is there now */
	bool arrives;       /* it is the `to` of another */
	bool replaces;      /* and something else was known here */
	/* Between its taking from here and its putting there. */
	void *thing;
	struct node *self;
	char text[]; /* of the name */
};

/* All names of a round. */
struct touches {
	struct table by_name;
	struct link order;
};

void touches_init(struct touches *t);
void touches_free(struct touches *t);
/* The one of this name, a new one if there is none. NULL with ENOMEM. */
struct touched *touches_add(struct touches *t, struct node *d, const char *name);
/* NULL: there is none. */
struct touched *touches_find(const struct touches *t, const struct node *d, const char *name);
void touches_drop(struct touches *t, struct touched *at);
/* All of `from` go to `to`, which is empty. */
void touches_take(struct touches *to, struct touches *from);
static inline bool touches_empty(const struct touches *t)
{
	return list_empty(&t->order);
}

#endif
