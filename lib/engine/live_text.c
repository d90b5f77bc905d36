/*
 * What the status line of a terminal says, most important first, since it is cut at the last
 * column: what runs, how the last run ended, what is next, how much of --within is left, what is
 * armed.
 */
#include "engine/state.h"

#include "base/units.h"
#include "rule/rule.h"
#include "source/source.h"

#include <time.h>

#define DAY (24 * 3600 * NS_PER_S)

/* Whole seconds: the line changes once a second. */
static void say_about(struct buf *out, int64_t ns)
{
	if (ns < NS_PER_S)
		buf_add_text(out, "less than 1 s");
	else if (ns < 60 * NS_PER_S)
		buf_printf(out, "%lld s", (long long)(ns / NS_PER_S));
	else
		duration_say(out, ns / NS_PER_S * NS_PER_S);
}

/* ---- runs ------------------------------------------------------------------------------------ */

struct runs {
	size_t running, queued;
	const struct armed_rule *last; /* whose run ended last; NULL: none did */
	struct job_stats of_last;
};

static void say_running(struct buf *out, const struct armed_rule *a, size_t running, size_t so_far)
{
	enum { SHOWN = 3 };

	if (so_far == SHOWN)
		buf_add_text(out, ", ...");
	if (so_far >= SHOWN)
		return;
	buf_printf(out, "%s%s", so_far ? ", " : "running: ", a->rule->name);
	if (running > 1)
		buf_printf(out, " (%zu)", running);
}

static void look_at_runs(const struct engine *e, struct buf *out, struct runs *runs)
{
	size_t rules = 0;

	for (size_t i = 0; i < e->n_rules; i++) {
		struct job_stats stats;

		if (!e->rules[i]->job)
			continue;
		job_stats(e->rules[i]->job, &stats);
		runs->running += stats.running;
		runs->queued += links_queued(e->rules[i]);
		if (stats.running)
			say_running(out, e->rules[i], stats.running, rules++);
		if (stats.last_status >= 0 &&
		    (!runs->last || stats.last_end > runs->of_last.last_end)) {
			runs->last = e->rules[i];
			runs->of_last = stats;
		}
	}
	if (runs->queued)
		buf_printf(out, "%s%zu waiting", rules ? ", " : "", runs->queued);
}

static void say_last(struct buf *out, const struct runs *runs)
{
	const struct job_stats *stats = &runs->of_last;

	if (!runs->last)
		return;
	buf_printf(out, "%s%s ", out->length ? " | " : "", runs->last->rule->name);
	if (stats->last_stopped)
		buf_add_text(out, "stopped after ");
	else if (stats->last_status)
		buf_printf(out, "FAILED (%d) after ", stats->last_status);
	else
		buf_add_text(out, "ok in ");
	duration_say(out, stats->last_duration);
	buf_add_text(out, ", ");
	say_about(out, clock_read(CLOCK_OF_WALL) - stats->last_end);
	buf_add_text(out, " ago");
}

/* ---- what is to come ------------------------------------------------------------------------- */

/* The rule whose tick is the next, and the time until then. */
static const struct armed_rule *next_tick(const struct engine *e, int64_t *left)
{
	const struct armed_rule *next = NULL;

	for (size_t i = 0; i < e->n_rules; i++) {
		const struct armed_rule *a = e->rules[i];
		int64_t mine;

		if (!a->open || a->source_ended || !a->rule->type->due_in ||
		    !a->rule->type->due_in(a->source, &mine) || (next && *left <= mine))
			continue;
		next = a;
		*left = mine;
	}
	return next;
}

static void say_next(const struct engine *e, struct buf *out)
{
	int64_t left = 0, wall = clock_read(CLOCK_OF_WALL);
	const struct armed_rule *next = next_tick(e, &left);
	char when[32];
	time_t at;
	struct tm tm;

	if (!next)
		return;
	at = (time_t)((wall + left + NS_PER_MS) / NS_PER_S); /* the clocks were read apart */
	localtime_r(&at, &tm);
	strftime(when, sizeof when, left < DAY ? "%H:%M:%S" : "%F %H:%M:%S", &tm);
	buf_printf(out, "%snext: %s in ", out->length ? " | " : "", next->rule->name);
	say_about(out, left > 0 ? left + NS_PER_S - 1 : 0);
	buf_printf(out, ", %s", when);
}

/* "within 40 s [######....]" */
static void say_within(const struct engine *e, struct buf *out)
{
	enum { CELLS = 10 };
	int64_t left, whole = e->config->within;
	int done;

	if (!whole || !timer_active(&e->within))
		return;
	left = e->within.deadline - clock_read(CLOCK_OF_LOOP);
	left = left > 0 ? left : 0;
	done = (int)((double)(whole - left) / (double)whole * CELLS);
	buf_printf(out, "%s%.*s%.*s ", out->length ? " | [" : "[", done, "##########", CELLS - done,
		   "..........");
	say_about(out, left);
	buf_add_text(out, " left]");
}

/* ---- the line -------------------------------------------------------------------------------- */

static void say_armed(const struct engine *e, struct buf *out)
{
	size_t armed = 0, paused = 0;

	for (size_t i = 0; i < e->n_rules; i++) {
		armed += !e->rules[i]->over && !e->rules[i]->retired;
		paused += e->rules[i]->paused;
	}
	buf_printf(out, "%s%zu %s armed", out->length ? " | " : "", armed,
		   armed == 1 ? "rule" : "rules");
	if (paused)
		buf_printf(out, ", %zu paused", paused);
}

void live_say(const struct engine *e, struct buf *out)
{
	struct runs runs = {0};

	if (e->phase != ENGINE_RUNNING) {
		buf_add_text(out, "stopping; Ctrl-C again kills at once");
		return;
	}
	look_at_runs(e, out, &runs);
	say_last(out, &runs);
	say_next(e, out);
	say_within(e, out);
	say_armed(e, out);
}
