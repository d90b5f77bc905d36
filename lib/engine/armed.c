/*
 * One rule at work: the source on its left, the job or the printer on its right. They do not know
 * each other; here they are joined, and each is called when the other can take more.
 */
#include "engine/state.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/control.h"
#include "engine/printer.h"
#include "engine/retired.h"
#include "engine/requests.h"
#include "sieve/sieve.h"
#include "output/sink.h"
#include "rule/rule.h"
#include "source/source.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- what the source says -------------------------------------------------------------------- */

static void on_emit(struct source *s, const struct event *events, size_t n)
{
	events_take(s->owner, events, n, false);
}

static void on_gather(struct source *s, const struct event *events, size_t n)
{
	events_take(s->owner, events, n, true);
}

static void on_source_ended(struct source *s)
{
	struct armed_rule *a = s->owner;

	a->source_ended = true;
	if (a->sieve)
		sieve_stop(a->sieve);
	links_check_over(a);
	ending_review(a->engine);
}

static void on_source_failed(struct source *s, const struct error *error)
{
	struct armed_rule *a = s->owner;

	log_error(s->rule, "%s", error->what);
	if (*error->hint)
		log_error(s->rule, "%s", error->hint);
	a->source_ended = true;
	engine_finish(a->engine, 1, 0);
	ending_review(a->engine);
}

static void on_source_bound(struct source *s, const char *endpoint)
{
	struct armed_rule *a = s->owner;

	buf_printf(&a->bound, "%s\n", endpoint);
}

static bool on_source_write(struct source *s, const char *bytes, size_t length)
{
	struct armed_rule *a = s->owner;

	return !sink_full(a->engine->output) && sink_write(a->engine->output, bytes, length) == 0;
}

static struct listener *on_source_kept(struct source *s, const struct endpoint *ep)
{
	return leaving_listener(((const struct armed_rule *)s->owner)->engine, ep);
}

static int on_source_kept_record(struct source *s)
{
	return leaving_record(((const struct armed_rule *)s->owner)->engine, s->rule);
}

static bool on_source_is_busy(struct source *s, const char *subject)
{
	const struct armed_rule *a = s->owner;

	return a->target && job_is_busy(a->target->job, subject);
}

static const struct source_host source_host = {
    .kept = on_source_kept,
    .kept_record = on_source_kept_record,
    .emit = on_emit,
    .is_busy = on_source_is_busy,
    .gather = on_gather,
    .ended = on_source_ended,
    .failed = on_source_failed,
    .bound = on_source_bound,
    .write = on_source_write,
};

/* ---- counting -------------------------------------------------------------------------------- */

void armed_count(struct armed_rule *a, int status)
{
	a->runs++;
	a->last_status = status;
	engine_count(a->engine, status);
}

void armed_check_runs(struct armed_rule *a)
{
	if (a->rule->own.runs && a->runs >= a->rule->own.runs && !a->job_ended)
		armed_end(a);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void set_up_source(struct armed_rule *a)
{
	const struct rule *rule = a->rule;
	const struct job_config *job = &rule->job;
	struct source *s = a->source;

	s->type = rule->type;
	s->config = rule->source_config;
	s->host = &source_host;
	s->owner = a;
	s->reactor = a->engine->reactor;
	s->inotify = a->engine->inotify;
	s->mounts = a->engine->mounts;
	s->follows = a->engine->follows;
	s->rule = rule->name;
	s->ready_file = a->engine->config->ready_file;
	s->gather.automatic = job->debounce < 0 || job->debounce_auto;
	s->gather.quiet = s->gather.automatic ? 0 : job->debounce;
	s->gather.max_wait = job_max_wait(job);
	s->jobs = job->jobs ? (size_t)job->jobs : 1;
	s->stop_timeout = job->stop_timeout;
	s->has_command = rule->target != NULL;
	/* --throttle is for batches. */
	s->each = s->has_command && job->each && !job->throttle;
	s->busy_chosen = job->on_busy != rule->type->default_on_busy;
	s->printed = rule->print.json || rule->print.format;
	s->priority = (uint8_t)job->priority;
}

static int open_job(struct armed_rule *a, struct error *error)
{
	struct engine *e = a->engine;
	const struct rule *rule = a->rule;
	struct job_setup setup = {
	    .reactor = e->reactor,
	    .config = &a->job_config,
	    .command = &rule->command,
	    .rule = rule->name,
	    .inherited = e->config->inherited,
	    .passed = a->sockets.passed.n ? &a->sockets.passed : NULL,
	    .out = e->output,
	    .err = e->config->errors,
	    .host = &rule_job_host,
	    .owner = a,
	};

	if (!rule->command.count)
		return 0;
	if (e->null < 0)
		e->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (e->null < 0)
		return error_errno(error, "cannot open /dev/null");
	setup.null = e->null;
	a->job_config = rule->job;
	a->job = job_new(&setup, error);
	return a->job ? 0 : -1;
}

static int open_sieve(struct armed_rule *a, struct error *e)
{
	const struct rule *rule = a->rule;

	if (!sieve_is_needed(&rule->sieve))
		return 0;
	a->sieve = sieve_new(a->engine->reactor, &rule->sieve, rule->name, &events_sieve_host, a);
	return a->sieve ? 0 : error_errno(e, "cannot arm the rule");
}

int armed_open(struct armed_rule *a, struct error *e)
{
	a->source = calloc(1, a->rule->type->size);
	if (!a->source)
		return error_errno(e, "cannot arm the rule");
	set_up_source(a);
	if (open_sieve(a, e) < 0 || sockets_open(a, e) < 0 || open_job(a, e) < 0)
		return -1;
	if (a->rule->type->open(a->source, e) < 0)
		return -1;
	a->open = true;
	return 0;
}

bool armed_arm(struct armed_rule *a, int64_t deadline)
{
	return a->rule->type->arm && a->rule->type->arm(a->source, deadline);
}

bool armed_disarm(struct armed_rule *a, int64_t deadline)
{
	return a->open && a->rule->type->disarm && a->rule->type->disarm(a->source, deadline);
}

void armed_start(struct armed_rule *a)
{
	struct event start = event_make("start");

	if (a->sieve && sieve_start(a->sieve) < 0)
		log_error(a->rule->name, "out of memory: --quiet-for notices no silence");
	a->rule->type->start(a->source);
	if (a->job && a->rule->job.initial)
		events_take_by_hand(a, &start);
}

void armed_pause(struct armed_rule *a, bool paused)
{
	a->paused = paused;
	if (a->job)
		job_pause(a->job, paused);
	armed_update(a);
}

/* A source is paused for its own sake only: one whose events are swallowed goes on. */
static bool can_take_more(const struct armed_rule *a)
{
	if (a->paused)
		return false;
	if (a->sieve && sieve_swallows(a->sieve))
		return true;
	if (a->target)
		return feed_has_room(&a->feed) && job_has_room(a->target->job);
	return !events_are_printed(a) || !sink_full(a->engine->output);
}

void armed_update(struct armed_rule *a)
{
	const struct source_type *type = a->rule->type;
	bool pause = !can_take_more(a);

	if (!type->waits_for_room || !a->open || a->source_ended ||
	    a->engine->phase != ENGINE_RUNNING)
		return;
	if (type->room)
		type->room(a->source);
	if (pause == a->source->paused)
		return;
	a->source->paused = pause;
	if (pause)
		type->pause(a->source);
	else
		type->resume(a->source);
}

bool armed_lingers(const struct armed_rule *a)
{
	const struct source_type *type = a->rule->type;

	return a->open && !a->source_ended && type->lingers && type->lingers(a->source);
}

static void stop_source(struct armed_rule *a)
{
	if (a->open && !a->source_ended) {
		a->rule->type->stop(a->source);
		if (!a->rule->type->drains && !armed_lingers(a))
			a->source_ended = true;
	}
	if (a->sieve)
		sieve_stop(a->sieve);
}

void armed_stop(struct armed_rule *a)
{
	stop_source(a);
	if (a->target)
		feed_stop(&a->feed);
	if (a->job)
		job_stop(a->job);
}

void armed_end(struct armed_rule *a)
{
	a->job_ended = true;
	armed_stop(a);
	links_room(a);
}

bool armed_idle(const struct armed_rule *a)
{
	return (!a->open || a->source_ended) && (!a->target || feed_idle(&a->feed)) &&
	       (!a->job || job_idle(a->job));
}

void armed_close(struct armed_rule *a)
{
	if (a->open)
		a->rule->type->close(a->source);
	a->open = false;
	if (a->sieve)
		sieve_free(a->sieve);
	a->sieve = NULL;
	free(a->source);
	a->source = NULL;
	if (a->job)
		job_free(a->job);
	a->job = NULL;
	sockets_close(a);
}

struct armed_rule *armed_new(struct engine *e, struct generation *g, const struct rule *rule)
{
	struct armed_rule *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->engine = e;
	a->generation = g;
	a->rule = rule;
	list_init(&a->closed);
	g->alive++;
	return a;
}

void armed_free(struct armed_rule *a)
{
	armed_close(a);
	buf_free(&a->bound);
	generation_release(a->generation);
	free(a);
}
