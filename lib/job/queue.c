/*
 * The queue: runs wait in it until one of --jobs places is free, and each end starts the next. What
 * a run needs of its job is answered here, too.
 */
#include "job/feed.h"
#include "job/state.h"

#include "base/log.h"
#include "base/units.h"

#include <string.h>

#define SHORTAGE_FIRST (50 * NS_PER_MS) /* waits where no process can be made, doubling */
#define SHORTAGE_MOST  (2 * NS_PER_S)

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

bool queue_may_start(const struct job *j)
{
	return !j->paused && !j->held && j->n_running < j->setup.config->jobs &&
	       j->setup.host->may_start(j->setup.owner);
}

void queue_pump(struct job *j)
{
	while (!j->stopping && !timer_active(&j->shortage) && j->n_queued && queue_may_start(j))
		start_next(j);
}

static void on_shortage(struct reactor *r, struct timer *t)
{
	(void)r;
	queue_pump(CONTAINER_OF(t, struct job, shortage));
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
	queue_pump(j);
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

static void note_end(struct job *j, int status, bool stopped, int64_t duration)
{
	struct job_stats *stats = &j->stats;

	stats->runs++;
	stats->last_status = status;
	stats->last_stopped = stopped;
	stats->last_duration = duration;
	stats->last_end = clock_read(CLOCK_OF_WALL);
	histogram_add(&j->durations, duration);
	if (!status || stopped)
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
	note_end(j, run->status, run->unwanted, result.duration);
	run_free(run);
	j->setup.host->ended(j->setup.owner, &result);
	if (whole)
		answer_tickets(j, b, &result);
	buf_free(&captured);
	timer_stop(j->setup.reactor, &j->shortage); /* what it held is free now */
	if (whole)
		lane_leave(j, b);
	batch_release(b);
	queue_pump(j);
	if (job_idle(j))
		j->logged_shortage = false;
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

/* ---- what runs ask --------------------------------------------------------------------------- */

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

void queue_open(struct job *j)
{
	j->of_runs.host = &run_host;
	list_init(&j->queue);
	list_init(&j->runs);
	timer_init(&j->shortage, CLOCK_OF_LOOP, on_shortage);
}
