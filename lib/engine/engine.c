/* The life of all rules together. See engine.h and state.h. */
#include "engine/state.h"

#include "base/array.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/signame.h"
#include "base/units.h"
#include "engine/control.h"
#include "engine/retired.h"
#include "engine/service.h"
#include "follow/follow.h"
#include "inotify/inotify.h"
#include "output/sink.h"
#include "process/descendants.h"
#include "process/guard.h"
#include "process/user.h"
#include "remote/mounts.h"
#include "rule/rule.h"
#include "source/source.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define A_LONG_PIECE (50 * NS_PER_MS)

enum { OUTPUT_LIMIT = 256 * 1024 }; /* bytes that wait for a slow reader before sources pause */

/* ---- the output ------------------------------------------------------------------------------ */

static void output_broke(struct engine *e, int error)
{
	if (error == EPIPE) {
		engine_finish(e, 1, SIGPIPE);
		return;
	}
	log_error(NULL, "cannot write to standard output: %s", strerror(error));
	engine_finish(e, 1, 0);
	/* An end that was decided before is no success any more. */
	if (!e->end.signal && e->end.status == 0)
		e->end.status = 1;
}

static void on_output(void *context, enum sink_news news, int error)
{
	struct engine *e = context;

	if (news == SINK_BROKEN)
		output_broke(e, error);
	else if (news == SINK_STALLED)
		log_error(NULL, "cannot write to standard output: %s: trying again every second",
			  strerror(error));
	else if (news == SINK_RESUMED)
		log_warn(NULL, "standard output can be written again");
	else
		for (size_t i = 0; i < e->n_rules; i++)
			armed_update(e->rules[i]);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* Puts the rule's name in front of what went wrong. */
static void name_error(struct error *e, const char *rule)
{
	char what[sizeof e->what];

	memcpy(what, e->what, sizeof what);
	snprintf(e->what, sizeof e->what, "%s: %.*s", rule,
		 (int)(sizeof e->what - strlen(rule) - 3), what);
}

/* Of `rules`, a bit each. */
static uint64_t signals_of_the_end(const struct engine *e, const struct rules *rules)
{
	uint64_t end = signal_bit(SIGINT) | signal_bit(SIGTERM) | signal_bit(SIGQUIT) |
		       (e->config->from_files ? 0 : signal_bit(SIGHUP));

	return end & ~rules_claimed_signals(rules);
}

/*
 * Without a turn of the loop, in which rules that are open already could have events. The guardian
 * has the signals that ask for the end meanwhile; without one they end evwatch by themselves.
 */
static void arm(struct armed_rule *a, const struct rules *rules)
{
	struct engine *e = a->engine;
	uint64_t end = signals_of_the_end(e, rules);

	while (!e->asked_to_end && armed_arm(a, clock_read(CLOCK_OF_LOOP) + A_LONG_PIECE))
		if (e->config->guard)
			e->asked_to_end = guard_glance(e->config->guard, end);
}

static int open_rules(struct engine *e, struct rules *rules, struct error *error)
{
	struct generation *g = generation_new(e, rules, false);

	if (!g || ARRAY_GROW(e->rules, e->rules_capacity, rules->count + 1) < 0)
		return error_errno(error, "cannot arm the rules");
	g->alive++; /* main's, to the end */
	for (size_t i = 0; i < rules->count && !e->asked_to_end; i++) {
		struct armed_rule *a = armed_new(e, g, rules->items[i]);

		if (!a)
			return error_errno(error, "cannot arm the rules");
		e->rules[e->n_rules++] = a;
		error_clear(error);
		if (armed_open(a, error) < 0) {
			name_error(error, a->rule->name);
			return -1;
		}
		arm(a, rules);
	}
	if (!e->asked_to_end)
		links_make(e);
	return 0;
}

static void on_turn(void *context, int64_t took)
{
	struct engine *e = context;

	histogram_add(&e->turns, took);
}

static int open_control(struct engine *e, struct error *error)
{
	if (!e->config->control)
		return 0;
	e->control = control_open(e, e->config->control, error);
	reactor_measure(e->reactor, on_turn, e);
	return e->control ? 0 : -1;
}

struct armed_rule *engine_find(const struct engine *e, const char *name)
{
	for (size_t i = 0; i < e->n_rules; i++)
		if (strcmp(e->rules[i]->rule->name, name) == 0)
			return e->rules[i];
	return NULL;
}

struct engine *engine_open(struct reactor *r, struct rules *rules,
			   const struct engine_config *config, struct error *error)
{
	struct engine *e = calloc(1, sizeof *e);

	if (!e) {
		error_errno(error, "cannot start");
		return NULL;
	}
	e->reactor = r;
	list_init(&e->newly_over);
	e->config = config;
	retired_open(e);
	reload_open(e);
	e->null = -1;
	e->output = sink_open(r, 1, OUTPUT_LIMIT,
			      (struct sink_owner){on_output, e, sink_budget(config->errors)});
	e->inotify = inotify_set_new(r);
	e->mounts = mounts_new(r);
	if (e->inotify && e->mounts)
		e->follows = follow_set_new(r, e->inotify, e->mounts);
	if (!e->output || !e->follows) {
		error_errno(error, "cannot start");
	} else if (open_rules(e, rules, error) == 0 &&
		   (e->asked_to_end || (timekeeper_open(e, error) == 0 &&
					ending_open(e, error) == 0 && live_open(e, error) == 0 &&
					ends_open(e, error) == 0 && open_control(e, error) == 0))) {
		return e;
	}
	engine_close(e);
	return NULL;
}

void engine_close(struct engine *e)
{
	reload_close(e);
	for (size_t i = 0; i < e->n_rules; i++)
		e->rules[i]->gone = true;
	links_part_gone(e);
	for (size_t i = 0; i < e->n_rules; i++)
		armed_free(e->rules[i]);
	retired_close(e);
	service_close(e);
	control_close(e->control);
	reactor_measure(e->reactor, NULL, NULL);
	ends_close(e);
	live_close(e);
	timekeeper_close(e);
	ending_close(e);
	follow_set_free(e->follows);
	mounts_free(e->mounts);
	inotify_set_free(e->inotify);
	if (e->output)
		sink_close(e->output);
	fd_close(&e->null);
	buf_free(&e->line);
	free(e->rules);
	free(e);
}

/* ---- running --------------------------------------------------------------------------------- */

/* The end of the first of these lines, with their line ends; NULL: there is none. */
static const char *line_end(const char *lines)
{
	return lines && *lines ? strchr(lines, '\n') : NULL;
}

/* A line RULE ENDPOINT for each bound address. */
static void add_bound(struct buf *out, const struct armed_rule *a)
{
	const char *end;

	for (const char *at = a->bound.data; (end = line_end(at)); at = end + 1)
		buf_printf(out, "%s %.*s\n", a->rule->name, (int)(end - at), at);
}

int engine_write_ready_file(const struct engine *e)
{
	struct buf ready = {0};
	struct error error;
	int result;

	if (!e->config->ready_file)
		return 0;
	for (size_t i = 0; i < e->n_rules; i++)
		if (!e->rules[i]->retired)
			add_bound(&ready, e->rules[i]);
	if (ready.failed)
		result = error_set(&error, "cannot write %s: out of memory", e->config->ready_file);
	else
		result = file_replace(e->config->ready_file, ready.data ? ready.data : "",
				      ready.length, 0644, false, &error);
	if (result < 0) {
		log_error(NULL, "%s", error.what);
		if (*error.hint)
			log_error(NULL, "%s", error.hint);
	}
	buf_free(&ready);
	return result;
}

/* With -v, or on a terminal: a line for each rule. */
static void announce_rule(const struct armed_rule *a)
{
	struct buf b = {0};
	const char *end;

	rule_describe(a->rule, &b);
	for (const char *at = a->bound.data; (end = line_end(at)); at = end + 1)
		buf_printf(&b, "%s%.*s", at == a->bound.data ? "; listens on " : ", ",
			   (int)(end - at), at);
	if (log_wants(LOG_INFO)) {
		log_info(NULL, "%s", b.data ? b.data : "");
	} else {
		buf_add_char(&b, '\n');
		log_pass_on("evwatch: ", 9);
		log_pass_on(b.data ? b.data : "", b.length);
	}
	buf_free(&b);
}

static void announce_rules(const struct engine *e)
{
	enum { SHOWN = 20 };

	if (!log_wants(LOG_INFO) && !e->config->live_line)
		return;
	for (size_t i = 0; i < e->n_rules && (log_wants(LOG_INFO) || i < SHOWN); i++)
		announce_rule(e->rules[i]);
}

/* All is bound and opened. The ready file is written first: its folder may be root's alone. */
static int drop_privileges(struct engine *e)
{
	if (!e->config->user)
		return 0;
	if (engine_write_ready_file(e) < 0)
		return -1;
	if (user_become(e->config->user) < 0) {
		log_error(NULL, "cannot become the user %s: %s", e->config->user->name,
			  strerror(errno));
		return -1;
	}
	if (e->config->guard)
		guard_drop(e->config->guard);
	return 0;
}

struct engine_end engine_run(struct engine *e)
{
	if (e->asked_to_end)
		return (struct engine_end){128 + e->asked_to_end, e->asked_to_end};
	if (drop_privileges(e) < 0)
		return (struct engine_end){.status = 1};
	announce_rules(e);
	for (size_t i = 0; i < e->n_rules; i++)
		armed_start(e->rules[i]);
	e->since = clock_read(CLOCK_OF_WALL);
	log_debug(NULL, "%zu %s armed; the loop waits by %s", e->n_rules,
		  e->n_rules == 1 ? "rule is" : "rules are", reactor_backend(e->reactor));
	service_ready(e);
	if (!e->config->user && engine_write_ready_file(e) < 0)
		engine_finish(e, 1, 0);
	while (e->phase != ENGINE_DONE) {
		if (reactor_run(e->reactor) == 0)
			continue;
		log_error(NULL, "the event loop failed: %s", strerror(errno));
		descendants_end();
		return (struct engine_end){.status = 1};
	}
	log_debug(NULL, "the loop has ended after %llu %s", (unsigned long long)e->runs,
		  e->runs == 1 ? "run" : "runs");
	/* A reader that is only slow gets everything; after a signal it gets a second. */
	if (sink_flush(e->output, e->end.signal ? NS_PER_S : -1) < 0 && !e->end.signal) {
		log_error(NULL, "cannot write to standard output: %s: the end of it is lost",
			  strerror(errno));
		e->end.status = e->end.status ? e->end.status : 1;
	}
	return e->end;
}

void engine_count(struct engine *e, int status)
{
	if (e->phase != ENGINE_RUNNING)
		return;
	e->runs++;
	e->last_status = status;
	if ((e->config->count && e->runs >= e->config->count) ||
	    (e->config->fail_fast && status != 0))
		engine_finish(e, status, 0);
}

/* A run that was started and put off again is not running: it asks anew. */
bool engine_may_start(const struct engine *e)
{
	uint64_t started = e->runs;

	for (size_t i = 0; i < e->n_rules && e->config->count; i++) {
		struct job_stats stats = {0};

		if (e->rules[i]->job)
			job_stats(e->rules[i]->job, &stats);
		started += stats.running;
	}
	return !e->config->count || started < e->config->count;
}

void engine_rule_over(struct engine *e, struct armed_rule *a)
{
	log_debug(a->rule->name, "the rule has ended");
	if (a->rule->own.last)
		engine_finish(e, a->last_status, 0);
	ending_review_signals(e);
	engine_check_over(e);
}

static bool one_fell_short(const struct engine *e)
{
	for (size_t i = 0; i < e->n_rules; i++)
		if (e->rules[i]->open && e->rules[i]->source->fell_short)
			return true;
	return false;
}

void engine_check_over(struct engine *e)
{
	for (size_t i = 0; i < e->n_rules; i++)
		if (!e->rules[i]->retired && !e->rules[i]->over)
			return;
	if (e->phase != ENGINE_RUNNING || e->reloads.now)
		return;
	if (e->config->count) {
		log_error(NULL, "every rule has ended after %llu of %llu runs",
			  (unsigned long long)e->runs, (unsigned long long)e->config->count);
		engine_finish(e, 1, 0);
	} else {
		engine_finish(e, one_fell_short(e), 0);
	}
}
