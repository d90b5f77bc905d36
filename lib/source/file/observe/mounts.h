/*
 * What is mounted where, from /proc/self/mountinfo (proc_pid_mountinfo(5)).
 *
 * The kernel says nothing of a mount to the watches of what is mounted over, but it wakes who polls
 * that file. The list is held against the one before, and its owner is called for each mount that
 * came or went. Nothing here opens anything on a mounted file system, so no mount is kept busy.
 *
 * A remote mount is one whose files others change without this kernel's knowledge (NFS, CIFS, 9p,
 * FUSE, ...). Its server may hang, and then whoever touches it hangs, too. So paths are resolved
 * here by readlink(2), step by step, and never beyond the mount point of a remote mount.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_MOUNTS_H
#define EVWATCH_SOURCE_FILE_OBSERVE_MOUNTS_H

#include "reactor/reactor.h"

struct mount_point {
	int id;
	unsigned major, minor; /* of its device */
	uint64_t root;         /* what of its file system is mounted: a hash of the path in it */
	char *path;            /* without links; owned */
	const char *remote;    /* the type of a file system that others change, or NULL */
	bool whole; /* the root of a file system, which is a directory, is mounted here */
};

/* Set `rule`, `priority` and the call before the opening; the rest is private but for reading. */
struct mounts {
	const char *rule; /* borrowed, for messages; may be NULL */
	uint8_t priority;
	/* A mount came to `point`, or was unmounted. The list is the new one. */
	void (*changed)(struct mounts *m, const char *point, bool unmounted);
	bool none_remote; /* all file systems are taken for local ones */

	struct mount_point *items; /* by path */
	size_t count, capacity, n_remote;
	struct reactor *reactor; /* NULL: closed */
	struct io_watcher io;
	struct timer again; /* the list is read once more */
	int fd;
};

/* Returns 0, or -1 with errno: no /proc. Nothing is mounted then, so far as is known. */
int mounts_watch(struct mounts *m, struct reactor *r);
void mounts_unwatch(struct mounts *m);

/* Something is mounted at this path. A mount moves with a directory that it is in, and nobody is
 * woken for that: if the list does not have the path, it is read again in the next turn. */
void mounts_met(struct mounts *m, const char *path);

enum { MOUNTS_PATH = 4096 };

/*
 * Where a path leads, without links, in `real` (MOUNTS_PATH bytes): up to the outermost remote
 * mount on its way, which is returned, with what comes behind its mount point as it is written; to
 * the end where there is none: NULL. What does not exist resolves to itself. NULL and "" is a path
 * that is too long, or goes round in a circle.
 */
const struct mount_point *mounts_resolve(const struct mounts *m, const char *path, char *real);

/* The outermost remote mount on the way to a path without links, or NULL. */
const struct mount_point *mounts_remote(const struct mounts *m, const char *real);

/* Is `path` this directory, or below it? Then what is behind it, without a slash; else NULL. */
const char *mounts_within(const char *directory, const char *path);

#endif
