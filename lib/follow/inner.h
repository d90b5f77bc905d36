/*
 * What the files of this room share: set.c what is due and when, walk.c the way, dirs.c the
 * directories on it, asked.c what lies in file systems that may hang.
 */
#ifndef EVWATCH_FOLLOW_INNER_H
#define EVWATCH_FOLLOW_INNER_H

#include "follow/follow.h"

#include "base/table.h"
#include "reactor/reactor.h"
#include "remote/sites.h"

enum { WANT_WALK = 1, WANT_LOOK = 2 };

/* A directory on somebody's way. */
struct follow_dir {
	struct inotify_listener listener;
	struct table names; /* of struct follow_name; owned */
};

struct follow_name {
	struct follow_dir *dir;
	struct link steps; /* of all that lead through it */
	char text[];
};

/* One path leads through this name of this directory. */
struct follow_step {
	struct link of_path, of_name;
	struct follow *follow;
	struct follow_name *name;
};

/* What stands at a path. */
struct standing {
	int error; /* errno; 0: something */
	dev_t device;
	ino_t inode;
	mode_t mode;
	int64_t born; /* ns; 0: the file system does not say */
	off_t size;
	int64_t written, changed;
};

/* What is asked of a path that leads into a remote mount. */
struct asked {
	struct question base;
	struct follow *follow;
	char *path; /* owned */
};

struct follow_set {
	struct reactor *reactor;
	struct inotify_set *inotify;
	struct inotify_user dirs, ends; /* directories on the way; what stands at ends */
	bool joined;
	struct link all, due, unwatched;
	struct timer soon, second;
	struct mounts *mounts;
	struct mounts_listener mounted;
	struct sites sites;
	char *said; /* the directory that a warning was about last */
};

/* ---- set.c ---- */
void follow_want(struct follow *f, unsigned what);
/* Warns that `path`, on the way of f, has no watch, from errno. */
void follow_say_unwatched(struct follow *f, const char *path);

/* ---- walk.c ---- */
/*
 * Walks the way anew. Returns whether something else stands at its end than before, with `change`;
 * where memory is short nothing changes, and it is tried again.
 */
bool walk(struct follow *f, enum follow_change *change);
/* Leaves the way. */
void walk_forget(struct follow *f);

/* ---- asked.c ---- */
/* Looks, links followed. */
struct standing standing_at(const char *path);
/* What the site answered last of this path, which is asked from then on; EAGAIN: not yet. */
struct standing asked_at(struct follow *f, struct site *s, const char *path);
void asked_drop(struct follow *f);

/* ---- dirs.c ---- */
/* Watches the directory at `path` for `name`, and adds that to `steps`. Returns 0, or -1 with
 * errno.
 */
int dirs_step(struct follow *f, struct link *steps, const char *path, const char *name);
/* Empties a list of steps. */
void dirs_drop(struct follow_set *set, struct link *steps);
void dirs_event(const struct follow_dir *dir, const struct inotify_event *event);

#endif
