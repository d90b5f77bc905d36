/*
 * Jobs: which events become runs, and when. See job.h.
 *
 * A batch becomes a run (several where its subjects are too many), which waits in the queue
 * (queue.c) until one of --jobs places is free. policy.c decides what a new batch does while runs
 * go on.
 */
#include "job/job.h"

#include "base/error.h"
#include "base/log.h"
#include "job/state.h"
#include "job/stopped.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t job_stop_runs(struct job *j)
{
	size_t n = j->n_running;

	LIST_EACH(at, after, &j->runs)
	run_stop(CONTAINER_OF(at, struct run, link));
	return n;
}

void job_pause(struct job *j, bool paused)
{
	j->paused = paused;
	queue_pump(j);
	j->setup.host->room(j->setup.owner);
}

void job_hold(struct job *j, bool held)
{
	j->held = held;
	queue_pump(j);
	j->setup.host->room(j->setup.owner);
}

/* ---- what others ask ------------------------------------------------------------------------- */

bool job_has_room(const struct job *j)
{
	const struct job_config *c = j->setup.config;

	if (c->on_busy != BUSY_QUEUE && c->on_busy != BUSY_PARALLEL)
		return true;
	return j->n_queued == 0 && queue_may_start(j);
}

bool job_is_busy(const struct job *j, const char *subject)
{
	const struct lane *lane = subject ? lane_of(j, subject) : NULL;

	switch (j->setup.config->on_busy) {
	case BUSY_PARALLEL:
		return false;
	case BUSY_QUEUE:
		return lane;
	default: /* what meets the run of its own subject needs no free place */
		return !lane && (j->n_queued || !queue_may_start(j));
	}
}

bool job_idle(const struct job *j)
{
	return !j->n_queued && !j->n_running;
}

void job_stats(const struct job *j, struct job_stats *stats)
{
	*stats = j->stats;
	stats->running = j->n_running;
	stats->queued = j->n_queued;
}

const struct histogram *job_durations(const struct job *j)
{
	return &j->durations;
}

void job_reopen_output(struct job *j)
{
	if (output_plan_reopen(&j->of_runs.output) < 0)
		log_error(j->setup.rule, "cannot open %s anew: %s; it goes on in the old file",
			  j->of_runs.output.path, strerror(errno));
}

void job_renamed(struct job *j)
{
	output_plan_renamed(&j->of_runs.output);
}

/* ---- life ------------------------------------------------------------------------------------ */

void job_stop(struct job *j)
{
	j->stopping = true;
	timer_stop(j->setup.reactor, &j->shortage);
	stopped_close(j);
	lanes_withdraw(j, NULL);
	job_drop_queue(j);
	job_stop_runs(j);
}

void job_kill(struct job *j)
{
	job_stop(j);
	LIST_EACH(at, after, &j->runs)
	run_kill(CONTAINER_OF(at, struct run, link));
}

void job_free(struct job *j)
{
	timer_stop(j->setup.reactor, &j->shortage);
	lanes_withdraw(j, NULL);
	job_drop_queue(j);
	LIST_EACH(at, after, &j->runs)
	run_free(CONTAINER_OF(at, struct run, link));
	lanes_close(j);
	run_setup_close(&j->of_runs);
	free(j);
}

struct job *job_new(const struct job_setup *setup, struct error *e)
{
	struct job *j = calloc(1, sizeof *j);

	if (!j) {
		error_errno(e, "cannot make the job");
		return NULL;
	}
	j->setup = *setup;
	j->of_runs = (struct run_setup){
	    .reactor = setup->reactor,
	    .config = setup->config,
	    .command = setup->command,
	    .rule = setup->rule,
	    .inherited = setup->inherited,
	    .passed = setup->passed,
	    .null = setup->null,
	    .owner = j,
	};
	j->stats.last_status = -1;
	lanes_open(j);
	queue_open(j);
	stopped_open(j);
	if (run_setup_open(&j->of_runs, setup->out, setup->err, e) == 0)
		return j;
	stopped_close(j);
	free(j);
	return NULL;
}
