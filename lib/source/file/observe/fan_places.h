/*
 * Where things are, for the observer of fanotify(7): from handles to nodes.
 *
 * A node is known by the handle of its directory, however that is called by now. A directory that
 * has no node is looked for, upward from it to the first that has one: what is on the way gets
 * nodes, too (model/sparse.c). That costs a few system calls a level, once; what is in no root is
 * remembered for a second. Its path must be shorter than PATH_MAX: of deeper ones no directory is
 * looked for, whatever an outsider makes.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_FAN_PLACES_H
#define EVWATCH_SOURCE_FILE_OBSERVE_FAN_PLACES_H

#include "source/file/model/look.h"
#include "source/file/observe/fan_ahead.h"
#include "source/file/observe/fan_roots.h"

struct model;
struct node;

/* A directory with a node. Owned by fan_places. */
struct fan_dir {
	struct node *node;
	uint64_t touched;         /* fan_places.clock, when it was last asked for */
	struct fan_handle handle; /* less what its data does not use */
};

enum { FAN_OUTSIDE = 4096 /* handles of directories outside that are remembered */ };

struct fan_places {
	struct model *model;
	struct fan_ahead *queue;
	const char *rule; /* borrowed, for messages */
	struct fan_roots roots;
	struct table dirs; /* of struct fan_dir, by hash */
	uint64_t *outside; /* owned; hashes, each in the slot that it gives; NULL: none yet */
	int64_t outside_since;
	uint64_t clock;
	size_t cursor;                  /* of fan_places_trim */
	bool logged_too_deep, searched; /* searched: in this turn */
};

/* model, queue and rule are set. */
void fan_places_init(struct fan_places *p);
void fan_places_free(struct fan_places *p);
/* The turn is over: closes what was opened in it. */
void fan_places_close(struct fan_places *p);

/* The node with this handle, or NULL. */
struct node *fan_node(struct fan_places *p, uint64_t hash);
/* A node that is in a root gets its handle; one that another has stays there. 0 or -1 with ENOMEM.
 */
int fan_node_is(struct fan_places *p, struct node *n, const struct fan_handle *h);
/* The handle of a node that has one. */
const struct fan_handle *fan_node_handle(const struct node *n);
/* The node goes. */
void fan_node_forget(struct fan_places *p, struct node *n);

/*
 * The node of a directory where it was before what is left in the queue, made if it is not known.
 * NULL: it is in no root, is not entered, or is still to come.
 */
struct node *fan_find(struct fan_places *p, const struct fan_handle *h);
/* The same while the model is at work, of a directory that is found where events that are left in
 * the queue bring it: its node stays where it was until they are passed on. NULL also if no event
 * speaks of it. */
struct node *fan_find_former(struct fan_places *p, const struct fan_handle *h);
/* Opens what the handle is of, wherever that is. -1 with errno. */
int fan_open_handle(struct fan_places *p, const struct fan_handle *h, int flags);
/* What it is; type 0: gone. */
void fan_look(struct fan_places *p, const struct fan_handle *h, struct look *out);
/* Something may be in a root that was not, or in another place. */
void fan_places_moved(struct fan_places *p);

/* Forgets some of what was not asked for lately; the model is idle, and what the kernel had when
 * this chunk began was passed on. */
void fan_places_trim(struct fan_places *p);

#endif
