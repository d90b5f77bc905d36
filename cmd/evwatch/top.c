/* See top.h: the rules, their rates and their order. */
#include "top.h"

#include "base/array.h"

#include <stdlib.h>
#include <string.h>

static const char *name_of(const struct json_value *rule)
{
	return json_text(rule, "name", "");
}

/* ---- rates ----------------------------------------------------------------------------------- */

static struct top_rate *find_rate(const struct top *t, const char *name)
{
	for (size_t i = 0; i < t->n_rates; i++)
		if (strcmp(t->rates[i].name, name) == 0)
			return &t->rates[i];
	return NULL;
}

const struct top_rate *top_rate(const struct top *t, const char *name)
{
	return find_rate(t, name);
}

/* NULL with ENOMEM. */
static struct top_rate *add_rate(struct top *t, const char *name)
{
	struct top_rate *rate;

	if (ARRAY_GROW(t->rates, t->rates_capacity, t->n_rates + 1) < 0)
		return NULL;
	rate = &t->rates[t->n_rates];
	*rate = (struct top_rate){.name = strdup(name)};
	t->n_rates += rate->name != NULL;
	return rate->name ? rate : NULL;
}

static void shift(struct top_rate *rate, double events)
{
	memmove(rate->samples, rate->samples + 1, sizeof rate->samples - sizeof *rate->samples);
	rate->samples[TOP_SAMPLES - 1] = rate->seen ? events - rate->events : 0;
	rate->events = events;
	rate->seen = true;
}

void top_sample(struct top *t, const struct json_value *status)
{
	const struct json_value *rules = json_get(status, "rules");

	for (const struct json_value *rule = NULL; (rule = json_next(rules, rule));) {
		struct top_rate *rate = find_rate(t, name_of(rule));

		if (!rate)
			rate = add_rate(t, name_of(rule));
		if (rate)
			shift(rate, json_number(rule, "events", 0));
	}
}

/* ---- the order ------------------------------------------------------------------------------- */

static int compare_numbers(double a, double b)
{
	return a < b ? 1 : a > b ? -1 : 0; /* the largest first */
}

static int compare_members(const struct top_row *a, const struct top_row *b, const char *member)
{
	return compare_numbers(json_number(a->rule, member, -1), json_number(b->rule, member, -1));
}

static int compare_rows(const void *left, const void *right, void *top)
{
	const struct top_row *a = left, *b = right;
	const struct top *t = top;
	int order = 0;

	switch (t->order) {
	case ORDER_FILE:
		break;
	case ORDER_NAME:
		order = strcmp(name_of(a->rule), name_of(b->rule));
		break;
	case ORDER_RATE:
		order = compare_numbers(a->rate, b->rate);
		break;
	case ORDER_RUNS:
		order = compare_members(a, b, "runs");
		break;
	case ORDER_FAILED:
		order = compare_members(a, b, "failures");
		break;
	case ORDER_LAST:
		order = compare_members(a, b, "last_time");
		break;
	}
	if (!order)
		order = a->place < b->place ? -1 : a->place > b->place;
	return t->backwards ? -order : order;
}

static void list_rules(struct top *t, const struct json_value *status)
{
	const struct json_value *rules = json_get(status, "rules");

	t->n_shown = 0;
	for (const struct json_value *rule = NULL; (rule = json_next(rules, rule));) {
		const struct top_rate *rate = find_rate(t, name_of(rule));

		if (ARRAY_GROW(t->shown, t->shown_capacity, t->n_shown + 1) < 0)
			return;
		t->shown[t->n_shown] = (struct top_row){
		    .rule = rule,
		    .place = t->n_shown,
		    .rate = rate ? rate->samples[TOP_SAMPLES - 1] : 0,
		};
		t->n_shown++;
	}
}

/* Finds the selected rule again; if it is gone, the selection keeps its place. */
static void select_named(struct top *t, const char *name)
{
	for (size_t i = 0; name && i < t->n_shown; i++)
		if (strcmp(name_of(t->shown[i].rule), name) == 0)
			t->selected = i;
	if (t->n_shown && t->selected >= t->n_shown)
		t->selected = t->n_shown - 1;
}

void top_arrange(struct top *t, const struct json_value *status)
{
	list_rules(t, status);
	if (t->n_shown)
		qsort_r(t->shown, t->n_shown, sizeof *t->shown, compare_rows, t);
	select_named(t, t->selected_name);
}

void top_reorder(struct top *t, bool backwards)
{
	if (backwards)
		t->backwards = !t->backwards;
	else
		t->order = t->order == ORDER_LAST ? ORDER_FILE : t->order + 1;
}

/* ---- the selection --------------------------------------------------------------------------- */

const struct json_value *top_selected(const struct top *t)
{
	return t->selected < t->n_shown ? t->shown[t->selected].rule : NULL;
}

void top_select(struct top *t, int by)
{
	if (by < 0 ? t->selected > 0 : t->selected + 1 < t->n_shown)
		t->selected = by < 0 ? t->selected - 1 : t->selected + 1;
	free(t->selected_name);
	t->selected_name = top_selected(t) ? strdup(name_of(top_selected(t))) : NULL;
}

void top_release(struct top *t)
{
	for (size_t i = 0; i < t->n_rates; i++)
		free(t->rates[i].name);
	free(t->rates);
	free(t->shown);
	free(t->selected_name);
}
