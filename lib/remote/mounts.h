/*
 * What is mounted where, from /proc/self/mountinfo (proc_pid_mountinfo(5)): one list for the
 * process.
 *
 * The kernel says nothing of a mount to the watches of what is mounted over, but it wakes who polls
 * that file. The list is held against the one before, and each listener is called for each mount
 * that came or went. Nothing here opens anything on a mounted file system, so no mount is kept
 * busy.
 *
 * A remote mount is one whose files others change without this kernel's knowledge (NFS, CIFS, 9p,
 * FUSE, ...). Its server may hang, and then whoever touches it hangs, too. So paths are resolved
 * here by readlink(2), step by step, and never beyond the mount point of a remote mount: what a
 * path is compared with is the list. sites.h asks those.
 */
#ifndef EVWATCH_REMOTE_MOUNTS_H
#define EVWATCH_REMOTE_MOUNTS_H

#include "base/list.h"
#include "reactor/reactor.h"

struct mount_point {
	int id;
	unsigned major, minor; /* of its device */
	uint64_t root;         /* what of its file system is mounted: a hash of the path in it */
	char *path;            /* without links; owned */
	const char *remote;    /* the type of a file system that others change, or NULL */
	bool whole; /* the root of a file system, which is a directory, is mounted here */
};

/* The list is read while somebody listens; empty else, and where there is no /proc. */
struct mounts {
	struct mount_point *items; /* by path */
	size_t count, capacity, n_remote;

	struct reactor *reactor;      /* private from here on */
	struct link listeners, *next; /* the next one to be called */
	bool calling;
	struct io_watcher io;
	struct timer again; /* the list is read once more */
};

/* Embedded in its owner, who sets the call. */
struct mounts_listener {
	struct link link;
	/* A mount came to `point`, or was unmounted. The list is the new one. Any listener may be
	 * added or taken out. */
	void (*changed)(struct mounts_listener *l, const char *point, bool unmounted);
};

/* Lists nothing yet, and holds no descriptor. NULL with ENOMEM. */
struct mounts *mounts_new(struct reactor *r);
/* Nobody listens any more. NULL is allowed. */
void mounts_free(struct mounts *m);

/* The list is the present one when this returns. -1 with errno: there is none to be had. */
int mounts_listen(struct mounts *m, struct mounts_listener *l);
/* One that does not listen is allowed, if it is all zero. */
void mounts_unlisten(struct mounts *m, struct mounts_listener *l);

/* Something is mounted at this path. A mount moves with a directory that it is in, and nobody is
 * woken for that: if the list does not have the path, it is read again in the next turn. */
void mounts_met(struct mounts *m, const char *path);

enum { MOUNTS_PATH = 4096 };

/*
 * Where a path leads, without links, in `real` (MOUNTS_PATH bytes): up to the outermost remote
 * mount on its way, which is returned, with what comes behind its mount point as it is written; to
 * the end where there is none: NULL. What does not exist resolves to itself. NULL and "" is a path
 * that is too long, or goes round in a circle. Without `m` no mount is remote.
 */
const struct mount_point *mounts_resolve(const struct mounts *m, const char *path, char *real);

/* The outermost remote mount on the way to a path without links, or NULL. */
const struct mount_point *mounts_remote(const struct mounts *m, const char *real);

/* Is a path without links in a remote mount, or above one? */
bool mounts_near(const struct mounts *m, const char *real);

/*
 * Goes from a path without links (MOUNTS_PATH bytes) to a name in it. The root is "" here. What
 * would be too long becomes "?", which is below no mount.
 */
void mounts_go(char *real, const char *name);

/* Is `path` this directory, or below it? Then what is behind it, without a slash; else NULL. */
const char *mounts_within(const char *directory, const char *path);

#endif
