/*
 * The file system as the model looks at it, where a part of it may hang.
 *
 * What lies on the way of a remote mount (mounts.h) is never touched by the loop. Each mount has a
 * thread (asker.h) that reads there what the model has asked for, every second or as --poll says;
 * the model is given the last answer, and reads a directory again when its answer is another. Until
 * the first one comes an opening fails with EAGAIN. The mount point itself is known from the list
 * of mounts. What is mounted below a remote mount is looked at by the thread of that, too.
 *
 * All else goes to disk.h at once. There only a root that is a file of /proc or /sys differs: no
 * stamp says when it changes, so that it is read.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_REMOTE_H
#define EVWATCH_SOURCE_FILE_OBSERVE_REMOTE_H

#include "base/list.h"
#include "base/table.h"
#include "source/file/model/disk.h"

struct model;
struct mounts;
struct node;
struct reactor;

enum { REMOTE_OPEN = 8 /* folders at once */ };

/* A folder that is open. */
struct remote_folder {
	int fd;                    /* of one that is on a local file system; else -1 */
	char *real;                /* of the same, its path without links; owned; NULL: free */
	struct answer *answer;     /* what is in it; NULL: free */
	struct question *question; /* of the answer; until remote_bind */
	size_t at;
};

struct remote {
	struct file_system fs; /* first: it is the model's */
	const char *rule;      /* set these before the opening; borrowed, for messages */
	uint8_t priority;
	struct reactor *reactor;
	struct model *model;
	const struct mounts *mounts;
	int64_t interval;                  /* ns between two passes */
	bool silent;                       /* polling is what the user asked for */
	void (*wake)(struct remote *r);    /* there is something for model_work */
	void (*ticking)(struct remote *r); /* remote_tick has something to do from now on */

	struct disk disk;       /* private from here on */
	struct table roots;     /* of struct remote_root, by path */
	struct table questions; /* of struct question, by path */
	struct link sites;
	bool lacks_thread; /* that was said */
	size_t n_kernel;   /* roots that are read every second */
	struct remote_folder folders[REMOTE_OPEN];
};

void remote_open(struct remote *r);
/* Folders that are open may be closed afterwards. */
void remote_close(struct remote *r);

/* `folder` (FOLDER_REMOTE or more) is that of n, which is called for what changes in it from now
 * on, until remote_unbind. */
void remote_bind(struct remote *r, struct node *n, int folder);
void remote_unbind(struct remote *r, struct node *n);

/* Once a second: threads that hang are named, what nobody asks for goes, and roots of /proc and
 * /sys are hinted at. */
void remote_tick(struct remote *r);
/* Is there anything to tick for? */
bool remote_ticks(const struct remote *r);

/* Waits until `deadline` (of the loop's clock) for an answer that is the first to its question.
 * False: none came, or none is to come. */
bool remote_wait(struct remote *r, int64_t deadline);

/* The list of mounts is another. */
void remote_mounts_changed(struct remote *r);

/* Would an opening wait for a remote file system, or may it? */
bool remote_may_hang(struct remote *r, const struct opening *how);
/* Would a look at this path of the user wait for a remote file system? */
bool remote_has(const struct remote *r, const char *path);

#endif
