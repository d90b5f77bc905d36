/*
 * The net effect of a batch: what each path was before it, and is now.
 *
 *	was \ is     nothing     the same      another
 *	nothing      -           -             create
 *	something    delete      what was      modify
 *	                         done to it
 *
 * A thing that is at another path is a move, where that path was free before, or what was there is
 * a move itself, and both paths count. A directory that moves takes along what is in it, without a
 * word. Where a move cannot be reported it is a delete and a create (or modify), and what is in a
 * directory is then looked at one by one.
 *
 * Paths are those that hold when an effect is reported, so that whoever replays them in order has
 * the tree: moves, parents first; what is gone; what is new, parents first; what changed. Without
 * gathering: in the order of each name's last event, as far as the paths allow.
 */
#ifndef EVWATCH_SOURCE_FILE_BATCH_NET_H
#define EVWATCH_SOURCE_FILE_BATCH_NET_H

#include "source/file/batch/journal.h"

struct contents;

struct effect {
	char *path, *old_path; /* owned by the net; old_path: of a move */
	unsigned
	    event; /* FILE_CREATE, _MODIFY (another is there), _DELETE, _MOVE; 0: none of these */
	unsigned seen;    /* enum file_event: what was done to what is there, or was */
	unsigned notices; /* FILE_NOTICES */
	bool flickered;   /* it came and went; `seen` was done to it */
	char type;
	bool in_run;   /* all of it came while the rule's own command ran */
	int64_t since; /* loop time of its first event */
	int by;        /* the process that did the last of it; 0: not known */
	/* With net_options.names: */
	char was;              /* the type of what no longer exists; 0: there was nothing */
	struct node *node;     /* held: the directory of the name that it is about */
	struct node *old_node; /* the same of what moved; NULL where something else is there now */
};

struct net_options {
	void *owner;
	/* Does a thing of this type at this path count? NULL: all do. */
	bool (*counts)(void *owner, const char *path, char type);
	/* Is what is written there waited for? NULL: nothing is. */
	bool (*waits)(void *owner, const struct record *r);
	/* What files held: those that hold the same are left out. NULL: none are. */
	struct contents *contents;
	bool gathers; /* the effects of a batch; else what each look found */
	bool moves;   /* moves are asked for */
	bool names;   /* effects are to say what names they are about (rejoin.h) */
};

/* Does the record wait for its close? */
static inline bool net_options_wait(const struct net_options *o, const struct record *r)
{
	return r->now && r->now->open && o->waits && o->waits(o->owner, r);
}

struct net {
	struct effect *items; /* owned, in order */
	size_t count, capacity;
	const struct journal_folders *folders; /* whose nodes the effects hold */
};

void net_free(struct net *net);
/* Frees what an effect owns. `folders` as in struct net. */
void effect_free(struct effect *e, const struct journal_folders *folders);

/* The name in directory `d` of what has this path. */
const char *net_name(const struct journal_folders *folders, const struct node *d, const char *path);

/*
 * The net effect of all that is in the journal but what waits, which is taken out of it, made in
 * pieces. From net_begin to net_end neither the journal nor the names of directories may change.
 * `options` is copied. NULL with ENOMEM.
 */
struct net_maker;
struct net_maker *net_begin(struct journal *j, const struct net_options *options);
/* A piece: less than a millisecond, but for the last ones of a very large batch, which take a few.
 * 1: there is more, 0: all is made, -1 with ENOMEM: the journal is as it was. */
int net_go_on(struct net_maker *m);
/* What was made, if all was; frees the maker, and NULL is allowed. */
struct net net_end(struct net_maker *m);

#endif
