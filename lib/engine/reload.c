/* See reload.h. */
#include "engine/reload.h"

#include "base/array.h"
#include "base/error.h"
#include "base/log.h"
#include "base/table.h"
#include "engine/retired.h"
#include "engine/service.h"
#include "engine/state.h"
#include "rule/rule.h"
#include "source/source.h"

#include <stdlib.h>
#include <string.h>

/* ---- one reload ------------------------------------------------------------------------------ */

struct reload {
	struct engine *engine;
	struct generation *generation;
	struct armed_rule **rules; /* owned: one for each of the new rules, kept or new */
	size_t count;
	struct reload_counts *counts;
	struct buf *why;
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

	r->counts->removed = mark_leaving(r->engine, true);
	all = list_candidates(r->engine, &n);
	if (!all) {
		buf_add_text(r->why, "out of memory\n");
		return -1;
	}
	for (size_t i = 0; i < r->count; i++) {
		r->rules[i] = find_same(all, n, r->generation->rules->items[i]);
		if (!r->rules[i])
			continue;
		r->rules[i]->leaving = false;
		r->counts->unchanged++;
		r->counts->removed--;
	}
	free(all);
	return 0;
}

/* The unchanged ones belong to an older generation. */
static bool is_new(const struct reload *r, const struct armed_rule *a)
{
	return a && a->generation == r->generation;
}

static int open_new(struct reload *r)
{
	for (size_t i = 0; i < r->count; i++) {
		struct error e;

		if (r->rules[i])
			continue;
		error_clear(&e);
		r->rules[i] = armed_new(r->engine, r->generation, r->generation->rules->items[i]);
		if (r->rules[i] && armed_open(r->rules[i], &e) == 0) {
			r->counts->added++;
			continue;
		}
		if (!r->rules[i])
			error_set(&e, "out of memory");
		buf_printf(r->why, "%s: %s\n%s%s", r->generation->rules->items[i]->name, e.what,
			   e.hint, *e.hint ? "\n" : "");
		log_error(r->generation->rules->items[i]->name, "%s", e.what);
		if (*e.hint)
			log_error(r->generation->rules->items[i]->name, "%s", e.hint);
		return -1;
	}
	return 0;
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
		r->counts->removed--; /* it is replaced */
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

	e->reloads++;
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

static struct rules *read_rules(struct engine *e, struct buf *why)
{
	struct rules *rules = calloc(1, sizeof *rules);

	if (!rules) {
		buf_add_text(why, "out of memory\n");
		return NULL;
	}
	if (e->config->reread(e->config->reread_context, rules) == 0)
		return rules;
	for (size_t i = 0; i < rules->diagnostics.count; i++) {
		diagnostic_print(&rules->diagnostics.items[i], why);
		diagnostic_log(&rules->diagnostics.items[i]);
	}
	rules_free(rules);
	free(rules);
	return NULL;
}

static int reload_with(struct engine *e, struct rules *rules, struct reload_counts *counts,
		       struct buf *why)
{
	struct reload r = {.engine = e, .count = rules->count, .counts = counts, .why = why};
	int result = -1;

	r.generation = generation_new(e, rules, true);
	if (!r.generation) {
		rules_free(rules);
		free(rules);
		return -1;
	}
	r.generation->alive++; /* ours, until here */
	r.rules = calloc(rules->count + e->n_rules + 1, sizeof *r.rules);
	if (r.rules) {
		result = match_rules(&r) < 0 ? -1 : open_new(&r);
		if (result == 0)
			commit(&r);
		else
			close_new(&r);
	}
	free(r.rules);
	generation_release(r.generation);
	return result;
}

int engine_reload(struct engine *e, struct reload_counts *counts, struct buf *why)
{
	struct rules *rules;
	int result = -1;

	*counts = (struct reload_counts){0};
	if (e->phase != ENGINE_RUNNING) {
		buf_add_text(why, "evwatch is stopping\n");
		return -1;
	}
	service_reloading(e);
	rules = read_rules(e, why);
	if (rules && reload_with(e, rules, counts, why) == 0)
		result = 0;
	else
		log_error(NULL, "the rules stay as they were");
	service_reloaded(e);
	return result;
}
