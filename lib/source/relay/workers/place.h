/*
 * What a worker knows of its place among the others: how many connections there may be, and its
 * channel to the loop's process. Workers share memory for the counts only; all else is said in
 * messages.
 */
#ifndef EVWATCH_SOURCE_RELAY_WORKERS_PLACE_H
#define EVWATCH_SOURCE_RELAY_WORKERS_PLACE_H

#include "net/channel.h"
#include "source/relay/config.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a channel carries: to the workers, and from them. */
enum worker_message {
	WORKER_STOP = 's',   /* accept no more, drain, end */
	WORKER_ROOM = 'r',   /* both ways: a connection is over while others wait (--max-conns) */
	WORKER_LINE = 'l',   /* of the log */
	WORKER_OUTPUT = 'o', /* of --dump -: bytes for standard output */
	WORKER_EVENT = 'e',  /* as report_event makes it */
};

/* How large the shared memory is. Each process has this for itself. */
struct counts_shape {
	size_t workers, targets;
	size_t length; /* of a row (totals.h) */
};

/*
 * In memory that all share (mmap(2)). A worker parses what strangers send, and one that they took
 * over can write anything here: so there is no pointer and no length in it, and no number of it is
 * ever one.
 */
struct worker_counts {
	atomic_ullong total;
	atomic_bool waits;                     /* somebody would have one more, were there room */
	atomic_uint connections[WORKERS_MOST]; /* of each worker */
	/* of each worker, and of all that are over; then a flag for each target that is down */
	atomic_ullong rows[];
};

struct worker_place {
	struct worker_counts *counts;
	struct counts_shape shape;
	size_t number;
	uint64_t most; /* connections of all workers; 0: no limit */
	struct channel channel;
};

/* All zero. NULL with errno. */
struct worker_counts *worker_counts_new(const struct counts_shape *shape);
/* Of this process. NULL is none. */
void worker_counts_free(struct worker_counts *c, const struct counts_shape *shape);
/* Of a worker, or number `workers`: of those that are over. */
atomic_ullong *worker_counts_row(struct worker_counts *c, const struct counts_shape *shape,
				 size_t number);

/* The flags of the targets: as the worker that looks saw them. */
atomic_bool *place_targets_down(const struct worker_place *place);
/* The first worker does what only one is to do. */
bool place_is_first(const struct worker_place *place);

/*
 * A connection of this worker begins, or is over. False: there are as many as may be already, and
 * WORKER_ROOM comes once that has changed.
 */
bool place_enter(struct worker_place *place);
void place_leave(struct worker_place *place);

/*
 * The loop's process lags behind: it has many events of this worker to take. Nothing that would
 * make more of them is begun until it has.
 */
bool place_lags(const struct worker_place *place);

#endif
