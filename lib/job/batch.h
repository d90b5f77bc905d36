/*
 * A batch: events that are handled together, and what they give a command to work on.
 * Several runs may share one, when its subjects do not fit into one argument list.
 */
#ifndef EVWATCH_JOB_BATCH_H
#define EVWATCH_JOB_BATCH_H

#include "event/event.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct feed;
struct lane;

struct batch {
	struct link link; /* while it waits in its feed */
	unsigned references;
	struct event **events; /* owned array of copies */
	size_t n, capacity;
	const char **subjects; /* owned array into the events: all of them in order */
	size_t n_subjects, subjects_capacity;
	struct batch_block *blocks; /* owned: where the copies are */
	bool connected;             /* one of the events has a connection */
	struct feed *feed;          /* borrowed: where it came from; NULL: that is closed */
	const char *kind;           /* EVWATCH_SOURCE; static */
	const char *key;   /* borrowed from the subjects, of --each: the path; NULL: none */
	struct lane *lane; /* of the key, while it waits or runs */
	bool handed_on;    /* to the job */
	int64_t begun;     /* when its first run started, on the loop's clock; 0: not yet */
	size_t unfinished; /* runs of it that wait or go on */
	/* What it came to so far: its first failure, else 0. */
	int status, signal;
	bool stopped; /* by evwatch, on purpose */
};

/* A part of a batch's subjects: what one run works on. */
struct share {
	struct batch *batch;
	size_t from, to;
	bool last; /* the batch ends with it */
};

/* Copies the events. Their connections are taken over on success. NULL with ENOMEM. */
struct batch *batch_new(const struct event *events, size_t n);

/* Adds further events to one that no run shares yet. Returns 0, or -1 with ENOMEM, nothing added.
 */
int batch_add(struct batch *b, const struct event *events, size_t n);

/* The same with all events of `more`, which is freed. On failure it stays as it was. */
int batch_join(struct batch *b, struct batch *more);

struct batch *batch_hold(struct batch *b);

/* Frees it with the last reference; connections that were not handed on are closed. */
void batch_release(struct batch *b);

static inline struct event *batch_first(const struct batch *b)
{
	return b->events[0];
}

#endif
