/*
 * Jobs: which events become runs, and when. See job.h.
 *
 * A batch becomes a run (several where its subjects are too many), which waits in the queue until
 * one of --jobs places is free. policy.c decides what a new batch does while runs go on.
 */
#include "job/job.h"

#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "job/feed.h"
#include "job/state.h"
#include "job/stopped.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHORTAGE_FIRST (50 * NS_PER_MS) /* waits where no process can be made, doubling */
#define SHORTAGE_MOST  (2 * NS_PER_S)

/* ---- runs ------------------------------------------------------------------------------------ */

/* The first of its runs starts. */
static void begin_batch(struct batch *b)
{
	if (b->begun)
		return;
	b->begun = clock_read(CLOCK_OF_LOOP);
	if (b->feed)
		feed_began(b->feed);
}

static void start_next(struct job *j)
{
	struct run *run = CONTAINER_OF(j->queue.next, struct run, link);

	list_remove(&run->link);
	j->n_queued--;
	list_append(&j->runs, &run->link);
	j->n_running++;
	if (!run->ordinal) /* it was not put back */
		run->ordinal = ++j->last_ordinal;
	begin_batch(run->share.batch);
	run_launch(run);
}

static bool may_start(const struct job *j)
{
	return !j->paused && !j->held && j->n_running < j->setup.config->jobs &&
	       j->setup.host->may_start(j->setup.owner);
}

static void pump(struct job *j)
{
	while (!j->stopping && !timer_active(&j->shortage) && j->n_queued && may_start(j))
		start_next(j);
}

static void on_shortage(struct reactor *r, struct timer *t)
{
	(void)r;
	pump(CONTAINER_OF(t, struct job, shortage));
}

static int on_postponed(struct run *run, const char *step, int why)
{
	struct job *j = run->setup->owner;

	/* Several starts may fail at once: that is one shortage. */
	if (!timer_active(&j->shortage))
		j->shortage_wait = j->shortage_wait ? j->shortage_wait * 2 : SHORTAGE_FIRST;
	if (j->shortage_wait > SHORTAGE_MOST)
		j->shortage_wait = SHORTAGE_MOST;
	if (timer_start_in(j->setup.reactor, &j->shortage, j->shortage_wait) < 0)
		return -1;
	if (!j->logged_shortage)
		log_warn(j->setup.rule, "cannot %s: %s; trying again until it works", step,
			 strerror(why));
	j->logged_shortage = true;
	list_remove(&run->link);
	j->n_running--;
	list_prepend(&j->queue, &run->link);
	j->n_queued++;
	return 0;
}

/* Answers the triggers that wait for the run of these events; NULL: there was none. */
static void answer_tickets(struct job *j, const struct batch *b, const struct run_result *result)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->events[i]->ticket)
			j->setup.host->ticket(j->setup.owner, b->events[i]->ticket, result);
}

void job_drop(struct job *j, struct batch *b)
{
	answer_tickets(j, b, NULL);
	feed_give_up(b);
	batch_release(b);
}

/* A run of the batch is over. True: it was the last. */
static bool leave_batch(struct batch *b)
{
	return --b->unfinished == 0;
}

static void drop_waiting(struct job *j, struct run *run)
{
	struct batch *b = batch_hold(run->share.batch);

	run_free(run);
	j->n_queued--;
	if (leave_batch(b)) {
		lane_free(j, b);
		job_drop(j, b);
	} else {
		batch_release(b);
	}
}

void job_drop_queue(struct job *j)
{
	LIST_EACH(at, after, &j->queue)
	drop_waiting(j, CONTAINER_OF(at, struct run, link));
}

void job_enqueue(struct job *j, struct batch *b)
{
	size_t from = 0;

	do {
		size_t n = launch_fit(&j->of_runs.program, b->subjects, from, b->n_subjects);
		struct run *run = run_new(&j->of_runs, b, from, from + n);

		if (!run) {
			log_error(j->setup.rule, "out of memory: %zu events are lost", b->n);
			break;
		}
		list_append(&j->queue, &run->link);
		j->n_queued++;
		b->unfinished++;
		from += n;
	} while (from < b->n_subjects);
	if (!b->unfinished) {
		lane_free(j, b);
		job_drop(j, b);
	} else {
		batch_release(b);
	}
	pump(j);
}

/* What a batch comes to: its first failure, else success. */
static void count_into_batch(struct batch *b, const struct run *run)
{
	b->stopped |= run->unwanted;
	if (b->status == 0) {
		b->status = run->status;
		b->signal = run->signal;
	}
}

static void fill_result(struct run_result *result, const struct run *run, bool whole)
{
	const struct batch *b = run->share.batch;

	*result = (struct run_result){
	    .ordinal = run->ordinal,
	    .status = run->status,
	    .signal = run->signal,
	    .pid = run->pid,
	    .duration = run->pid > 0 ? clock_read(CLOCK_OF_LOOP) - run->started : 0,
	    .sender = b->feed ? b->feed->owner : NULL,
	    .timed_out = run->forced_status >= 0,
	    .stopped = run->unwanted,
	    .attempts = run->attempts,
	};
	if (!whole)
		return;
	result->token = batch_first(b)->token;
	result->batch = b;
	result->batch_duration = clock_read(CLOCK_OF_LOOP) - b->begun;
}

static void note_end(struct job *j, int status, int64_t duration)
{
	struct job_stats *stats = &j->stats;

	stats->runs++;
	stats->last_status = status;
	stats->last_duration = duration;
	stats->last_end = clock_read(CLOCK_OF_WALL);
	histogram_add(&j->durations, duration);
	if (!status)
		return;
	stats->failures++;
	stats->last_failure_status = status;
	stats->last_failure = stats->last_end;
}

static void on_run_over(struct run *run)
{
	struct job *j = run->setup->owner;
	struct batch *b = batch_hold(run->share.batch);
	bool captures = run->output.capture, whole;
	struct buf captured = {0};
	struct run_result result;

	count_into_batch(b, run);
	whole = leave_batch(b);
	fill_result(&result, run, whole);
	if (run->output.plan)
		output_finish(&run->output, &captured);
	if (captures) {
		result.output = captured.data ? captured.data : "";
		result.output_length = captured.length;
	}
	j->n_running--;
	note_end(j, run->status, result.duration);
	run_free(run);
	j->setup.host->ended(j->setup.owner, &result);
	if (whole)
		answer_tickets(j, b, &result);
	buf_free(&captured);
	timer_stop(j->setup.reactor, &j->shortage); /* what it held is free now */
	if (whole)
		lane_leave(j, b);
	batch_release(b);
	pump(j);
	if (job_idle(j))
		j->logged_shortage = false;
	j->setup.host->room(j->setup.owner);
}

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
	pump(j);
	j->setup.host->room(j->setup.owner);
}

void job_hold(struct job *j, bool held)
{
	j->held = held;
	pump(j);
	j->setup.host->room(j->setup.owner);
}

/* ---- feeds ----------------------------------------------------------------------------------- */

void job_withdraw(struct job *j, const struct feed *f)
{
	lanes_withdraw(j, f);
	LIST_EACH(at, after, &j->queue)
	{
		struct run *run = CONTAINER_OF(at, struct run, link);

		if (run->share.batch->feed == f)
			drop_waiting(j, run);
	}
}

void job_forget(struct job *j, const struct feed *f)
{
	job_withdraw(j, f);
	LIST_EACH(at, after, &j->runs)
	{
		struct batch *b = CONTAINER_OF(at, struct run, link)->share.batch;

		if (b->feed == f)
			b->feed = NULL;
	}
}

void job_hand_back(struct job *j, const struct feed *f)
{
	job_withdraw(j, f);
	LIST_EACH(at, after, &j->runs)
	{
		struct batch *b = CONTAINER_OF(at, struct run, link)->share.batch;

		if (b->feed == f)
			feed_part(b);
	}
}

/* ---- what others ask ------------------------------------------------------------------------- */

bool job_has_room(const struct job *j)
{
	const struct job_config *c = j->setup.config;

	if (c->on_busy != BUSY_QUEUE && c->on_busy != BUSY_PARALLEL)
		return true;
	return j->n_queued == 0 && may_start(j);
}

bool job_is_busy(const struct job *j, const char *subject)
{
	const struct lane *lane = lane_of(j, subject);

	switch (j->setup.config->on_busy) {
	case BUSY_PARALLEL:
		return false;
	case BUSY_QUEUE:
		return lane;
	default: /* what meets the run of its own subject needs no free place */
		return !lane && (j->n_queued || !may_start(j));
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

static void on_began(struct run *run)
{
	const struct job *j = run->setup->owner;
	const struct batch *b = run->share.batch;

	j->setup.host->began(j->setup.owner, run->ordinal, run->pid,
			     b->feed ? b->feed->owner : NULL, batch_first(b)->token);
}

static void on_executed(struct run *run)
{
	struct job *j = run->setup->owner;

	j->shortage_wait = 0;
}

static void on_event_json(void *owner, struct buf *out, const struct event *event, const char *kind,
			  uint64_t ordinal)
{
	const struct job *j = owner;

	j->setup.host->event_json(j->setup.owner, out, event, kind, ordinal);
}

static const struct run_host run_host = {
    .began = on_began,
    .executed = on_executed,
    .postponed = on_postponed,
    .over = on_run_over,
    .event_json = on_event_json,
};

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
	    .host = &run_host,
	    .owner = j,
	};
	j->stats.last_status = -1;
	list_init(&j->queue);
	list_init(&j->runs);
	lanes_open(j);
	timer_init(&j->shortage, CLOCK_OF_LOOP, on_shortage);
	stopped_open(j);
	if (run_setup_open(&j->of_runs, setup->out, setup->err, e) == 0)
		return j;
	stopped_close(j);
	free(j);
	return NULL;
}
