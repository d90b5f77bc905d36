/*
 * Looks at a file system that may hang, made by a thread of its own.
 *
 * A question is a path: what is there, or what is in the directory there. It is asked at once, and
 * again at each interval until it is dropped; the loop is called when the answer is another than
 * before. So a tree in which nothing happens costs the loop nothing.
 *
 * The thread is never waited for: where it hangs it is left behind, with the memory that it uses,
 * until its system call returns or the process ends. While it asks nothing it has nothing open, so
 * that the file system can be unmounted.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_ASKER_H
#define EVWATCH_SOURCE_FILE_OBSERVE_ASKER_H

#include "base/list.h"
#include "source/file/model/look.h"

struct asker;
struct node;
struct reactor;

/* An entry of a directory. */
struct found {
	struct look look;
	struct look target; /* what a link leads to, where links are followed */
	char name[];
};

/* Read only; of the loop's thread. */
struct answer {
	unsigned holds;
	int error; /* errno, or 0 */
	struct look look;
	struct found **items; /* owned, by name */
	size_t count;
	uint64_t sum; /* a hash of all above; never 0 */
};

struct question {
	const void *of; /* the owner's own */
	char *path;
	size_t root; /* as in struct opening */
	bool follow;
	bool lists;            /* a directory is read; else a path is looked at, links followed */
	struct answer *answer; /* the last one; NULL: none yet */

	void *site; /* the owner's own; the next ones, too */
	struct node *node;
	unsigned age;
	struct link of_site;

	struct link link, of_news; /* private from here on, and locked */
	struct answer *fresh;
	uint64_t sum; /* of the last answer; 0: none yet */
};

/*
 * Starts the thread; `answered` is called by the loop, and may ask and drop. NULL with errno:
 * EAGAIN, ENOMEM, EMFILE. `interval` is in ns.
 */
struct asker *asker_new(struct reactor *r, int64_t interval, uint8_t priority,
			void (*answered)(void *owner, struct question *q), void *owner);
/* Its questions were dropped. */
void asker_free(struct asker *a);

/* NULL with ENOMEM. */
struct question *asker_ask(struct asker *a, const struct opening *how, bool lists);
void asker_drop(struct asker *a, struct question *q);

/* Waits for an answer until `deadline` (of the loop's clock), where a question has none yet, and
 * passes it on. False: there is none. */
bool asker_wait(struct asker *a, int64_t deadline);

/* For how long (ns) the thread has been waiting for one answer. */
int64_t asker_waits(struct asker *a);

/* An entry of an answer, or NULL. */
const struct found *answer_find(const struct answer *a, const char *name);
struct answer *answer_hold(struct answer *a);
/* NULL is allowed. */
void answer_release(struct answer *a);

#endif
