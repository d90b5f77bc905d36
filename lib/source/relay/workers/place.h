/*
 * What a worker knows of its place among the others: how many connections there may be, and its
 * channel to the loop's process. Workers share memory for what they count only; all else is said in
 * messages.
 */
#ifndef EVWATCH_SOURCE_RELAY_WORKERS_PLACE_H
#define EVWATCH_SOURCE_RELAY_WORKERS_PLACE_H

#include "net/channel.h"
#include "source/relay/config.h"
#include "source/relay/totals.h"

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

/*
 * What workers share: memory (mmap(2)). A worker parses what strangers send, and one that they took
 * over can write anything here: so there is no pointer and no length in it, no number of it is ever
 * one, and nobody's life hangs on one.
 */
struct worker_board {
	atomic_ullong total; /* connections of all workers (--max-conns); not sessions */
	atomic_bool waits;   /* somebody would have one more, were there room */
	_Alignas(struct totals) char totals[]; /* of each worker */
};

struct worker_place {
	struct worker_board *board;
	size_t number;          /* the first one, 0, does what only one is to do */
	uint64_t most;          /* connections of all workers; 0: no limit */
	struct channel channel; /* its end of it */
};

/* All zero. NULL with errno. */
struct worker_board *worker_board_new(const struct relay_config *c);
/* Of this process. NULL is none. */
void worker_board_free(struct worker_board *b, const struct relay_config *c);
struct totals *worker_totals(struct worker_board *b, const struct relay_config *c, size_t worker);

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
