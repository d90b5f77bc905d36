/* What the files of a job share: the job itself. */
#ifndef EVWATCH_JOB_STATE_H
#define EVWATCH_JOB_STATE_H

#include "base/list.h"
#include "job/failure.h"
#include "job/job.h"
#include "job/run.h"
#include "output/output.h"
#include "process/launch.h"
#include "reactor/reactor.h"

struct job {
	struct job_setup setup;
	struct surroundings around;
	struct program program;
	struct output_plan output;
	struct starts starts; /* where several may run at once */
	int null;             /* /dev/null for input */

	struct link queue; /* runs that wait, in order */
	struct link runs;  /* launched ones */
	size_t n_queued, n_running;
	uint64_t last_ordinal;
	bool stopping;

	struct batch *gathered; /* by --debounce or --throttle; NULL: nothing */
	int64_t gathered_since, last_start;
	struct timer gather;

	struct timer shortage; /* armed: no means for another process, none is started */
	int64_t shortage_wait;
	bool told_shortage;

	struct failures failures;

	struct job_stats stats;
};

/*
 * A run found no means to start (memory, processes, descriptors): it is put back in front of the
 * queue, until another run ends or some time has passed. -1: it cannot be put off.
 */
int job_run_postponed(struct job *j, struct run *run, const char *step, int why);

/* A run is over: its result is told, and the next one starts. Frees the run. */
void job_run_over(struct job *j, struct run *run);

#endif
