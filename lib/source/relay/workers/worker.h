/* A worker: the child of a fork that relays. */
#ifndef EVWATCH_SOURCE_RELAY_WORKERS_WORKER_H
#define EVWATCH_SOURCE_RELAY_WORKERS_WORKER_H

#include "net/bound.h"
#include "source/relay/workers/place.h"

struct relay_source;

/*
 * In the child of a fork: works as the one of this number, `fd` being its end of the channel, and
 * ends the process. `of` and `l`, what it accepts from, are the parent's, whose memory the child
 * has a copy of.
 */
_Noreturn void worker_run(const struct relay_source *of, const struct listener *l,
			  struct worker_board *board, size_t number, int fd);

#endif
