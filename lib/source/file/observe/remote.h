/*
 * The file system as the model looks at it, where a part of it may hang: a part of the polling
 * observer (poll.h), and its own.
 *
 * What lies on the way of a remote mount (mounts.h) is never touched by the loop. Each mount has a
 * thread (asker.h) that reads there what the model has asked for, every second or as --poll says;
 * the model is given the last answer, and reads a directory again when its answer is another. Until
 * the first one comes an opening fails with EAGAIN. The mount point itself is known from the list
 * of mounts. What is mounted below a remote mount is looked at by the thread of that, too.
 *
 * All else goes to disk.h at once. There only a root that is a file of /proc or /sys differs: no
 * stamp says when it changes, so that it is read.
 *
 * remote.c is the file system, sites.c the mounts with their threads.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_REMOTE_H
#define EVWATCH_SOURCE_FILE_OBSERVE_REMOTE_H

#include "source/file/observe/asker.h"
#include "source/file/observe/poll.h"

/* A remote mount, and its thread. */
struct site {
	struct link link;
	int id;
	const char *type;
	struct asker *asker;
	struct link questions; /* by struct question.of_site */
	bool hangs;            /* that was said */
	char point[];
};

/* ---- remote.c ---- */
/* poll_files can be looked at from now on; the mounts are read. */
void remote_open(struct poll_observer *o);
/* A file system was mounted or unmounted: the way to a root may be another. */
void remote_forget_root(struct poll_observer *o);

/* `folder` (FOLDER_REMOTE or more) is that of n, which is called for what changes in it from now
 * on, until remote_unbind. */
void remote_bind(struct poll_observer *o, struct node *n, int folder);
void remote_unbind(struct poll_observer *o, struct node *n);

/* Would an opening wait for a remote file system, or may it? */
bool remote_may_hang(struct poll_observer *o, const struct opening *how);

/* Hints at the roots that are files of /proc and /sys. */
void remote_hint_kernel(struct poll_observer *o);

/* ---- sites.c ---- */
void sites_open(struct poll_observer *o);
/* Folders that are open may be closed afterwards. */
void sites_close(struct poll_observer *o);

/* The site of a remote mount. NULL: there is no thread to be had, and the loop looks itself. */
struct site *sites_at(struct poll_observer *o, const struct mount_point *p);
/* Those that are mounted no more go. */
void sites_review(struct poll_observer *o);

/* What is asked of a path; of a directory for how->node. NULL: ENOMEM. */
struct question *sites_ask(struct poll_observer *o, struct site *s, const struct opening *how,
			   bool lists);
void sites_drop(struct poll_observer *o, struct question *q);
/* What is asked of a root, if anything is. */
struct question *sites_find_root(struct poll_observer *o, const char *path);

/* Once a second: threads that hang are named, and what nobody asks for goes. False: there is no
 * site. */
bool sites_tick(struct poll_observer *o);

/* Waits until `deadline` (of the loop's clock) for an answer that is the first to its question.
 * False: none came, or none is to come. */
bool sites_wait(struct poll_observer *o, int64_t deadline);

#endif
