/*
 * Questions to file systems that may hang, each answered by the thread of its mount.
 *
 * What lies on the way of a remote mount (mounts.h) is never touched by the loop. Who wants to know
 * what is there puts a question to the site of that mount: its thread asks, and again at every
 * interval, and calls the loop when an answer is another than before. So a tree in which nothing
 * happens costs the loop nothing. What is mounted below a remote mount is asked by the thread of
 * that, too.
 *
 * A thread is never waited for: where it hangs it is left behind, with the memory that it uses,
 * until its system call returns or the process ends. One that hangs is logged. Between two
 * questions it has nothing open, so that the file system can be unmounted.
 */
#ifndef EVWATCH_REMOTE_SITES_H
#define EVWATCH_REMOTE_SITES_H

#include "remote/mounts.h"

struct question;
struct site;

struct question_type {
	bool once; /* asked when it is put or repeated, and not at every interval */
	/* In the thread: asks, and waits for the file system. The answer with a hash of it, which
	 * is never 0; or NULL: ENOMEM, it is asked again. */
	void *(*ask)(struct question *q, uint64_t *sum);
	/* Of an answer, in either thread; NULL is allowed. */
	void (*release)(void *answer);
	/* In the loop: q->answer is another. */
	void (*answered)(struct question *q);
	/* In the loop: it is dropped, or its mount is gone. Whoever put it is to forget it. */
	void (*forget)(struct question *q);
	/* Then, in the thread: it may wait for the file system. */
	void (*free)(struct question *q);
};

/* Embedded in what is known of it, which lives until it is freed. Its type is set by its owner. */
struct question {
	const struct question_type *type;
	struct site *site;
	void *answer; /* the last one; NULL: none yet */

	struct link of_site; /* private from here on */
	struct link link, of_news;
	void *fresh;
	uint64_t sum; /* of the last answer; 0: none yet */
};

/* The sites of one owner: each has a thread of its own for a mount. The first part is set before
 * sites_open. */
struct sites {
	struct reactor *reactor;
	const struct mounts *mounts;
	const char *rule; /* borrowed, for messages; may be NULL */
	uint8_t priority;
	bool quiet;       /* polling is what the user asked for: it is not logged */
	int64_t interval; /* ns */
	/* Every second, while there is a site. NULL is allowed. */
	void (*ticked)(struct sites *s);

	struct link list; /* private from here on */
	struct timer second;
	bool lacks_thread; /* that was logged */
};

void sites_open(struct sites *s);
/* All its questions are dropped. */
void sites_close(struct sites *s);

/* The site of a remote mount; a new one is logged as being of `rule`. NULL: there is no thread to
 * be had, and the loop looks itself. */
struct site *sites_at(struct sites *s, const struct mount_point *p, const char *rule);
/* Those that are mounted no more go, with their questions. */
void sites_review(struct sites *s);
/* Once a second: threads that hang are logged. */
void sites_tick(struct sites *s);
/* Waits until `deadline` (of the loop's clock) for an answer that is the first to its question, and
 * passes it on. False: none came, or none is to come. */
bool sites_wait(struct sites *s, int64_t deadline);

/* The same of one site, which it gives so many ns for a question. */
bool site_wait(struct site *s, int64_t patience);

/* Asks it before all others, and again until it is dropped. */
void question_put(struct question *q, struct site *s);
/* Asks one again that is asked once and was answered, after those that wait. */
void question_repeat(struct question *q);
/* Its answer goes, and so does it, when the thread is done with it. */
void question_drop(struct question *q);

#endif
