/* See reload.h. */
#include "engine/reload.h"

#include "base/array.h"
#include "base/error.h"
#include "base/log.h"
#include "base/list.h"
#include "base/table.h"
#include "base/units.h"
#include "engine/retired.h"
#include "engine/service.h"
#include "engine/state.h"
#include "rule/rule.h"
#include "source/source.h"

#include <stdlib.h>
#include <string.h>

#define A_PIECE (2 * NS_PER_MS)

/* ---- one reload ------------------------------------------------------------------------------ */

struct reload {
	struct engine *engine;
	struct generation *generation; /* NULL: the rules could not be read */
	struct armed_rule **rules;     /* owned: one for each of the new rules, kept or new */
	size_t count;
	size_t arming; /* the next of them that is still to be armed */
	struct reload_outcome outcome;
};

/* How many are leaving. */
static size_t mark_leaving(struct engine *e, bool leaving)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n_rules; i++) {
		e->rules[i]->leaving = leaving && !e->rules[i]->retired;
		n += e->rules[i]->leaving;
	}
	return n;
}

/* A rule at work, in order of what it says, then of its place. */
struct candidate {
	uint64_t hash;
	size_t place;
	struct armed_rule *rule;
};

static int compare_candidates(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

/* Those that are leaving, as far as is known yet, sorted. NULL with ENOMEM. */
static struct candidate *list_candidates(const struct engine *e, size_t *n)
{
	struct candidate *all = malloc((e->n_rules + 1) * sizeof *all);

	*n = 0;
	for (size_t i = 0; all && i < e->n_rules; i++)
		if (e->rules[i]->leaving)
			all[(*n)++] =
			    (struct candidate){e->rules[i]->rule->identity_hash, i, e->rules[i]};
	if (all)
		qsort(all, *n, sizeof *all, compare_candidates);
	return all;
}

/* The first rule at work that says the same, and is not another one's yet; NULL: there is none. */
static struct armed_rule *find_same(const struct candidate *all, size_t n, const struct rule *rule)
{
	size_t low = 0;

	for (size_t high = n; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (all[middle].hash < rule->identity_hash)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < n && all[low].hash == rule->identity_hash; low++)
		if (all[low].rule->leaving && rule_same(all[low].rule->rule, rule))
			return all[low].rule;
	return NULL;
}

static int match_rules(struct reload *r)
{
	struct candidate *all;
	size_t n;

	r->outcome.removed = mark_leaving(r->engine, true);
	all = list_candidates(r->engine, &n);
	if (!all) {
		buf_add_text(&r->outcome.why, "out of memory\n");
		return -1;
	}
	for (size_t i = 0; i < r->count; i++) {
		r->rules[i] = find_same(all, n, r->generation->rules->items[i]);
		if (!r->rules[i])
			continue;
		r->rules[i]->leaving = false;
		r->outcome.unchanged++;
		r->outcome.removed--;
	}
	free(all);
	return 0;
}

/* The unchanged ones belong to an older generation. */
static bool is_new(const struct reload *r, const struct armed_rule *a)
{
	return a && a->generation == r->generation;
}

static int cannot_open(struct reload *r, const struct rule *rule, const struct error *e)
{
	buf_printf(&r->outcome.why, "%s: %s\n%s%s", rule->name, e->what, e->hint,
		   *e->hint ? "\n" : "");
	log_error(rule->name, "%s", e->what);
	if (*e->hint)
		log_error(rule->name, "%s", e->hint);
	return -1;
}

/* Opens the new ones that are long in arming, or the others. */
static int open_new(struct reload *r, bool long_ones)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct rule *rule = r->generation->rules->items[i];
		struct error e;

		if (r->rules[i] || (rule->type->arm != NULL) != long_ones)
			continue;
		error_clear(&e);
		r->rules[i] = armed_new(r->engine, r->generation, rule);
		if (!r->rules[i])
			error_set(&e, "out of memory");
		if (!r->rules[i] || armed_open(r->rules[i], &e) < 0)
			return cannot_open(r, rule, &e);
		r->outcome.added++;
	}
	return 0;
}

/* A piece of it. False: all that is open is armed. */
static bool arm(struct reload *r)
{
	int64_t until = clock_read(CLOCK_OF_LOOP) + A_PIECE;

	for (; r->arming < r->count; r->arming++) {
		struct armed_rule *a = r->rules[r->arming];

		if (is_new(r, a) && armed_arm(a, until))
			return true;
	}
	return false;
}

static void close_new(struct reload *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (is_new(r, r->rules[i]))
			armed_free(r->rules[i]);
	mark_leaving(r->engine, false);
}

/* ---- taking over ----------------------------------------------------------------------------- */

static uint64_t name_hash(const void *name)
{
	return hash_bytes(name, strlen(name));
}

static uint64_t armed_hash(const void *armed)
{
	return name_hash(((const struct armed_rule *)armed)->rule->name);
}

static bool armed_is_called(const void *armed, const void *name)
{
	return strcmp(((const struct armed_rule *)armed)->rule->name, name) == 0;
}

static void succeed(struct armed_rule *a, struct armed_rule *old)
{
	if (old->successor)
		old->successor->awaited--;
	old->successor = a;
	a->awaited++;
}

/* The command waits for the end of the predecessor's, and so does one of --of. */
static void wait_for(struct armed_rule *a, struct armed_rule *old, bool job, bool source)
{
	const struct rule *rule = a->rule;
	bool holds_job = job && a->job;
	bool holds_source =
	    source && rule->type->own_command && rule->type->own_command(rule->source_config);

	if (holds_job)
		job_hold(a->job, true);
	a->start_held |= holds_source;
	if (holds_job || holds_source)
		succeed(a, old);
}

/* What `old` still waits for. */
static void take_over_waits(struct armed_rule *a, const struct armed_rule *old)
{
	const struct engine *e = a->engine;

	for (size_t i = 0; old->awaited && i < e->n_rules; i++)
		if (e->rules[i]->successor == old)
			wait_for(a, e->rules[i], true, old->start_held);
}

/* Counters do not go back, and no two commands of a name run at once. */
static void take_over(struct armed_rule *a, struct armed_rule *old)
{
	struct job_stats stats = {0};

	if (old->job)
		job_stats(old->job, &stats);
	a->before = old->before;
	a->before.runs += stats.runs;
	a->before.failures += stats.failures;
	a->before.skipped += stats.skipped;
	if (stats.last_failure) {
		a->before.last_failure = stats.last_failure;
		a->before.last_failure_status = stats.last_failure_status;
	}
	a->before_events = old->before_events + old->events;
	wait_for(a, old, old->job && !job_idle(old->job), armed_lingers(old));
	take_over_waits(a, old);
}

/* Without memory for the table counters begin anew. */
static void take_over_all(struct reload *r)
{
	static const struct table_type by_name = {armed_hash, name_hash, armed_is_called};
	struct engine *e = r->engine;
	struct table names;

	table_init(&names, &by_name);
	for (size_t i = 0; i < e->n_rules; i++)
		if (e->rules[i]->leaving)
			table_add(&names, e->rules[i]);
	for (size_t i = 0; i < r->count; i++) {
		struct armed_rule *old = table_find(&names, r->rules[i]->rule->name);

		if (!old || !is_new(r, r->rules[i]))
			continue;
		take_over(r->rules[i], old);
		r->outcome.removed--; /* it is replaced */
	}
	table_free(&names);
}

static void rename_kept(struct reload *r)
{
	for (size_t i = 0; i < r->count; i++) {
		const char *name = r->generation->rules->items[i]->name;
		struct armed_rule *a = r->rules[i];

		if (is_new(r, a) || strcmp(a->rule->name, name) == 0)
			continue;
		rule_rename((struct rule *)a->rule, name);
		if (a->job)
			job_renamed(a->job);
	}
}

/* The new order: that of the text, and behind it what goes. There is room for all. */
static void put_in_order(struct reload *r)
{
	struct engine *e = r->engine;
	size_t n = r->count;

	for (size_t i = 0; i < e->n_rules; i++)
		if (e->rules[i]->leaving || e->rules[i]->retired)
			r->rules[n++] = e->rules[i];
	free(e->rules);
	e->rules = r->rules;
	e->n_rules = e->rules_capacity = n;
	r->rules = NULL;
}

static void retire_leaving(struct reload *r)
{
	struct engine *e = r->engine;

	for (size_t i = 0; i < e->n_rules; i++) {
		struct armed_rule *a = e->rules[i];

		if (!a->leaving)
			continue;
		a->leaving = false;
		a->retired = true;
		log_info(a->rule->name, "the rule goes");
		armed_stop(a);
	}
	retired_review(e);
}

static void start_new(struct reload *r)
{
	for (size_t i = 0; i < r->count; i++) {
		struct armed_rule *a = r->engine->rules[i];

		if (!is_new(r, a))
			continue;
		log_info(a->rule->name, "the rule is new or changed");
		if (!a->start_held)
			armed_start(a);
	}
}

static void settle(struct reload *r)
{
	struct engine *e = r->engine;
	struct error error;

	e->n_reloads++;
	timekeeper_close(e);
	if (timekeeper_open(e, &error) < 0)
		log_error(NULL, "%s", error.what);
	ending_review_signals(e);
	ends_watch_reader(e);
	engine_write_ready_file(e);
	engine_check_over(e);
	live_changed(e);
}

static void commit(struct reload *r)
{
	take_over_all(r);
	rename_kept(r);
	put_in_order(r);
	retire_leaving(r);
	links_make(r->engine);
	start_new(r);
	links_report_over(r->engine);
	settle(r);
}

/* ---- reading --------------------------------------------------------------------------------- */

static struct rules *read_rules(struct reload *r)
{
	const struct engine_config *config = r->engine->config;
	struct rules *rules = calloc(1, sizeof *rules);
	struct buf *why = &r->outcome.why;

	if (!rules) {
		buf_add_text(why, "out of memory\n");
		return NULL;
	}
	if (config->reread(config->reread_context, rules) == 0)
		return rules;
	for (size_t i = 0; i < rules->diagnostics.count; i++) {
		diagnostic_print(&rules->diagnostics.items[i], why);
		diagnostic_log(&rules->diagnostics.items[i]);
	}
	rules_free(rules);
	free(rules);
	return NULL;
}

/* 0, or -1: the rules stay as they are. */
static int prepare(struct reload *r)
{
	struct engine *e = r->engine;
	struct rules *rules = read_rules(r);

	if (!rules)
		return -1;
	r->generation = generation_new(e, rules, true);
	if (!r->generation) {
		rules_free(rules);
		free(rules);
		return -1;
	}
	r->generation->alive++; /* ours, until the end */
	r->count = rules->count;
	r->rules = calloc(rules->count + e->n_rules + 1, sizeof *r->rules);
	if (!r->rules) {
		r->count = 0;
		return -1;
	}
	return match_rules(r) < 0 ? -1 : open_new(r, true);
}

/* ---- its life -------------------------------------------------------------------------------- */

static void free_reload(struct reload *r)
{
	free(r->rules);
	if (r->generation)
		generation_release(r->generation);
	buf_free(&r->outcome.why);
	free(r);
}

/* Those who asked since wait for the next one. */
static void answer(struct engine *e, const struct reload_outcome *outcome)
{
	struct reloads *all = &e->reloads;

	for (; all->n_now; all->n_now--) {
		struct reload_asker first = all->askers[0];

		all->n_askers--;
		memmove(all->askers, all->askers + 1, all->n_askers * sizeof first);
		first.over(e, first.ticket, outcome);
	}
}

static void end(struct reload *r, int result)
{
	struct engine *e = r->engine;

	if (result == 0) {
		commit(r);
		r->outcome.changed = true;
	} else {
		close_new(r);
		log_error(NULL, "the rules stay as they were");
	}
	e->reloads.now = NULL;
	service_reloaded(e);
	answer(e, &r->outcome);
	free_reload(r);
	engine_check_over(e);
	if (e->reloads.n_askers)
		timer_start_soon(e->reactor, &e->reloads.turn);
}

/* Until all new rules are armed, or evwatch stops. */
static void go_on(struct reload *r)
{
	struct engine *e = r->engine;

	if (e->phase != ENGINE_RUNNING) {
		buf_add_text(&r->outcome.why, "evwatch is stopping\n");
		end(r, -1);
	} else if (!arm(r)) {
		end(r, open_new(r, false));
	} else if (timer_start_soon(e->reactor, &e->reloads.turn) < 0) {
		buf_add_text(&r->outcome.why, "out of memory\n");
		end(r, -1);
	}
}

static void begin(struct engine *e)
{
	struct reloads *all = &e->reloads;
	struct reload_outcome stopping = {0};
	struct reload *r = e->phase == ENGINE_RUNNING ? calloc(1, sizeof *r) : NULL;

	all->n_now = all->n_askers;
	if (!r) {
		buf_add_text(&stopping.why, e->phase == ENGINE_RUNNING ? "out of memory\n"
								       : "evwatch is stopping\n");
		answer(e, &stopping);
		buf_free(&stopping.why);
		return;
	}
	r->engine = e;
	all->now = r;
	service_reloading(e);
	if (prepare(r) < 0)
		end(r, -1);
	else
		go_on(r);
}

static void on_turn(struct reactor *reactor, struct timer *t)
{
	struct engine *e = CONTAINER_OF(t, struct engine, reloads.turn);

	(void)reactor;
	if (e->reloads.now)
		go_on(e->reloads.now);
	else if (e->reloads.n_askers)
		begin(e);
}

/* A signal that comes twice before the next reload asks for one. */
static bool asks_already(const struct reloads *all, struct reload_asker asker)
{
	const struct reload_asker *last = all->askers;

	if (all->n_askers == all->n_now)
		return false;
	last += all->n_askers - 1;
	return last->over == asker.over && last->ticket == asker.ticket;
}

void engine_reload(struct engine *e, struct reload_asker asker)
{
	struct reloads *all = &e->reloads;
	struct reload_outcome failed = {0};

	if (asks_already(all, asker))
		return;
	if (ARRAY_GROW(all->askers, all->capacity, all->n_askers + 1) < 0) {
		log_error(NULL, "out of memory: the rules are not read again");
		asker.over(e, asker.ticket, &failed);
		return;
	}
	all->askers[all->n_askers++] = asker;
	if (!all->now)
		begin(e);
}

void reload_open(struct engine *e)
{
	timer_init(&e->reloads.turn, CLOCK_OF_LOOP, on_turn);
}

void reload_close(struct engine *e)
{
	struct reload *r = e->reloads.now;

	timer_stop(e->reactor, &e->reloads.turn);
	e->reloads.now = NULL;
	if (r) {
		close_new(r);
		free_reload(r);
	}
	free(e->reloads.askers);
}
