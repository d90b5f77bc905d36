/*
 * What is at a path, and in the directory there, found by one look: what the thread of a file
 * system that may hang hands to the loop.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_ANSWER_H
#define EVWATCH_SOURCE_FILE_OBSERVE_ANSWER_H

#include "source/file/model/look.h"

/* An entry of a directory. */
struct found {
	struct look look;   /* its type is '?' where that failed */
	struct look target; /* what a link leads to, where links are followed */
	char name[];
};

/* Read only, and of the loop's thread once it was handed over. */
struct answer {
	unsigned holds;
	int error; /* errno, or 0 */
	struct look look;
	struct found **items; /* owned, by name */
	size_t count;
	uint64_t sum; /* a hash of all above; never 0 */
};

/* Reads a directory, or looks at a path, links followed (how->to_read), and waits for the file
 * system. NULL with ENOMEM. */
struct answer *answer_new(const struct file_system *fs, const struct opening *how);
struct answer *answer_hold(struct answer *a);
/* NULL is allowed. */
void answer_release(struct answer *a);

/* An entry, or NULL. */
const struct found *answer_find(const struct answer *a, const char *name);

#endif
