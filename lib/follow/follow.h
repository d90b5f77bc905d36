/*
 * One path as the user wrote it, followed through every directory and link on the way.
 *
 * Each directory that the path leads through, those of links included, is watched for the names on
 * the way; what stands at the end is watched itself. Any word about one of them means: walk again
 * from the start, and compare. Ancestors that are renamed, exchanged, mounted over or made late,
 * links that dangle and are switched: all are the same walk. An event only says where to look.
 *
 * A directory that may be searched but not read cannot be watched, nor one for which the kernel has
 * no watch left: such a path is walked every second, which is logged once.
 *
 * A file system whose files others change (NFS, FUSE, ...) reports nothing of that, and may hang.
 * The walk ends where one is mounted: what lies behind that the thread of the mount looks at, every
 * second (remote/sites.h). Until it answers for the first time, for which the start waits 100 ms at
 * most, `error` is EAGAIN.
 *
 * What stands at the end is known by its watch, which an inode that is used again does not have;
 * where it cannot be watched by device, inode and birth time.
 *
 * All followed paths share the watches of a directory, so that an event in a directory of 2,000
 * logs costs what it costs in one of one. The way is walked from the working directory by paths:
 * each directory is watched before a name is looked up in it, so that no change falls in between.
 */
#ifndef EVWATCH_FOLLOW_FOLLOW_H
#define EVWATCH_FOLLOW_FOLLOW_H

#include "base/list.h"
#include "inotify/inotify.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct asked;
struct error;
struct follow;
struct follow_set;
struct mounts;
struct reactor;
struct site;

enum follow_change {
	FOLLOW_APPEARED, /* something stands at the path, and nothing did */
	FOLLOW_REPLACED, /* another inode than before */
	FOLLOW_GONE, /* nothing, or nothing that can be reached: see `error`; after EAGAIN, too */
};

/* The callbacks may stop and free any followed path. */
struct follow_calls {
	void (*changed)(struct follow *f, enum follow_change change);
	/*
	 * What stands at the path is the same, and may have been written, truncated, or have other
	 * permissions: look. Where it cannot be watched by the loop this comes every second. May be
	 * NULL.
	 */
	void (*modified)(struct follow *f);
};

/* A followed path, embedded in its owner. */
struct follow {
	const struct follow_calls *calls; /* set these two before the start */
	const char *rule;                 /* borrowed, for messages; may be NULL */

	/* What stands at the path, as of the last walk; to be read by the owner. */
	int error; /* 0: something; else why not: ENOENT, EACCES, ELOOP, ... */
	dev_t device;
	ino_t inode;
	mode_t mode;
	off_t size;
	struct site *site; /* of a file system that may hang: its thread looks; NULL: the loop */

	/*
	 * How often something came to a name on the way since the walk before: with more than one
	 * coming something may have stood at the path that no walk has found.
	 */
	unsigned comings;

	struct follow_set *set; /* private from here on; NULL: stopped */
	char *path;
	struct link all, due, unwatched, steps;
	struct inotify_listener self; /* of what stands at the end */
	int64_t born;                 /* ns; 0: the file system does not say */
	struct asked *asked;          /* of a mount that may hang; NULL: none is on the way */
	unsigned came;
	unsigned wanted; /* what is due */
};

/* Follows nothing yet, and holds no descriptor. NULL with ENOMEM. */
struct follow_set *follow_set_new(struct reactor *r, struct inotify_set *inotify,
				  struct mounts *mounts);
/* Every path was stopped. NULL is allowed. */
void follow_set_free(struct follow_set *set);

/*
 * Walks `path` (copied) at once, and follows it from then on. Returns 0, whatever stands there; -1
 * with errno is a want of memory. No callback comes before this returns.
 */
int follow_start(struct follow_set *set, struct follow *f, const char *path);
void follow_stop(struct follow *f);
/* Is each name on its way watched? Whatever is exchanged there is an event then. */
bool follow_is_watched(const struct follow *f);

#endif
