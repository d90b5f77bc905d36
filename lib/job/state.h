/* What the files of a job share: the job itself. */
#ifndef EVWATCH_JOB_STATE_H
#define EVWATCH_JOB_STATE_H

#include "base/list.h"
#include "job/job.h"
#include "job/run.h"
#include "job/run_setup.h"
#include "reactor/reactor.h"

struct job {
	struct job_setup setup;
	struct run_setup of_runs;

	struct link queue; /* runs that wait, in order */
	struct link runs;  /* launched ones */
	size_t n_queued, n_running;
	uint64_t last_ordinal;
	bool stopping, paused, held;

	struct batch *gathered; /* by --debounce or --throttle; NULL: nothing */
	int64_t gathered_since, last_start;
	struct timer gather;

	struct timer shortage; /* armed: no means for another process, none is started */
	int64_t shortage_wait;
	bool told_shortage;

	struct job_stats stats;
	struct histogram durations;
};

#endif
