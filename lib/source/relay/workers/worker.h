/* A worker: the child of a fork that relays. */
#ifndef EVWATCH_SOURCE_RELAY_WORKERS_WORKER_H
#define EVWATCH_SOURCE_RELAY_WORKERS_WORKER_H

#include "net/bound.h"
#include "source/relay/workers/place.h"

#include <sys/types.h>

struct relay_source;

/*
 * In the child of a fork, with all signals blocked: works at this place, of which `fd` is the
 * channel's other end, and ends the process. `of` and `l`, what it accepts from, are the parent's,
 * whose memory the child has a copy of.
 */
_Noreturn void worker_run(const struct relay_source *of, const struct listener *l,
			  const struct worker_place *place, int fd, pid_t parent);

#endif
