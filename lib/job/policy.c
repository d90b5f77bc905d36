/* What happens to a batch while runs go on: --on-busy, for the rule or (--each) for a path. */
#include "base/log.h"
#include "job/state.h"

static void skip(struct job *j, struct batch *b)
{
	j->stats.skipped++;
	log_info(j->setup.rule, "skipped: %s",
		 j->paused ? "the rule is paused" : "the command still runs");
	job_drop(j, b);
}

static bool may_follow(const struct job *j)
{
	if (j->setup.host->may_start(j->setup.owner))
		return true;
	log_info(j->setup.rule, "too late: no other run may follow the one that goes on");
	return false;
}

/* The newest events stop the run and start a new one; those that wait go with them. */
static void restart(struct job *j, struct batch *b)
{
	job_drop_queue(j);
	job_enqueue(j, b);
	if (j->n_queued && !j->paused)
		job_stop_runs(j);
}

static void submit(struct job *j, struct batch *b)
{
	bool busy = j->paused || j->n_running >= j->setup.config->jobs;
	int on_busy = j->setup.config->on_busy;

	if ((busy || j->n_queued) && on_busy == BUSY_SKIP) {
		skip(j, b);
	} else if (busy && j->n_running && on_busy == BUSY_SIGNAL) {
		LIST_EACH(at, after, &j->runs)
		run_signal(CONTAINER_OF(at, struct run, link), j->setup.config->signal);
		job_drop(j, b);
	} else if (busy && on_busy == BUSY_RESTART && !may_follow(j)) {
		job_drop(j, b);
	} else if (busy && on_busy == BUSY_RESTART) {
		restart(j, b);
	} else {
		job_enqueue(j, b);
	}
}

/* ---- a path of its own ----------------------------------------------------------------------- */

/* The run of the lane's batch, which works on its own path only. */
static struct run *run_of(const struct job *j, const struct batch *b)
{
	LIST_EACH(at, after, &j->runs)
	{
		struct run *run = CONTAINER_OF(at, struct run, link);

		if (run->share.batch == b)
			return run;
	}
	return NULL;
}

static void submit_behind(struct job *j, struct lane *lane, struct batch *b)
{
	int on_busy = j->setup.config->on_busy;
	struct run *run = run_of(j, lane_batch(lane));

	if (on_busy == BUSY_SKIP) {
		skip(j, b);
	} else if (run && on_busy == BUSY_SIGNAL) {
		run_signal(run, j->setup.config->signal);
		job_drop(j, b);
	} else if (!run) { /* it has yet to start, and works on what is there then */
		job_drop(j, b);
	} else if (on_busy == BUSY_RESTART && !may_follow(j)) {
		job_drop(j, b);
	} else {
		lane_park(j, lane, b);
		if (on_busy == BUSY_RESTART)
			run_stop(run);
	}
}

void job_submit(struct job *j, struct batch *b)
{
	struct lane *lane;

	if (j->stopping) {
		job_drop(j, b);
		return;
	}
	if (!b->key || j->setup.config->on_busy == BUSY_PARALLEL) {
		submit(j, b);
		return;
	}
	lane = lane_of(j, b->key);
	if (lane) {
		submit_behind(j, lane, b);
		return;
	}
	lane_enter(j, b); /* without memory for one it may overlap */
	job_enqueue(j, b);
}
