/*
 * What the files of the net effect share: net.c the whole, net_paths.c paths and what is at them,
 * net_moves.c what is reported as moved, net_contents.c what files hold, net_order.c effects and
 * their order, net_sort.c the sorting.
 *
 * All is made in stages, each in pieces: a stage is a function that is called until it returns 0,
 * or -1: `again`, or ENOMEM.
 */
#ifndef EVWATCH_SOURCE_FILE_BATCH_NET_INNER_H
#define EVWATCH_SOURCE_FILE_BATCH_NET_INNER_H

#include "source/file/batch/net.h"

#include "base/buf.h"

/* Which moves have been made when a path is looked for. */
enum made { MADE_NONE, MADE_REPORTED, MADE_ALL };

/* A path, and what was and is there. */
struct slot {
	char *path; /* owned, until an effect takes it */
	const struct record *was, *now, *touched;
	size_t order;
	unsigned depth;
	bool opened, done; /* while it is put in order */
	bool cleared;      /* that what was there is gone is reported already */
};

/* Something that is at another path than it was. */
struct mover {
	struct record *record; /* of its name now */
	char *path;            /* owned */
	unsigned depth;
};

/* How far a stage is; all zero but for `at` when it begins. */
struct net_progress {
	struct link *at; /* the next record of the journal's order, or thing */
	size_t i;        /* the next of an array */
	size_t order, width;
	bool decided; /* something was, in this pass */
};

enum { NET_PIECE = 256 /* names */ };

struct work {
	struct journal *j;
	const struct net_options *options;
	struct net *net;
	struct net_progress progress;
	struct mover *movers;
	size_t n_movers, movers_capacity;
	struct slot **slots, **spare; /* spare: while they are sorted */
	size_t n_slots, slots_capacity;
	struct slot **stack; /* of what is put in order */
	size_t n_stack, stack_capacity;
	bool again;           /* something was barred from being reported as moved */
	struct table by_path; /* of slots */
	struct buf scratch;
	const char **parts;
	size_t parts_capacity;
};

static inline bool net_counts(const struct work *w, const char *path, char type)
{
	return !w->options->counts || w->options->counts(w->options->owner, path, type);
}

static inline bool net_waits(const struct work *w, const struct record *r)
{
	return net_options_wait(w->options, r);
}

/* Where what waits moved, that is reported already. */
static inline bool net_waits_wholly(const struct work *w, const struct record *r)
{
	return net_waits(w, r) && !(r->now->moves && r->now->origin != r);
}

/* ---- net_paths.c ---- */
/* The path of a name now, or before the batch but for the moves that have been made. In scratch;
 * NULL: ENOMEM. */
const char *net_path_now(struct work *w, const struct record *r);
const char *net_path_before(struct work *w, const struct record *r, enum made made);
unsigned net_depth(const char *path);
/* A stage: all that does not wait is brought to its path, once the moves are decided. */
int net_fill_slots(struct work *w);
void net_free_slots(struct work *w);

/* ---- net_moves.c ---- */
/* Stages: what may have moved; which things are reported as moved. */
int net_find_movers(struct work *w);
int net_decide_moves(struct work *w);
/* May a file's rename onto a file be reported as it is? */
bool net_may_replace(const struct work *w, const struct thing *now, const struct thing *was);
/* A stage, when all paths are known: are the moves possible? */
int net_check_moves(struct work *w);

/* ---- net_contents.c ---- */
/* A change of a file that holds what it held is taken out of the effect. */
void net_leave_out_same(const struct work *w, const struct slot *s, const struct thing *now,
			struct effect *e);
/* Puts down what files hold now. */
void net_keep_contents(struct work *w);

/* ---- net_order.c ---- */
/* Stages: moves that come before what else happened; the effects, when all is sorted. */
int net_hurry_moves(struct work *w);
int net_put_in_order(struct work *w);

/* ---- net_sort.c ---- */
/* A stage: slots in the order of their effects, as far as those do not depend on each other. */
int net_sort(struct work *w);

#endif
