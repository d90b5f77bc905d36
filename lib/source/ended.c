/* ended: an event when a run of another rule is over, so that rules chain. The engine reports runs.
 */
#include "source/kinds.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/signame.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DETAILS = 24 };

struct ended_config {
	struct text_list rules;
	bool ok, failed; /* --ok, --failed; neither: both */
};

struct ended_source {
	struct source base;
	bool *over; /* owned, one each of config->rules */
	size_t n_over;
};

static int ended_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct ended_config *c = config;

	for (size_t i = 0; i < n; i++)
		if (text_list_add(&c->rules, words[i]) < 0)
			return error_errno(e, "out of memory");
	if (!c->ok || !c->failed)
		return 0;
	error_option(e, "failed", "and --ok cannot be used together");
	return error_hint(e, "without both, every run is an event");
}

static void ended_release(void *config)
{
	text_list_free(&((struct ended_config *)config)->rules);
}

static const struct text_list *ended_names(const void *config)
{
	return &((const struct ended_config *)config)->rules;
}

/* The rule and the status. */
static uint64_t ended_most_subjects(const void *config)
{
	(void)config;
	return 2;
}

static void ended_describe(const void *config, struct buf *out)
{
	const struct ended_config *c = config;

	buf_add_text(out, c->ok ? "the success of" : c->failed ? "the failure of" : "the end of");
	for (size_t i = 0; i < c->rules.count; i++)
		buf_printf(out, "%s %s", i ? "," : "", c->rules.items[i]);
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* The details of this kind, and behind them those of the run's own event. */
static size_t add_inherited(struct detail *details, size_t n, const struct event *first)
{
	size_t own = n;

	for (size_t i = 0; i < first->n_details && n < MOST_DETAILS; i++) {
		bool is_mine = false;

		for (size_t j = 0; j < own; j++)
			is_mine |= strcmp(details[j].name, first->details[i].name) == 0;
		if (!is_mine && strncmp(first->details[i].name, "EVWATCH_", 8) == 0)
			details[n++] = first->details[i];
	}
	return n;
}

static void ended_ran(struct source *s, const struct rule_run *run)
{
	const struct ended_config *c = s->config;
	struct event event = event_make(run->status == 0 ? "ok" : "failed");
	struct detail details[MOST_DETAILS];
	char status[16], duration[40], name[16];
	const char *subjects[] = {run->rule, status};

	if ((c->ok && run->status != 0) || (c->failed && run->status == 0))
		return;
	snprintf(status, sizeof status, "%d", run->status);
	snprintf(duration, sizeof duration, "%lld.%09lld", (long long)(run->duration / NS_PER_S),
		 (long long)(run->duration % NS_PER_S));
	details[0] = (struct detail){.name = "EVWATCH_STATUS", .value = status, .number = true};
	details[1] = (struct detail){.name = "EVWATCH_DURATION", .value = duration};
	/* Unset where no signal ended it: that of the run's own event would mislead. */
	details[2] = (struct detail){
	    .name = "EVWATCH_SIGNAL",
	    .value = run->signal ? signal_name(run->signal, name, sizeof name) : NULL};
	event.subjects = subjects;
	event.n_subjects = ARRAY_LENGTH(subjects);
	event.details = details;
	event.n_details = add_inherited(details, 3, run->first);
	s->host->emit(s, &event, 1);
}

static void ended_over(struct source *base, const char *rule)
{
	struct ended_source *s = (struct ended_source *)base;
	const struct ended_config *c = base->config;

	for (size_t i = 0; i < c->rules.count; i++) {
		if (s->over[i] || strcmp(c->rules.items[i], rule) != 0)
			continue;
		s->over[i] = true;
		s->n_over++;
	}
	if (s->n_over == c->rules.count)
		base->host->ended(base);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int ended_open(struct source *base, struct error *e)
{
	struct ended_source *s = (struct ended_source *)base;
	const struct ended_config *c = base->config;

	s->over = calloc(c->rules.count, sizeof *s->over);
	return s->over ? 0 : error_errno(e, "cannot arm the rule");
}

static void ended_nothing(struct source *s)
{
	(void)s;
}

static void ended_close(struct source *base)
{
	struct ended_source *s = (struct ended_source *)base;

	free(s->over);
	s->over = NULL;
}

static const struct event_name ended_events[] = {
    {"ok", "a run ended with status 0; subjects: the rule, the status"},
    {"failed", "a run failed, after its retries; subjects: the rule, the status"},
    {0},
};

#define CONFIG struct ended_config

static const struct option ended_options[] = {
    OPTION_ROW("ok", FLAG, ok, NULL, "only runs that ended with status 0", .in_words = true),
    OPTION_ROW("failed", FLAG, failed, NULL, "only runs that failed", .in_words = true),
    {0},
};

static const struct refusal ended_refuses[] = {
    {"debounce max-wait", "each event has a run of its own", "--throttle DUR paces the runs"},
    {0},
};

const struct source_type source_ended = {
    .name = "ended",
    .summary = "when a run of another rule is over: rules chain",
    .arguments = "RULE...",
    .least_arguments = 1,
    .most_arguments = -1,
    .examples = {"evwatch -e 'build: file src -- make' -e 'ended build --ok -- ./restart'",
		 "evwatch -f site.rules -e 'ended backup --failed -- mail -s \"$1: $2\" root'"},
    .events = ended_events,
    .options = ended_options,
    .refuses = ended_refuses,
    .one_by_one = true,
    .config_size = sizeof(struct ended_config),
    .config_arguments = ended_arguments,
    .config_release = ended_release,
    .names_rules = ended_names,
    .describe = ended_describe,
    .most_subjects = ended_most_subjects,
    .size = sizeof(struct ended_source),
    .open = ended_open,
    .start = ended_nothing,
    .stop = ended_nothing,
    .close = ended_close,
    .rule_ran = ended_ran,
    .rule_over = ended_over,
};
