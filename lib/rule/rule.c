/* See rule.h. */
#include "rule/rule.h"

#include "base/array.h"
#include "base/text.h"
#include "base/units.h"
#include "calendar/zone.h"
#include "source/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rule_free(struct rule *r)
{
	if (!r)
		return;
	if (r->source_config) {
		if (r->type->config_release)
			r->type->config_release(r->source_config);
		option_release(r->type->options, r->source_config);
	}
	free(r->source_config);
	for (const struct rule_table *t = rule_tables; t->options; t++)
		option_release(t->options, rule_table_config(t, r));
	command_free(&r->command);
	text_list_free(&r->given);
	free(r->name);
	free(r->name_offsets);
	free(r->identity);
	free(r);
}

bool rule_same(const struct rule *a, const struct rule *b)
{
	return a->identity_hash == b->identity_hash && a->identity_length == b->identity_length &&
	       a->named == b->named && memcmp(a->identity, b->identity, a->identity_length) == 0 &&
	       (!a->named || strcmp(a->name, b->name) == 0);
}

void rule_rename(struct rule *r, const char *name)
{
	if (!r->named)
		snprintf(r->name, RULE_NAME_ROOM, "%s", name);
}

bool rule_claims_signal(const struct rule *r, int number)
{
	return r->type->claims_signal && r->type->claims_signal(r->source_config, number);
}

uint64_t rules_claimed_signals(const struct rules *rules)
{
	uint64_t claimed = 0;

	for (size_t i = 0; i < rules->count; i++)
		for (int number = 1; number <= 64; number++)
			if (rule_claims_signal(rules->items[i], number))
				claimed |= UINT64_C(1) << (number - 1);
	return claimed;
}

void rules_free(struct rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		rule_free(rules->items[i]);
	free(rules->items);
	for (size_t i = 0; i < rules->n_scripts; i++)
		script_free(rules->scripts[i]);
	free(rules->scripts);
	zone_set_free(rules->zones);
	diagnostics_free(&rules->diagnostics);
	diagnostics_free(&rules->doubts);
	*rules = (struct rules){0};
}

const struct script *rules_keep(struct rules *rules, struct script *s, const struct error *e)
{
	if (!s) {
		diagnostics_add(&rules->diagnostics, NULL, 0, e);
		return NULL;
	}
	if (ARRAY_GROW(rules->scripts, rules->scripts_capacity, rules->n_scripts + 1) < 0) {
		script_free(s);
		return NULL;
	}
	rules->scripts[rules->n_scripts++] = s;
	return s;
}

static void describe_command(const struct rule *r, struct buf *out)
{
	if (r->own.to) {
		buf_printf(out, "hand it to %s", r->own.to);
		return;
	}
	if (!r->command.count) {
		buf_add_text(out, r->print.json ? "print it as JSON" : "print it");
		return;
	}
	buf_add_text(out, "run ");
	if (r->command.shell) {
		escape_control(out, r->command.words[0], strlen(r->command.words[0]));
		return;
	}
	for (size_t i = 0; i < r->command.count; i++) {
		if (i)
			buf_add_char(out, ' ');
		shell_quote(out, r->command.words[i]);
	}
}

static void describe_limits(const struct rule *r, struct buf *out)
{
	static const char *const busy[] = {
	    [BUSY_QUEUE] = "again afterwards when it happens while it runs",
	    [BUSY_SKIP] = "skipped while it still runs",
	    [BUSY_RESTART] = "restarted when it happens again",
	    [BUSY_SIGNAL] = "signalled when it happens again",
	    [BUSY_PARALLEL] = "beside one that still runs",
	};
	int way = r->job.on_busy;

	if (!r->type->starts_itself &&
	    ((way != BUSY_QUEUE && way != BUSY_PARALLEL) || way != r->type->default_on_busy))
		buf_printf(out, "; %s", busy[way]);
	if (r->job.jobs > 1)
		buf_printf(out, "; at most %llu at once", (unsigned long long)r->job.jobs);
	if (r->job.timeout) {
		buf_add_text(out, "; stopped after ");
		duration_add(out, r->job.timeout);
	}
}

static void describe_duration(struct buf *out, const char *before, int64_t ns)
{
	if (ns <= 0)
		return;
	buf_add_text(out, before);
	duration_add(out, ns);
}

/* When events are handed on. */
static void describe_flow(const struct rule *r, struct buf *out)
{
	sieve_describe(&r->sieve, out);
	describe_duration(out, "; once it was quiet for ", r->job.debounce);
	if (r->job.debounce == 0)
		buf_add_text(out, "; at once");
	if (r->job.debounce > 0)
		describe_duration(out, ", or after ", job_max_wait(&r->job));
	else
		describe_duration(out, "; gathered for at most ", r->job.max_wait);
	describe_duration(out, "; at most once in ", r->job.throttle);
	if (r->job.each)
		buf_add_text(out, "; a run for each path");
}

static void describe_retry(const struct rule *r, struct buf *out)
{
	if (!r->job.retry)
		return;
	if (r->job.retry == RETRY_FOREVER)
		buf_add_text(out, "; after a failure again and again");
	else if (r->job.retry == 1)
		buf_add_text(out, "; after a failure once more");
	else
		buf_printf(out, "; after a failure again, %llu times at most",
			   (unsigned long long)r->job.retry);
	describe_duration(out, ", after ", r->job.backoff);
	if (r->job.backoff_max > r->job.backoff)
		describe_duration(out, ", doubling to ", r->job.backoff_max);
}

static void describe_end(const struct rule *r, struct buf *out)
{
	if (r->own.runs)
		buf_printf(out, "; the rule ends after %llu %s", (unsigned long long)r->own.runs,
			   r->own.runs > 1 ? "runs" : "run");
	if (r->own.last)
		buf_add_text(out, "; evwatch stops with it");
}

/* The others, as they were written. */
static void describe_given(const struct rule *r, struct buf *out)
{
	for (size_t i = 0; i < r->given.count; i++)
		buf_printf(out, "%s %s", i ? "" : "; with", r->given.items[i]);
}

static void describe(const struct rule *r, struct buf *out)
{
	buf_printf(out, r->type->starts_itself ? "%s: " : "%s: on ", r->name);
	if (r->type->describe)
		r->type->describe(r->source_config, out);
	else
		buf_add_text(out, r->type->name);
	if (!r->type->takes_no_command) {
		buf_add_text(out, ", ");
		describe_command(r, out);
		describe_flow(r, out);
	}
	for (size_t i = 0; i < r->own.sockets.count; i++)
		buf_printf(out, "%s%s", i ? ", " : "; with the socket ", r->own.sockets.items[i]);
	if (r->job.initial)
		buf_add_text(out, "; once at the start too");
	if (r->command.count) {
		describe_limits(r, out);
		describe_retry(r, out);
	}
	describe_given(r, out);
	describe_end(r, out);
}

void rule_describe(const struct rule *r, struct buf *out)
{
	struct buf line = {0};

	describe(r, &line);
	if (line.failed)
		out->failed = true;
	else
		escape_control(out, line.data, line.length);
	buf_free(&line);
}
