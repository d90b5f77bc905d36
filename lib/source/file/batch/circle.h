/*
 * A rule that triggers itself.
 *
 * A rule whose command changes what it watches would run for ever. It shows in batches all of whose
 * changes came while the command ran, again and again: with the same path, or for longer with paths
 * that come anew each time. It is named, with the cure, and its runs are spaced out; nothing is
 * dropped, for it may be the user who saves that often.
 *
 * A server that is restarted (--on-busy restart) runs whenever its user saves a file. What gives it
 * away is that it writes as long after each start as the time before: a user does not.
 */
#ifndef EVWATCH_SOURCE_FILE_BATCH_CIRCLE_H
#define EVWATCH_SOURCE_FILE_BATCH_CIRCLE_H

#include "source/file/batch/net.h"

struct circle {
	const char *rule; /* for messages; set by the owner, as is is_named */
	bool (*is_named)(struct circle *c, const char *path); /* by the user: a root */

	int64_t began;        /* loop time: when the last run did */
	int64_t into;         /* how long after that the last suspect came */
	char *path, *before;  /* the suspect, and another that was one before it; owned */
	unsigned times, runs; /* in a row: that path, any path */
	int64_t spacing;
	bool warned;
	int64_t not_before; /* loop time: the next run waits until then */
};

/* A batch is about to be handed on: did the rule's own command make it, which still runs if
 * `running`? */
void circle_judge(struct circle *c, const struct net *net, bool running);
void circle_run_began(struct circle *c, int64_t now);
/* All that the run did was put down before. */
void circle_run_ended(struct circle *c, int64_t now);
void circle_free(struct circle *c);

#endif
