/*
 * What the files of the net effect share: net.c the whole, and the effect of one path, net_moves.c
 * what is reported as moved, net_slots.c what was and is at each path, net_order.c the order of the
 * effects.
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

/* Of a slot: what was there leaves, and then all else is reported. Where nothing is left at the
 * path that is one step, the first. */
enum step { STEP_LEAVE, STEP_COME, STEPS };

/* A path, and what was and is there once all moves have been made. */
struct slot {
	char *path; /* owned */
	const struct record *was, *now, *touched;
	struct slot *above;           /* the nearest; NULL: there is none */
	struct link link;             /* of `slots`, later of one of `ranks` */
	struct link below, of_below;  /* those whose `above` this is, but for what was taken out */
	struct link movers, of_mover; /* those whose thing moves out from below this one */
	bool opened[STEPS], done[STEPS];
	bool cleared; /* that what was there is gone is an effect of its own */
};

/* How far a stage is; all zero but for `at` when it begins. */
struct net_progress {
	struct link *at;       /* the next record of the journal's order, or thing */
	size_t i;              /* the next of an array, or of a table */
	struct thing *decided; /* the next of a chain of moves */
	struct thing *within;  /* a directory whose names become movers */
	uint32_t entry;        /* the next of these */
	bool replaced;         /* that directory is reported as gone and come */
};

enum { NET_PIECE = 256 /* names */ };

/* In the order in which they are reported with a command; without one all have the first. */
enum rank { RANK_MOVED_FOLDER, RANK_MOVED, RANK_GONE, RANK_NEW, RANK_CHANGED, RANKS };

struct work {
	struct journal *j;
	const struct net_options *options;
	struct net *net;
	struct net_progress progress;
	struct thing **movers; /* what is at another path than it was */
	size_t n_movers, movers_capacity;
	struct table by_path; /* of slots */
	struct link slots;    /* in the order of the last event; then */
	struct link ranks[RANKS];
	struct net_todo {
		struct slot *slot;
		enum step step;
	} * stack; /* of what is put in order */
	size_t n_stack, stack_capacity;
	bool again; /* something was barred from being reported as moved */
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

static inline bool net_moves(const struct thing *t)
{
	return t && t->fate == FATE_MOVES;
}

/* Where what waits moved, that is reported already. */
static inline bool net_waits_wholly(const struct work *w, const struct record *r)
{
	return net_waits(w, r) && !net_moves(r->now);
}

static inline struct thing *net_was(const struct slot *s)
{
	return s->was ? s->was->was : NULL;
}

static inline struct thing *net_now(const struct slot *s)
{
	return s->now ? s->now->now : NULL;
}

/* ---- net.c ---- */
/* The path of a name now, or before the batch but for the moves that have been made. In scratch;
 * NULL: ENOMEM. */
char *net_path_now(struct work *w, const struct record *r);
char *net_path_before(struct work *w, const struct record *r, enum made made);
/* Visits a piece of all records, as a stage does; `visit` returns 0 or -1. */
int net_each_record(struct work *w, int (*visit)(struct work *w, struct record *r));
/* Appends the effect, with a copy of the slot's path. 0, or -1: ENOMEM. */
int net_append(struct work *w, const struct slot *s, struct effect *e);
/* Appends the effect of a slot, if it has any. 0, or -1: ENOMEM. */
int net_add_effect(struct work *w, struct slot *s);

/* ---- net_moves.c ---- */
/* Stages: what may have moved; which things are reported as moved. */
int net_find_movers(struct work *w);
int net_decide_moves(struct work *w);
/* Is this move possible, now that all paths are known? */
bool net_is_possible(const struct work *w, const struct slot *s);
/* A stage: the journal is as it was; what is to be done again is so but for what is barred, and for
 * what was implied. */
int net_undo(struct work *w);

/* ---- net_slots.c ---- */
void net_init_slots(struct work *w);
/* Stages: all that does not wait is brought to its path, once the moves are decided; slots are
 * joined to those above them, and ranked; and all are freed. */
int net_fill_slots(struct work *w);
int net_join_slots(struct work *w);
int net_free_slots(struct work *w);

/* ---- net_order.c ---- */
/* A stage: the effects. */
int net_put_in_order(struct work *w);

#endif
