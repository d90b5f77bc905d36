/*
 * The inotify descriptors of the whole process (inotify(7)): who watches which inode.
 *
 * A user of the machine may have 128 inotify instances in all, so that one a rule is too many: here
 * is one for everything that follows single paths, one for each group of trees that overlap, and 16
 * at most. A queue of its own keeps a storm in one tree from overflowing, or delaying, another's.
 *
 * An inode has one watch in an instance, however many listeners it has. Its mask is what all of
 * them asked for, and only grows until the watch goes: a listener hears what others asked for, too,
 * and passes over what it has no use for. IN_EXCL_UNLINK would hide events from the others, and is
 * not used. A watch is known by the number that the kernel returned (wd), never by device and
 * inode, which are used again.
 *
 * Any call here may come from inside any callback, and any listener or user may be stopped and
 * freed there. All of it belongs to the thread of the reactor.
 */
#ifndef EVWATCH_INOTIFY_INOTIFY_H
#define EVWATCH_INOTIFY_INOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/inotify.h>

struct error;
struct inotify;
struct inotify_listener;
struct inotify_set;
struct inotify_user;
struct reactor;

/* What a user is called for. */
struct inotify_calls {
	/*
	 * Something happened to an inode that `l` listens to. With IN_IGNORED the watch is gone
	 * (the inode was deleted, or its file system unmounted): `l` is stopped when this returns,
	 * unless it was started anew here.
	 */
	void (*event)(struct inotify_user *u, struct inotify_listener *l,
		      const struct inotify_event *event);
	/* The kernel dropped events of this instance (IN_Q_OVERFLOW): any may have happened. May
	 * be NULL. */
	void (*lost)(struct inotify_user *u);
	/*
	 * After events: nothing more waits in the queue, or 5 ms or 4,096 events have passed since
	 * the last time. May be NULL.
	 */
	void (*drained)(struct inotify_user *u);
};

/* Somebody who has listeners: a rule of kind file, or all that follows paths. */
struct inotify_user {
	const struct inotify_calls *calls;
	const char *rule; /* borrowed, for messages; NULL: the whole process */
	uint8_t priority; /* the queue is read with the priority of its first user */

	struct inotify *on; /* private from here on; NULL: it has not joined */
	char **roots;       /* owned copies */
	size_t n_roots;
	uint32_t place; /* in on->users */
	bool fed;       /* had events since `drained` was last called */
};

/* One user's interest in one inode; embedded in its owner, 8 bytes. Zeroed memory is stopped. */
struct inotify_listener {
	int wd;        /* the kernel's number; 0: not started. First: it is a key */
	uint32_t user; /* private */
};

/* The descriptors of a process, none yet. NULL with ENOMEM. */
struct inotify_set *inotify_set_new(struct reactor *r);
/* All users have left. NULL is allowed. */
void inotify_set_free(struct inotify_set *set);

/*
 * Gives `u` an instance. `roots` are the directories whose trees it watches, absolute and without
 * links (realpath(3)) for overlaps to be recognised; they are copied. Without any it shares the
 * instance of those that follow single paths. Returns 0, or -1 with `e`, where not even one
 * instance is to be had.
 */
int inotify_join(struct inotify_set *set, struct inotify_user *u, char *const *roots, size_t n,
		 struct error *e);
/* Stops all listeners of `u`, which must still be in memory. Does nothing where it had not joined.
 */
void inotify_leave(struct inotify_user *u);

/*
 * Listens to what stands at `path` now (relative paths and /proc/self/fd/N too), for `mask`, to
 * which IN_ONLYDIR and IN_DONT_FOLLOW may be added. A started listener stays at its inode where
 * that still stands there, else it changes to the new one. Returns 0, or -1 with the errno of
 * inotify_add_watch(2) and the listener as it was (with ENOMEM it may be stopped); ENOSPC is the
 * limit of watches: see inotify_limit_warn.
 */
int inotify_listen(struct inotify_user *u, struct inotify_listener *l, const char *path,
		   uint32_t mask);
/* The last listener of an inode takes the kernel's watch with it. */
void inotify_unlisten(struct inotify_user *u, struct inotify_listener *l);

/* Another listener of this user that listens to the same inode, or NULL. */
struct inotify_listener *inotify_other(const struct inotify_user *u,
				       const struct inotify_listener *l);

static inline bool inotify_listens(const struct inotify_listener *l)
{
	return l->wd > 0;
}

/* The name in the directory, or NULL where the event is of the inode itself. */
static inline const char *inotify_name(const struct inotify_event *event)
{
	return event->len ? event->name : NULL;
}

/* Reads what the kernel has for the user now, and passes it on. Does nothing inside a callback. */
void inotify_read(struct inotify_user *u);

/* Nothing waits in any queue of the set, and since this was last asked nothing was mounted or
 * unmounted, which is no event. False where that cannot be known. */
bool inotify_is_quiet(const struct inotify_user *u);

/* When nothing waited in the queue last, in ns since the epoch, by the clock that stamps files:
 * what happened before was passed on. At first, when the queue was made. */
int64_t inotify_synced(const struct inotify_user *u);

/* How many watches the user's instance has. */
size_t inotify_watches(const struct inotify_user *u);

/*
 * Warns once for the whole process that the limit of watches was reached at `path`: which sysctl,
 * its value, and the value that would do, `more` watches being missing. `u` is who is short of
 * them.
 */
void inotify_limit_warn(struct inotify_user *u, const char *path, size_t more);

#endif
