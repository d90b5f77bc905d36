/* What the files of a job share: the job itself. */
#ifndef EVWATCH_JOB_STATE_H
#define EVWATCH_JOB_STATE_H

#include "base/list.h"
#include "base/table.h"
#include "job/job.h"
#include "job/lane.h"
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

	struct table lanes;             /* of --each */
	struct signal_watcher children; /* stopped.h */

	struct timer shortage; /* armed: no means for another process, none is started */
	int64_t shortage_wait;
	bool logged_shortage;

	struct job_stats stats;
	struct histogram durations;
};

/* ---- queue.c ---- */
void queue_open(struct job *j);
/* Starts runs while there are places. */
void queue_pump(struct job *j);
bool queue_may_start(const struct job *j);
/* Turns a batch into the runs that it takes; consumes the reference. */
void job_enqueue(struct job *j, struct batch *b);
/* Drops what waits. */
void job_drop_queue(struct job *j);
/* The batch leads to no run. Takes the reference over. */
void job_drop(struct job *j, struct batch *b);

#endif
