/*
 * lines: an event for each line of files, pipes and descriptors. Its life; see lines.h for the
 * rest.
 *
 * Lines are handed on one by one, and only while they are wanted: evwatch stops reading until a
 * slow command is done, so that memory does not grow.
 */
#include "source/lines/lines.h"

#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "source/kinds.h"

#include <stdlib.h>
#include <string.h>

enum { TICK = 200000000 };

void lines_review(struct lines_source *s)
{
	if (s->stopped || s->base.paused || s->cutting_lines || s->resting)
		return;
	for (size_t i = 0; i < s->n_inputs; i++)
		if (!input_is_done(&s->inputs[i]))
			return;
	s->stopped = true;
	s->base.host->ended(&s->base);
}

void lines_need_tick(struct lines_source *s)
{
	if (!timer_active(&s->tick) && timer_start_in(s->base.reactor, &s->tick, TICK) < 0)
		log_error(s->base.rule, "out of memory: rotated files are not read on");
}

static void on_tick(struct reactor *r, struct timer *t)
{
	struct lines_source *s = CONTAINER_OF(t, struct lines_source, tick);
	bool more = false;

	(void)r;
	for (size_t i = 0; i < s->n_inputs && !s->stopped; i++)
		more |= input_tick(&s->inputs[i]);
	if (more && !s->stopped)
		lines_need_tick(s);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void go_on(struct lines_source *s)
{
	for (size_t i = 0; i < s->n_inputs && !s->base.paused && !s->stopped; i++)
		input_go_on(&s->inputs[i]);
	lines_review(s);
}

void lines_wait(struct lines_source *s)
{
	for (size_t i = 0; i < s->n_inputs; i++)
		input_rest(&s->inputs[i]);
}

/* The line stays where it is in its buffer: nothing is read. */
void lines_rest(struct lines_source *s)
{
	s->resting = true;
	lines_wait(s);
	if (timer_start_soon(s->base.reactor, &s->rest) < 0)
		log_error(s->base.rule, "out of memory: its lines are no longer matched");
}

/* The next turn: the line that was being matched, those behind it, and reading as before. */
static void on_rested(struct reactor *r, struct timer *t)
{
	struct lines_source *s = CONTAINER_OF(t, struct lines_source, rest);

	if (s->base.paused || s->stopped)
		return;
	s->budget = MATCH_TURN;
	if (s->matching)
		lines_match_on(s);
	if (s->matching) {
		timer_start_soon(r, t);
		return;
	}
	s->resting = false;
	go_on(s);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void lines_close(struct source *base)
{
	struct lines_source *s = (struct lines_source *)base;

	timer_stop(base->reactor, &s->tick);
	timer_stop(base->reactor, &s->rest);
	for (size_t i = 0; i < s->n_inputs; i++)
		input_close(&s->inputs[i]);
	of_close(s);
	progress_close(s);
	free(s->inputs);
	s->inputs = NULL;
	s->n_inputs = 0;
	match_free(s->match);
	s->match = NULL;
}

static int open_match(struct lines_source *s, struct error *e)
{
	const struct lines_config *c = s->base.config;

	if (!c->match)
		return 0;
	s->match = lines_compile(c, e);
	return s->match ? 0 : -1;
}

/* The output of a command is one input. */
static int open_inputs(struct lines_source *s, struct error *e)
{
	const struct lines_config *c = s->base.config;
	size_t n = c->of ? 1 : c->paths.count;

	for (size_t i = 0; i < n; i++) {
		struct line_input *in = &s->inputs[s->n_inputs++];

		in->owner = s;
		in->path = c->of ? c->of : c->paths.items[i];
		if (input_open(in, e) < 0)
			return -1;
	}
	return 0;
}

static int lines_open(struct source *base, struct error *e)
{
	struct lines_source *s = (struct lines_source *)base;
	const struct lines_config *c = base->config;

	timer_init(&s->tick, CLOCK_OF_LOOP, on_tick);
	timer_init(&s->rest, CLOCK_OF_LOOP, on_rested);
	s->rest.priority = base->priority;
	s->inputs = calloc(c->of ? 1 : c->paths.count, sizeof *s->inputs);
	if (!s->inputs)
		return error_errno(e, "cannot read lines");
	if (open_match(s, e) < 0 || of_open(s, e) < 0 || progress_open(s, e) < 0 ||
	    open_inputs(s, e) < 0) {
		lines_close(base);
		return -1;
	}
	return 0;
}

/* A run that was stopped, or never began, as evwatch stopped: its line comes again. */
static void lines_run_ended(struct source *base, void *token, const struct run_outcome *outcome)
{
	struct lines_source *s = (struct lines_source *)base;
	bool waited = progress_is_full(s);

	if (!token || (outcome->status != 0 && s->stopped))
		return;
	progress_end(token);
	if (waited && !base->paused && !s->stopped && !s->resting)
		go_on(s);
}

static void lines_resume(struct source *base)
{
	struct lines_source *s = (struct lines_source *)base;

	if (s->resting)
		timer_start_soon(base->reactor, &s->rest);
	else
		go_on(s);
}

static void lines_start(struct source *base)
{
	progress_start((struct lines_source *)base);
	of_start((struct lines_source *)base);
	lines_resume(base);
}

static void lines_pause(struct source *base)
{
	lines_wait((struct lines_source *)base);
}

static void lines_stop(struct source *base)
{
	struct lines_source *s = (struct lines_source *)base;

	s->stopped = true;
	lines_pause(base);
	of_stop(s);
	timer_stop(base->reactor, &s->tick);
}

static bool lines_reads_input(const void *config)
{
	const struct lines_config *c = config;

	for (size_t i = 0; i < c->paths.count; i++)
		if (strcmp(c->paths.items[i], "-") == 0)
			return true;
	return false;
}

static int lines_record_lock(const struct source *base)
{
	return progress_lock((const struct lines_source *)base);
}

static const char *lines_own_command(const void *config)
{
	return ((const struct lines_config *)config)->of;
}

static bool lines_lingers(const struct source *base)
{
	return of_runs((const struct lines_source *)base);
}

static const struct refusal lines_refuses[] = {
    {"debounce max-wait", "each event has a run of its own", "--throttle DUR paces the runs"},
    {0},
};

const struct source_type source_lines = {
    .name = "lines",
    .summary = "for each line of files, pipes, logs, commands",
    .arguments = "[PATH|-|fd:N]...",
    .least_arguments = 0,
    .most_arguments = -1,
    .examples = {"make 2>&1 | evwatch lines - --match 'error' -- notify-send {}",
		 "evwatch lines auth.log --follow --match 'from ([0-9.]+)' -- 'ban \"$2\"'"},
    .events = lines_events,
    .options = lines_options,
    .refuses = lines_refuses,
    .reads_input = lines_reads_input,
    .own_command = lines_own_command,
    .lingers = lines_lingers,
    .one_by_one = true,
    .waits_for_room = true,
    .subjects_from_outside = true,
    .config_size = sizeof(struct lines_config),
    .config_init = lines_init,
    .config_arguments = lines_arguments,
    .config_release = lines_release,
    .describe = lines_describe,
    .doubtful = lines_doubtful,
    .endless = lines_endless,
    .most_subjects = lines_most_subjects,
    .size = sizeof(struct lines_source),
    .open = lines_open,
    .start = lines_start,
    .pause = lines_pause,
    .resume = lines_resume,
    .stop = lines_stop,
    .close = lines_close,
    .run_ended = lines_run_ended,
    .record_lock = lines_record_lock,
};
