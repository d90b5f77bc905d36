/*
 * Rules that have to do with others: a rule with --to hands its events to another's job; a rule of
 * kind `ended` waits for the ends of other rules' runs. So a rule's end may be the end of others:
 * that is passed on one after the other, however long the chain.
 */
#include "engine/state.h"

#include "job/batch.h"
#include "rule/rule.h"
#include "source/source.h"

#include <string.h>

/* Whose command takes the events of `a`? A reload may have put another in the place of that rule.
 */
static struct armed_rule *find_target(struct armed_rule *a)
{
	const struct engine *e = a->engine;
	const char *name = a->rule->own.to;

	if (!name)
		return a->job ? a : NULL;
	for (size_t i = 0; i < e->n_rules; i++)
		if (!e->rules[i]->retired && strcmp(e->rules[i]->rule->name, name) == 0)
			return e->rules[i];
	return NULL;
}

/* Does `a` wait for the ends of the runs of a rule of this name? */
static bool observes(const struct armed_rule *a, const char *name)
{
	const struct source_type *type = a->rule->type;
	const struct text_list *names;

	if (!type->names_rules)
		return false;
	names = type->names_rules(a->rule->source_config);
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i], name) == 0)
			return true;
	return false;
}

/* ---- making them ----------------------------------------------------------------------------- */

static void make_feed(struct armed_rule *a)
{
	const struct job_config *c = &a->rule->job;
	struct feed_config config = {
	    /* `file` gathers by itself. */
	    .debounce = a->rule->type->gathers || c->debounce < 0 ? 0 : c->debounce,
	    .max_wait = job_max_wait(c),
	    .throttle = c->throttle,
	    .one_by_one = a->rule->type->one_by_one,
	    .gathers = a->rule->type->gathers,
	    .each = c->each,
	};

	feed_init(&a->feed, a->engine->reactor, &config, a->target->job, a->rule->name,
		  a->rule->type->name, &rule_feed_host, a);
}

static void part_from_target(struct armed_rule *a)
{
	if (a->target)
		feed_close(&a->feed);
	a->target = NULL;
}

static void find_way(struct armed_rule *a)
{
	struct armed_rule *target = find_target(a);

	if (target == a->target)
		return;
	if (target && a->target) {
		a->target = target;
		feed_turn(&a->feed, target->job);
		return;
	}
	part_from_target(a);
	a->target = target;
	if (target)
		make_feed(a);
}

static void count_links(struct armed_rule *a)
{
	struct engine *e = a->engine;

	if (a->target && a->target != a && !a->over)
		a->target->senders++;
	for (size_t i = 0; a->rule->type->names_rules && i < e->n_rules; i++)
		e->rules[i]->observers += observes(a, e->rules[i]->rule->name);
}

void links_make(struct engine *e)
{
	for (size_t i = 0; i < e->n_rules; i++) {
		e->rules[i]->senders = e->rules[i]->observers = 0;
		if (!e->rules[i]->retired)
			find_way(e->rules[i]);
	}
	for (size_t i = 0; i < e->n_rules; i++)
		if (!e->rules[i]->retired)
			count_links(e->rules[i]);
}

void links_part_gone(struct engine *e)
{
	for (size_t i = 0; i < e->n_rules; i++) {
		struct armed_rule *a = e->rules[i];

		if (a->gone || (a->target && a->target->gone))
			part_from_target(a);
		if (a->gone)
			list_remove(&a->closed);
	}
}

/* ---- the end of a rule ----------------------------------------------------------------------- */

static void report_over(struct armed_rule *a)
{
	struct engine *e = a->engine;

	for (size_t i = 0; a->observers && i < e->n_rules; i++) {
		struct armed_rule *other = e->rules[i];

		if (other->open && !other->source_ended && observes(other, a->rule->name))
			other->rule->type->rule_over(other->source, a->rule->name);
	}
}

/* A rule that is over leaves its target; a task is over with the last rule that points to it. */
static void leave_target(struct armed_rule *a)
{
	struct armed_rule *target = a->target;

	if (!target || target == a)
		return;
	if (--target->senders == 0 && target->rule->type->by_others)
		target->source_ended = true;
	links_check_over(target);
}

/* What hands its events to a rule that is over has nothing to do any more. */
static void end_senders(struct armed_rule *a)
{
	struct engine *e = a->engine;

	for (size_t i = 0; a->senders && i < e->n_rules; i++) {
		struct armed_rule *other = e->rules[i];

		if (other->target == a && other != a && !other->over)
			armed_end(other);
	}
}

static bool is_over(const struct armed_rule *a)
{
	bool ends = a->source_ended && (a->senders == 0 || a->job_ended);

	return ends && armed_idle(a);
}

void links_check_over(struct armed_rule *a)
{
	struct engine *e = a->engine;

	if (a->over || a->retired || !is_over(a))
		return;
	a->over = true;
	list_append(&e->newly_over, &a->closed);
	if (e->reporting_over)
		return;
	e->reporting_over = true;
	while (!list_empty(&e->newly_over)) {
		struct armed_rule *over =
		    CONTAINER_OF(e->newly_over.next, struct armed_rule, closed);

		list_remove(&over->closed);
		report_over(over);
		leave_target(over);
		end_senders(over);
		sockets_close(over);
		engine_rule_over(e, over);
	}
	e->reporting_over = false;
}

size_t links_queued(const struct armed_rule *a)
{
	const struct engine *e = a->engine;
	struct job_stats stats;
	size_t n;

	job_stats(a->job, &stats);
	n = stats.queued;
	for (size_t i = 0; i < e->n_rules; i++) {
		const struct armed_rule *from = e->rules[i];

		if (from->target == a && from->open && from->rule->type->waiting)
			n += from->rule->type->waiting(from->source);
	}
	return n;
}

void links_report_over(struct engine *e)
{
	for (size_t i = 0; i < e->n_rules; i++) {
		struct armed_rule *a = e->rules[i];

		if (!a->over || a->retired)
			continue;
		report_over(a);
		end_senders(a);
	}
}

/* ---- runs ------------------------------------------------------------------------------------ */

void links_ran(struct armed_rule *a, const struct run_result *result)
{
	const struct batch *b = result->batch;
	struct engine *e = a->engine;
	struct rule_run run = {
	    .rule = a->rule->name,
	    .status = b->status,
	    .signal = b->signal,
	    .duration = result->batch_duration,
	    .first = batch_first(b),
	};

	if (b->stopped || e->phase != ENGINE_RUNNING)
		return;
	for (size_t i = 0; a->observers && i < e->n_rules; i++) {
		struct armed_rule *other = e->rules[i];

		if (other->open && !other->source_ended && observes(other, a->rule->name))
			other->rule->type->rule_ran(other->source, &run);
	}
}

void links_room(struct armed_rule *a)
{
	struct engine *e = a->engine;

	armed_update(a);
	for (size_t i = 0; a->senders && i < e->n_rules; i++)
		if (e->rules[i]->target == a && e->rules[i] != a) {
			armed_update(e->rules[i]);
			links_check_over(e->rules[i]);
		}
	links_check_over(a);
}
