/*
 * The file system as the model looks at it, where a part of it may hang: a part of the polling
 * observer (poll.h), and its own.
 *
 * What lies on the way of a remote mount (mounts.h) is never touched by the loop. Each mount has a
 * thread that reads there what the model has asked for, every second or as --poll says, and calls
 * the loop when an answer is another than before: so a tree in which nothing happens costs the loop
 * nothing. Until the first answer comes an opening fails with EAGAIN. The mount point itself is
 * known from the list of mounts. What is mounted below a remote mount is looked at by the thread of
 * that, too.
 *
 * A thread is never waited for: where it hangs it is left behind, with the memory that it uses,
 * until its system call returns or the process ends. While it asks nothing it has nothing open, so
 * that the file system can be unmounted.
 *
 * All else goes to disk.h at once. There only a root that is a file of /proc or /sys differs: no
 * stamp says when it changes, so that it is read.
 *
 * remote.c is the file system, questions.c what is asked, sites.c the mounts with their threads.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_REMOTE_H
#define EVWATCH_SOURCE_FILE_OBSERVE_REMOTE_H

#include "source/file/observe/answer.h"
#include "source/file/observe/poll.h"

#include <pthread.h>

/* A remote mount, and its thread. */
struct site {
	struct link link;
	int id;
	const char *type;
	struct link questions; /* by struct question.of_site */
	bool hangs;            /* that was said */
	struct poll_observer *observer;
	struct waker waker;
	int64_t interval;
	struct disk disk; /* the thread's */

	pthread_mutex_t lock; /* of all below, and of the last part of questions */
	pthread_cond_t more, answers;
	struct link due, asked, news; /* questions of this pass, and of the next one */
	int64_t next_pass;
	struct question *asking; /* the present question; NULL: none, or it was dropped */
	int64_t since;           /* when the present question was asked; 0: none is */
	bool left;               /* the loop has no use for it any more */
	char point[];
};

/*
 * What is at a root, or in the directory of a node, which is polled by that. It is asked at once,
 * and again at each interval until it is dropped: with the watch of its node, or when the root
 * leads elsewhere.
 */
struct question {
	char *path;         /* owned */
	struct opening how; /* of that; its node is held, and NULL for a root */
	struct site *site;
	struct answer *answer; /* the last one; NULL: none yet */
	struct link of_site;

	struct link link, of_news; /* locked from here on */
	struct answer *fresh;
	uint64_t sum; /* of the last answer; 0: none yet */
};

/* ---- remote.c ---- */
/* poll_files can be looked at from now on; the mounts are read. */
void remote_open(struct poll_observer *o);
/* A file system was mounted or unmounted: the way to a root may be another. */
void remote_forget_root(struct poll_observer *o);

/* Would an opening wait for a remote file system, or may it? */
bool remote_may_hang(struct poll_observer *o, const struct opening *how);

/* Hints at the roots that are files of /proc and /sys. */
void remote_hint_kernel(struct poll_observer *o);

/* ---- questions.c ---- */
/* What is asked of a root, by the site that it leads to now. NULL: ENOMEM, or there is none. */
struct question *question_of_root(struct poll_observer *o, struct site *s, const char *path);
/* The same of a directory that is to be opened; its node is polled from then on. NULL: ENOMEM. */
struct question *question_of_node(struct poll_observer *o, struct site *s,
				  const struct opening *how);
/* Nothing is asked for the node any more. */
void question_unasked(const struct node *n);
void question_drop(struct question *q);
void question_free(struct question *q); /* of the thread, once it was dropped */
/* It has another answer. */
void question_answered(struct question *q);

/* ---- sites.c ---- */
void sites_open(struct poll_observer *o);
/* Folders that are open may be closed afterwards. */
void sites_close(struct poll_observer *o);

/* The site of a remote mount. NULL: there is no thread to be had, and the loop looks itself. */
struct site *sites_at(struct poll_observer *o, const struct mount_point *p);
/* Those that are mounted no more go. */
void sites_review(struct poll_observer *o);

/* Once a second: threads that hang are named. False: there is no site. */
bool sites_tick(struct poll_observer *o);

/* Waits until `deadline` (of the loop's clock) for an answer that is the first to its question.
 * False: none came, or none is to come. */
bool sites_wait(struct poll_observer *o, int64_t deadline);

#endif
