/* See retired.h. */
#include "engine/retired.h"

#include "base/units.h"
#include "engine/state.h"
#include "rule/rule.h"
#include "source/source.h"

#include <stdlib.h>
#include <string.h>

#define A_PIECE (2 * NS_PER_MS)

/* ---- generations ----------------------------------------------------------------------------- */

struct generation *generation_new(struct engine *e, struct rules *rules, bool owned)
{
	struct generation *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	g->rules = rules;
	g->owned = owned;
	list_prepend(&e->generations, &g->link);
	return g;
}

static void generation_free(struct generation *g)
{
	list_remove(&g->link);
	if (g->owned) {
		rules_free(g->rules);
		free(g->rules);
	}
	free(g);
}

void generation_release(struct generation *g)
{
	if (--g->alive == 0)
		generation_free(g);
}

/* ---- what a leaving rule hands on ------------------------------------------------------------ */

struct listener *leaving_listener(const struct engine *e, const struct endpoint *ep)
{
	for (size_t i = 0; i < e->n_rules; i++) {
		struct armed_rule *a = e->rules[i];
		struct listener *l = a->leaving ? sockets_find(a, ep) : NULL;

		if (!l && a->leaving && a->open && !a->source_ended && a->rule->type->listener)
			l = a->rule->type->listener(a->source, ep);
		if (l)
			return l;
	}
	return NULL;
}

/* One of an earlier reload may still end its command, and hold it. */
int leaving_record(const struct engine *e, const char *rule)
{
	for (size_t i = 0; i < e->n_rules; i++) {
		const struct armed_rule *a = e->rules[i];
		bool goes = (a->leaving || a->retired) && a->open;
		int fd = -1;

		if (goes && a->rule->type->record_lock && strcmp(a->rule->name, rule) == 0)
			fd = a->rule->type->record_lock(a->source);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* ---- the end of a rule ----------------------------------------------------------------------- */

static void let_start(struct armed_rule *a)
{
	if (a->retired || a->engine->phase != ENGINE_RUNNING)
		return;
	if (a->job)
		job_hold(a->job, false);
	if (a->start_held)
		armed_start(a);
	a->start_held = false;
}

/* What has ended lets its successor's commands start. */
static void mark_gone(struct engine *e)
{
	for (size_t i = 0; i < e->n_rules; i++)
		e->rules[i]->gone = e->rules[i]->retired && armed_idle(e->rules[i]);
	for (size_t i = 0; i < e->n_rules; i++) {
		struct armed_rule *next = e->rules[i]->successor;

		if (!e->rules[i]->gone || !next)
			continue;
		e->rules[i]->successor = NULL;
		if (--next->awaited == 0)
			let_start(next);
	}
}

/* What is long of it is done in pieces, one a turn. */
static void free_gone(struct engine *e)
{
	int64_t until = clock_read(CLOCK_OF_LOOP) + A_PIECE;
	size_t kept = 0, n = e->n_rules;

	for (size_t i = 0; i < n; i++) {
		struct armed_rule *a = e->rules[i];

		if (a->gone && !armed_disarm(a, until))
			armed_free(a);
		else
			e->rules[kept++] = a;
	}
	e->n_rules = kept;
	retired_review(e);
}

static void on_reaper(struct reactor *r, struct timer *t)
{
	struct engine *e = CONTAINER_OF(t, struct engine, reaper);

	(void)r;
	mark_gone(e);
	for (size_t i = 0; i < e->n_rules; i++)
		if (e->rules[i]->successor && e->rules[i]->successor->gone)
			e->rules[i]->successor = NULL;
	links_part_gone(e);
	free_gone(e);
}

void retired_review(struct engine *e)
{
	for (size_t i = 0; i < e->n_rules; i++)
		if (e->rules[i]->retired && armed_idle(e->rules[i])) {
			timer_start_soon(e->reactor, &e->reaper);
			return;
		}
}

void retired_open(struct engine *e)
{
	list_init(&e->generations);
	timer_init(&e->reaper, CLOCK_OF_LOOP, on_reaper);
}

void retired_close(struct engine *e)
{
	timer_stop(e->reactor, &e->reaper);
	LIST_EACH(at, after, &e->generations)
	generation_free(CONTAINER_OF(at, struct generation, link));
}
