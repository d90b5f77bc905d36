/* A worker: the child of a fork that relays. */
#ifndef EVWATCH_SOURCE_RELAY_WORKERS_WORKER_H
#define EVWATCH_SOURCE_RELAY_WORKERS_WORKER_H

#include "net/bound.h"
#include "source/relay/workers/place.h"

#include <sys/types.h>

struct relay_source;

/* What the child gets from its parent, whose memory it has a copy of. */
struct worker_start {
	const struct relay_source *source; /* the parent's */
	const struct listener *listener;   /* what it accepts from */
	struct worker_board *board;
	size_t number;
	int fd; /* of the channel */
	pid_t parent;
};

/* In the child of a fork, with all signals blocked: works, and ends the process. */
_Noreturn void worker_run(const struct worker_start *start);

#endif
