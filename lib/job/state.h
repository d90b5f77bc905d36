/* What the files of a job share: the job itself. */
#ifndef EVWATCH_JOB_STATE_H
#define EVWATCH_JOB_STATE_H

#include "base/list.h"
#include "job/job.h"
#include "job/launch.h"
#include "job/output.h"
#include "job/run.h"
#include "reactor/reactor.h"

struct job {
	struct job_setup setup;
	struct surroundings around;
	struct program program;
	struct output_plan output;
	int null; /* /dev/null for input */

	struct link queue; /* runs that wait, in order */
	struct link runs;  /* launched ones */
	size_t n_queued, n_running;
	uint64_t last_ordinal;
	bool stopping;

	struct batch *gathered; /* by --debounce or --throttle; NULL: nothing */
	int64_t gathered_since, last_start;
	struct timer gather;

	bool told_fork_failure;
	struct job_stats stats;
};

/* A run is over: its result is told, and the next one starts. Frees the run. */
void job_run_over(struct job *j, struct run *run);

#endif
