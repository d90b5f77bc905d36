/*
 * The file system as the model looks at it, where a part of it may hang: a part of the polling
 * observer (poll.h), and its own.
 *
 * What lies on the way of a remote mount is asked of its site (remote/sites.h), every second or as
 * --poll says: what is at a root, or in the directory of a node. Until the first answer comes an
 * opening fails with EAGAIN. The mount point itself is known from the list of mounts.
 *
 * All else goes to disk.h at once. There only a root that is a file of /proc or /sys differs: no
 * stamp says when it changes, so that it is read.
 *
 * remote.c is the file system, questions.c what is asked, answer.c what was found.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_REMOTE_H
#define EVWATCH_SOURCE_FILE_OBSERVE_REMOTE_H

#include "source/file/observe/answer.h"
#include "source/file/observe/poll.h"

/*
 * What is at a root, or in the directory of a node, which is polled by that. It is asked until it
 * is dropped: with the watch of its node, or when the root leads elsewhere.
 */
struct file_question {
	char *path;         /* owned */
	struct opening how; /* of that; its node is held, and NULL for a root */
	struct poll_observer *observer;
	struct question base;
};

/* ---- remote.c ---- */
/* poll_files can be looked at from now on; the mounts are read. */
void remote_open(struct poll_observer *o);
/* Folders that are open may be closed afterwards. */
void remote_close(struct poll_observer *o);
/* A file system was mounted or unmounted: the way to a root may be another. */
void remote_forget_root(struct poll_observer *o);

/* Would an opening wait for a remote file system, or may it? */
bool remote_may_hang(struct poll_observer *o, const struct opening *how);

/* Hints at the roots that are files of /proc and /sys. */
void remote_hint_kernel(struct poll_observer *o);

/* ---- questions.c ---- */
/* The last answer to what is asked of a root, by the site that it leads to now (NULL: none). NULL
 * with EAGAIN, or ENOMEM: it is not asked. */
struct answer *question_of_root(struct poll_observer *o, struct site *s, const char *path);
/* The same of a directory that is to be opened; its node is polled from then on. */
struct answer *question_of_node(struct poll_observer *o, struct site *s, const struct opening *how);
/* Nothing is asked for the node any more. */
void question_unasked(const struct node *n);

#endif
