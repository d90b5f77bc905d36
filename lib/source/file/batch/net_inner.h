/*
 * What the files of the net effect share: net.c the whole, net_paths.c paths and what is at them,
 * net_moves.c what is reported as moved, net_contents.c what files hold, net_order.c effects and
 * their order.
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
	bool opened, done; /* while it is put in order */
	bool cleared;      /* that what was there is gone is reported already */
};

/* Something that is at another path than it was. */
struct mover {
	struct record *record; /* of its name now */
	char *path;            /* owned */
	unsigned depth;
	bool decided;
};

struct work {
	struct journal *j;
	const struct net_options *options;
	struct net *net;
	struct mover *movers;
	size_t n_movers, movers_capacity;
	struct slot **slots;
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

/* ---- net_paths.c ---- */
/* The path of a name now, or before the batch but for the moves that have been made. In scratch;
 * NULL: ENOMEM. */
const char *net_path_now(struct work *w, const struct record *r);
const char *net_path_before(struct work *w, const struct record *r, enum made made);
unsigned net_depth(const char *path);
/* Brings all that does not wait to its path, once the moves are decided. Returns 0 or -1. */
int net_fill_slots(struct work *w);
void net_free_slots(struct work *w);
/* Does the record wait for its close? Wholly: where it moved, that is reported already. */
bool net_waits(const struct work *w, const struct record *r);
bool net_waits_wholly(const struct work *w, const struct record *r);

/* ---- net_moves.c ---- */
/* Decides which things are reported as moved. Returns 0 or -1. */
int net_decide_moves(struct work *w);
/* May a file's rename onto a file be reported as it is? */
bool net_may_replace(const struct work *w, const struct thing *now, const struct thing *was);
/* All paths are known: are the moves possible? -1: `again`, or ENOMEM. */
int net_check_moves(struct work *w);

/* ---- net_contents.c ---- */
/* A change of a file that holds what it held is taken out of the effect. */
void net_leave_out_same(const struct work *w, const struct slot *s, const struct thing *now,
			struct effect *e);
/* Puts down what files hold now. */
void net_keep_contents(struct work *w);

/* ---- net_order.c ---- */
/* Makes the effects, in order. Returns 0, or -1: `again`, or ENOMEM. */
int net_put_in_order(struct work *w);

#endif
