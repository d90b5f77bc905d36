/*
 * Changes by fanotify(7), Linux 5.17: one mark for each file system instead of a watch for each
 * directory.
 *
 * Arming does not depend on the size of the tree: no directory is read, and the model is sparse
 * (model/sparse.c). The kernel reports all that happens on the file system, each event with the
 * handle of a directory and a name in it; what is in no root is dropped. Decisions of this part:
 *
 * - Events are dealt with in chunks of 4,096 at most, each when the model has settled the one
 *   before. So a directory is where it was before the chunk until the model looks. In a directory
 *   that comes in a chunk nothing is known yet: what happened in it is passed on when it has been
 *   read, and what came and went with it is reported as that.
 * - The names of a directory need not be read: what a rename replaced the kernel reports beside it
 *   (fan_renames.h). A rename waits for that, for 100 ms at most. Where the kernel has merged it
 * into earlier events the rename counts as one onto a free name.
 * - The queue has no limit (FAN_UNLIMITED_QUEUE): what is lost could not be found out, as nothing
 *   was read before. Where the kernel lacks memory all the same (FAN_Q_OVERFLOW), that is reported,
 *   and what is known is looked at again.
 * - A file system that is mounted below a root gets a mark when fanotify_mount is called, or when
 *   the model comes to it.
 * - No descriptor is kept open but that of fanotify: every file system can be unmounted.
 *
 * What evwatch itself opens and reads is passed over.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_FANOTIFY_H
#define EVWATCH_SOURCE_FILE_OBSERVE_FANOTIFY_H

#include "reactor/reactor.h"
#include "source/file/model/observer.h"
#include "source/file/observe/fan_places.h"
#include "source/file/observe/fan_ahead.h"

enum fan_side {
	FAN_SIDE_DIR,   /* what happened in `dir` */
	FAN_SIDE_TO,    /* and in `to_dir` */
	FAN_SIDE_GHOST, /* the directory that it made may be gone by now */
};

/* A side of an event whose directory has no node yet. */
struct fan_late {
	size_t at; /* its place in the queue */
	enum fan_side side;
};

/* A directory that came and went within a chunk. */
struct fan_ghost {
	uint64_t hash;
	struct node *node; /* held */
};

enum fan_stage {
	FAN_FRESH,   /* the next chunk may begin */
	FAN_FILLING, /* what the kernel has is read */
	FAN_PASSING, /* it is passed on */
	FAN_LATE,    /* and what happened in directories that came with it */
};

/*
 * The owner sets the first part; settings.sparse of the model is set, and settings.unread unless
 * what is there at the start is to be reported; the model is `early` until model_work has nothing
 * to do for the first time. It calls `read` when model_work has nothing more to do. struct model.by
 * is the process that did what is reported.
 */
struct fanotify_observer {
	struct observer base;
	struct reactor *reactor;
	const char *rule; /* borrowed, for messages */
	uint8_t priority;
	char *const *roots; /* borrowed; as the user wrote them: what is missing at the start counts
			       by the nearest directory above it */
	size_t n_roots;
	unsigned active; /* enum file_event: what is asked for beside what makes the tree */
	/* Are names of what moved still asked for? Then none are forgotten. */
	bool (*keeps)(struct fanotify_observer *o);
	int64_t synced; /* as inotify_synced; read only */

	int fd; /* private from here on */
	struct io_watcher io;
	struct fan_ahead queue;
	struct fan_places places;
	struct {
		int32_t (*items)[2]; /* owned */
		size_t count, capacity;
	} marks; /* file systems that are marked */
	struct {
		enum fan_stage stage;
		int64_t emptied; /* what happened before is in `queue`, or was */
		size_t passed;   /* events of this chunk */
		bool has_moved;  /* a directory came in this chunk */
		bool hinted;     /* something was passed on since model_drained was called last */
		bool reports;    /* and since the owner was last woken */
	} progress;
	bool waits;            /* for what belongs to the next event */
	bool gives_up;         /* it is passed on without that */
	struct timer patience; /* while it waits */
	struct {
		struct fan_late *items;
		size_t count, capacity, at;
	} late;
	struct {
		struct fan_ghost *items;
		size_t count, capacity;
	} ghosts;
};

extern const struct observer_type observer_fanotify;

/* Something is mounted at this path, which is in a root. Returns 0, or -1 with errno: it is not
 * observed. */
int fanotify_mount(struct fanotify_observer *o, const char *path);

/* ---- fan_events.c ---- */
/* Passes on what is in the queue until `deadline`, up to the end of a chunk. True: there is more to
 * do at once; else the model, or the kernel, is next. */
bool fanotify_pass(struct fanotify_observer *o, int64_t deadline);
/* What was in the node, as events say that are not passed on yet, is assumed to be, and hinted at.
 */
void fanotify_catch_up(struct fanotify_observer *o, struct node *n);
/* Forgets what is late. */
void fanotify_forget(struct fanotify_observer *o);

#endif
