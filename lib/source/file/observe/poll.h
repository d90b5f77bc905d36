/*
 * Changes by looking every so often, and how each directory is watched.
 *
 * This is the observer of the model, around another one:
 *
 *	inner NULL      all is read again at each interval (--poll)
 *	inner           it watches what can be watched; a file system that others change is read at
 *	                each interval by a thread of its own (remote.h), and so are roots that are
 *	                files of /proc or /sys
 *
 * Either way mounts that come and go at a root, above or below one, are looked at, and an unmounted
 * file system is reported as FILE_UNMOUNT of its mount point. /proc and /sys below a root are not
 * entered, nor, with one_file_system, what else is mounted there.
 *
 * To join: set the public fields; poll_prepare; give the model `fs` = poll_files(o) and `observer`
 * = &o->base;
 * base.type->open opens `inner`, too; base.type->close, before model_close, closes it. A directory
 * for which `inner` has no watch is polled by the model itself (model_retry). A host gets
 * `changed` for what polling finds: of a file, that it was written and closed, or its attributes.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_POLL_H
#define EVWATCH_SOURCE_FILE_OBSERVE_POLL_H

#include "base/option.h"
#include "base/table.h"
#include "remote/sites.h"
#include "source/file/model/disk.h"
#include "source/file/model/observer.h"

enum { REMOTE_OPEN = 8 /* folders at once */ };

/* An open folder of a file system that may hang. */
struct remote_folder {
	struct answer *answer; /* what is in it; NULL: free */
	size_t at;
};

/* The file system as the model looks at it: private to remote.c and questions.c. */
struct remote {
	struct file_system fs;
	struct disk disk;      /* what cannot hang */
	struct table of_roots; /* of struct file_question, by path */
	struct sites sites;
	struct text_list kernel; /* roots that are files of /proc and /sys: read every second */
	struct remote_folder folders[REMOTE_OPEN];
	/* Of the last opening: its root, where that leads ("": not known), and whether anything in
	 * its tree may be remote. */
	char root[MOUNTS_PATH], real_root[MOUNTS_PATH];
	bool near;
};

struct poll_observer {
	struct observer base;   /* its type and model are set */
	struct observer *inner; /* NULL: all is polled, and the model's settings are `stamped` */
	struct reactor *reactor;
	struct mounts *mounts;
	const char *rule;     /* borrowed, for messages */
	uint8_t priority;     /* of the rule */
	int64_t interval;     /* ns; with `inner`, 0: nothing is polled (--poll 0) */
	bool one_file_system; /* no other is entered below a root */
	/* All is about to be read again, or some of it was by threads: roots that nothing stood at
	 * are to be hinted at. */
	void (*passing)(struct poll_observer *o);
	/* A thread found a root, or a path that was looked at like one, otherwise. NULL: it is
	 * hinted at. */
	void (*answered)(struct poll_observer *o, const char *path);
	/* Something was mounted or unmounted: poll_may_hang may say otherwise. NULL is allowed. */
	void (*remounted)(struct poll_observer *o);

	struct mounts_listener mounted; /* private from here on */
	struct table places;            /* nodes that are polled, by identity */
	struct timer pass, second;
	int64_t patience; /* of poll_wait: until then; 0: it was not called yet */
	bool waited_for;  /* the last call of it got an answer */
	struct remote remote;
};

extern const struct observer_type observer_poll;

static inline const struct file_system *poll_files(const struct poll_observer *o)
{
	return &o->remote.fs;
}

/* Before the opening: reads what is mounted where, so that the files can be looked at. */
void poll_prepare(struct poll_observer *o);

/*
 * While the model is early and has nothing to do: waits until `deadline` (of the loop's clock) for
 * what the threads are asked, a second for each answer at most. True: model_work, and then this, is
 * to be called again. What such a thread finds later, in a directory that was entered while the
 * model was early, is no news either.
 */
bool poll_wait(struct poll_observer *o, int64_t deadline);

/* Would a look at this path of the user, or an opening of it, wait for a file system that may hang?
 * Such are left to the threads. */
bool poll_may_hang(const struct poll_observer *o, const char *path);

/* There is something to do every second from now on. */
void poll_tick_on(struct poll_observer *o);

#endif
