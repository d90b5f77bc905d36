/*
 * What the files of the net effect share: net.c the whole, and the effect of one path, net_order.c
 * what is reported and when, net_near.c how names lie to each other.
 *
 * Nothing is drawn up before: what was reported so far is a tree of its own, which begins as that
 * from before the batch and at last is that of now. Of each record `left` says that what was there
 * is in this tree no more, and `told` that what is there now is; of each thing its fate whether it
 * was moved in it, or else is reported as gone and come.
 */
#ifndef EVWATCH_SOURCE_FILE_BATCH_NET_INNER_H
#define EVWATCH_SOURCE_FILE_BATCH_NET_INNER_H

#include "source/file/batch/net.h"

#include "base/buf.h"

/* Paths as they were before the batch, are in the tree that was reported so far, and are now. */
enum when { WHEN_BEFORE, WHEN_TOLD, WHEN_NOW };

/* What is to be done with a record before what waits for it. */
enum step {
	STEP_EXPAND, /* the directory there is not moved: the names in it are looked at */
	STEP_MOVE,   /* what is there is reported as moved there, if that is possible */
	STEP_PAIR,   /* whose place does the directory there take? */
	STEP_COME,   /* what is there is reported */
	STEP_LEAVE,  /* what was there, and all in it, is reported to be gone */
};

struct todo {
	enum step step;
	struct record *r;
	/* To expand: the next entry, and then the next name that was touched in it; is what nothing
	 * happened to told as gone and come, too? */
	uint32_t entry;
	struct link *name;
	bool whole;
};

enum { NET_PIECE = 256 /* names */ };

struct work {
	struct journal *j;
	const struct net_options *options;
	struct net *net;
	struct link *at;   /* the next record of the journal's order; or, */
	struct link *last; /* of what is reported, the last: others may follow yet */
	size_t pass;
	struct todo *stack;
	size_t n_stack, stack_capacity;
	struct buf scratch;
	const char **parts;
	size_t parts_capacity;
};

/* The effect of a path is made of this. */
struct place {
	const char *path;            /* NULL: ENOMEM */
	const struct record *at;     /* what is known of its events */
	const struct record *before; /* whose `was` was there; NULL: nothing was */
	struct thing *now;
	bool emptied; /* that what was there is gone has been reported by itself */
};

static inline bool net_counts(const struct work *w, const char *path, char type)
{
	return !w->options->counts || w->options->counts(w->options->owner, path, type);
}

static inline bool net_waits(const struct work *w, const struct record *r)
{
	return net_options_wait(w->options, r);
}

static inline bool net_moves(const struct thing *t)
{
	return t && t->fate == FATE_MOVES;
}

/* Where what waits moved, that is reported already. */
static inline bool net_waits_wholly(const struct work *w, const struct record *r)
{
	return net_waits(w, r) && !net_moves(r->now);
}

/* ---- net.c ---- */
/* The path of a name. In scratch; NULL: ENOMEM. */
char *net_path(struct work *w, const struct record *r, enum when when);
/* Appends the effect of a path, if it has any. 0, or -1: ENOMEM. */
int net_tell(struct work *w, const struct place *p);

/* ---- net_near.c ---- */
/* The thing of the nearest directory above a name that has one, or NULL. */
struct thing *net_folder(const struct work *w, const struct record *r);
/* The uppermost directory above a name that comes and is not yet told, or is not yet paired. */
struct thing *net_untold_above(const struct work *w, const struct record *r);
struct thing *net_unpaired_above(const struct work *w, const struct record *r);
/* The record of what was at the path that a name has now, and of what is now where it was: where
 * its directory takes another's place another one. NULL: there is none. */
struct record *net_before(const struct work *w, struct record *r);
struct record *net_after(const struct work *w, struct record *r);

/* ---- net_order.c ---- */
/* A stage: all effects, in order. */
int net_tell_all(struct work *w);

#endif
