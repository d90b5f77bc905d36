/*
 * Jobs: which events become runs, and when. See job.h.
 *
 * Events pass through two places: what is gathered (--debounce, --throttle) becomes one batch; a
 * batch becomes a run (several where its subjects are too many), which waits in the queue until one
 * of --jobs places is free. The policy decides what a new batch does while runs go on.
 */
#include "job/job.h"

#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "job/state.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEBOUNCE_AUTO  (2 * NS_PER_MS)
#define SHORTAGE_FIRST (50 * NS_PER_MS) /* waits where no process can be made, doubling */
#define SHORTAGE_MOST  (2 * NS_PER_S)

static void on_gather(struct reactor *r, struct timer *t);

/* ---- runs ------------------------------------------------------------------------------------ */

static void start_next(struct job *j)
{
	struct run *run = CONTAINER_OF(j->queue.next, struct run, link);

	list_remove(&run->link);
	j->n_queued--;
	list_append(&j->runs, &run->link);
	j->n_running++;
	if (!run->ordinal) /* it was not put back */
		run->ordinal = ++j->last_ordinal;
	j->last_start = reactor_now(j->setup.reactor, CLOCK_OF_LOOP);
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
	if (!j->told_shortage)
		log_warn(j->setup.rule, "cannot %s: %s; trying again until it works", step,
			 strerror(why));
	j->told_shortage = true;
	list_remove(&run->link);
	j->n_running--;
	list_prepend(&j->queue, &run->link);
	j->n_queued++;
	return 0;
}

/* Those who wait for the run of these events learn its result; NULL: there was none. */
static void tell_tickets(struct job *j, struct event *const *events, size_t n,
			 const struct run_result *result)
{
	for (size_t i = 0; i < n; i++)
		if (events[i]->ticket)
			j->setup.host->ticket(j->setup.owner, events[i]->ticket, result);
}

static void drop_batch(struct job *j, struct batch *b)
{
	tell_tickets(j, b->events, b->n, NULL);
	for (size_t i = 0; i < b->n; i++)
		j->setup.host->dropped(j->setup.owner, b->events[i]->token);
	batch_release(b);
}

static void drop_queue(struct job *j)
{
	LIST_EACH(at, after, &j->queue)
	{
		struct run *run = CONTAINER_OF(at, struct run, link);

		if (run->share.last) {
			struct batch *b = run->share.batch;

			tell_tickets(j, b->events, b->n, NULL);
			j->setup.host->dropped(j->setup.owner, batch_first(b)->token);
		}
		run_free(run);
	}
	j->n_queued = 0;
}

/* Turns a batch into the runs that it takes; consumes the reference. */
static void enqueue(struct job *j, struct batch *b)
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
		from += n;
	} while (from < b->n_subjects);
	batch_release(b);
	pump(j);
}

static void on_run_over(struct run *run)
{
	struct job *j = run->setup->owner;
	struct run_result result = {
	    .ordinal = run->ordinal,
	    .status = run->status,
	    .pid = run->pid,
	    .duration = run->pid > 0 ? clock_read(CLOCK_OF_LOOP) - run->started : 0,
	    .token = run->share.last ? batch_first(run->share.batch)->token : NULL,
	};
	bool captures = run->output.capture;
	struct batch *batch; /* the last of its runs is over; NULL: others follow */
	struct buf captured = {0};

	if (run->output.plan)
		output_finish(&run->output, &captured);
	if (captures) {
		result.output = captured.data ? captured.data : "";
		result.output_length = captured.length;
	}
	j->n_running--;
	j->stats.runs++;
	j->stats.failures += run->status != 0;
	j->stats.last_status = run->status;
	j->stats.last_duration = result.duration;
	j->stats.last_end = clock_read(CLOCK_OF_WALL);
	histogram_add(&j->durations, result.duration);
	batch = run->share.last ? batch_hold(run->share.batch) : NULL;
	run_free(run);
	j->setup.host->ended(j->setup.owner, &result);
	if (batch) {
		tell_tickets(j, batch->events, batch->n, &result);
		batch_release(batch);
	}
	buf_free(&captured);
	timer_stop(j->setup.reactor, &j->shortage); /* what it held is free now */
	pump(j);
	if (job_idle(j))
		j->told_shortage = false;
	j->setup.host->room(j->setup.owner);
}

static void stop_runs(struct job *j)
{
	LIST_EACH(at, after, &j->runs)
	run_stop(CONTAINER_OF(at, struct run, link));
}

/* ---- policies -------------------------------------------------------------------------------- */

/* The newest events take the place of what runs; those that wait go with them. */
static void restart(struct job *j, struct batch *b)
{
	drop_queue(j);
	enqueue(j, b);
	if (j->n_queued && !j->paused)
		stop_runs(j);
}

static void submit_batch(struct job *j, struct batch *b)
{
	bool busy = j->paused || j->n_running >= j->setup.config->jobs;

	if ((busy || j->n_queued) && j->setup.config->on_busy == BUSY_SKIP) {
		j->stats.skipped++;
		log_info(j->setup.rule, "skipped: the command still runs");
		drop_batch(j, b);
	} else if (busy && j->n_running && j->setup.config->on_busy == BUSY_SIGNAL) {
		LIST_EACH(at, after, &j->runs)
		run_signal(CONTAINER_OF(at, struct run, link), j->setup.config->signal);
		drop_batch(j, b);
	} else if (busy && j->setup.config->on_busy == BUSY_RESTART &&
		   !j->setup.host->may_start(j->setup.owner)) {
		log_info(j->setup.rule, "too late: no other run may follow the one that goes on");
		drop_batch(j, b);
	} else if (busy && j->setup.config->on_busy == BUSY_RESTART) {
		restart(j, b);
	} else {
		enqueue(j, b);
	}
}

/* ---- gathering ------------------------------------------------------------------------------- */

static int64_t debounce_of(const struct job *j)
{
	const struct job_config *c = j->setup.config;

	if (c->debounce_auto)
		return DEBOUNCE_AUTO;
	return c->debounce > 0 ? c->debounce : 0;
}

/* When may what is gathered be run? */
static int64_t gather_due(const struct job *j, int64_t now)
{
	const struct job_config *c = j->setup.config;
	int64_t due = now + debounce_of(j), last = j->gathered_since + c->max_wait;

	if (due > last)
		due = last;
	if (c->throttle && j->last_start && due < j->last_start + c->throttle)
		due = j->last_start + c->throttle;
	return due;
}

static void hand_on_gathered(struct job *j)
{
	struct batch *b = j->gathered;

	j->gathered = NULL;
	if (b)
		submit_batch(j, b);
}

static void on_gather(struct reactor *r, struct timer *t)
{
	struct job *j = CONTAINER_OF(t, struct job, gather);

	(void)r;
	hand_on_gathered(j);
	j->setup.host->room(j->setup.owner);
}

static void refuse(struct job *j, const struct event *events, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (events[i].connection >= 0)
			close(events[i].connection);
		if (events[i].ticket)
			j->setup.host->ticket(j->setup.owner, events[i].ticket, NULL);
		j->setup.host->dropped(j->setup.owner, events[i].token);
	}
}

static void lose(struct job *j, const struct event *events, size_t n)
{
	log_error(j->setup.rule, "out of memory: %zu events are lost", n);
	refuse(j, events, n);
}

static void gather(struct job *j, const struct event *events, size_t n)
{
	int64_t now = reactor_now(j->setup.reactor, CLOCK_OF_LOOP), due;

	if (!j->gathered) {
		j->gathered = batch_new(events, n);
		j->gathered_since = now;
	} else if (batch_add(j->gathered, events, n) < 0) {
		lose(j, events, n);
	}
	if (!j->gathered) {
		lose(j, events, n);
		return;
	}
	due = gather_due(j, now);
	if (due <= now || timer_start_at(j->setup.reactor, &j->gather, due) < 0)
		hand_on_gathered(j);
}

void job_submit(struct job *j, const struct event *events, size_t n)
{
	const struct job_config *c = j->setup.config;
	struct batch *b;

	if (j->stopping || n == 0) {
		refuse(j, events, n);
		return;
	}
	if (debounce_of(j) || c->throttle) {
		gather(j, events, n);
		return;
	}
	b = batch_new(events, n);
	if (!b) {
		lose(j, events, n);
		return;
	}
	submit_batch(j, b);
}

/* ---- by hand --------------------------------------------------------------------------------- */

void job_trigger(struct job *j, const struct event *event)
{
	struct batch *b = j->stopping ? NULL : batch_new(event, 1);

	if (b)
		submit_batch(j, b);
	else
		refuse(j, event, 1);
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

bool job_is_paused(const struct job *j)
{
	return j->paused;
}

size_t job_stop_runs(struct job *j)
{
	size_t n = j->n_running;

	stop_runs(j);
	return n;
}

/* ---- what others ask ------------------------------------------------------------------------- */

bool job_has_room(const struct job *j)
{
	const struct job_config *c = j->setup.config;

	if (c->on_busy != BUSY_QUEUE && c->on_busy != BUSY_PARALLEL)
		return true;
	return j->n_queued == 0 && may_start(j);
}

bool job_idle(const struct job *j)
{
	return !j->gathered && !j->n_queued && !j->n_running;
}

void job_stats(const struct job *j, struct job_stats *stats)
{
	*stats = j->stats;
	stats->running = j->n_running;
	stats->queued = j->n_queued + (j->gathered != NULL);
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

/* ---- life ------------------------------------------------------------------------------------ */

void job_stop(struct job *j)
{
	j->stopping = true;
	timer_stop(j->setup.reactor, &j->gather);
	timer_stop(j->setup.reactor, &j->shortage);
	if (j->gathered)
		drop_batch(j, j->gathered);
	j->gathered = NULL;
	drop_queue(j);
	stop_runs(j);
}

void job_kill(struct job *j)
{
	job_stop(j);
	LIST_EACH(at, after, &j->runs)
	run_kill(CONTAINER_OF(at, struct run, link));
}

void job_free(struct job *j)
{
	timer_stop(j->setup.reactor, &j->gather);
	timer_stop(j->setup.reactor, &j->shortage);
	drop_queue(j);
	LIST_EACH(at, after, &j->runs)
	run_free(CONTAINER_OF(at, struct run, link));
	if (j->gathered)
		batch_release(j->gathered);
	run_setup_close(&j->of_runs);
	free(j);
}

static void on_began(struct run *run)
{
	const struct job *j = run->setup->owner;

	j->setup.host->began(j->setup.owner, run->ordinal, run->pid,
			     batch_first(run->share.batch)->token);
}

static void on_executed(struct run *run)
{
	struct job *j = run->setup->owner;

	j->shortage_wait = 0;
}

static void on_event_json(void *owner, struct buf *out, const struct event *event, uint64_t ordinal)
{
	const struct job *j = owner;

	j->setup.host->event_json(j->setup.owner, out, event, ordinal);
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
	    .kind = setup->kind,
	    .inherited = setup->inherited,
	    .host = &run_host,
	    .owner = j,
	};
	j->stats.last_status = -1;
	list_init(&j->queue);
	list_init(&j->runs);
	timer_init(&j->gather, CLOCK_OF_LOOP, on_gather);
	timer_init(&j->shortage, CLOCK_OF_LOOP, on_shortage);
	if (run_setup_open(&j->of_runs, setup->out, setup->err, e) == 0)
		return j;
	free(j);
	return NULL;
}
