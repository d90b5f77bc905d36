/*
 * The way of an event through its rule: from the source, past the sieve, to the feed of a command
 * or to the printer.
 */
#include "engine/state.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/control.h"
#include "engine/printer.h"
#include "output/sink.h"
#include "rule/rule.h"
#include "sieve/sieve.h"
#include "source/source.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What --log json adds to a line about an event. */
static void event_fields(struct buf *b, const struct event *event)
{
	buf_printf(b, ",\"event\":\"%s\",\"subjects\":[", event->name);
	for (size_t i = 0; i < event->n_subjects; i++) {
		buf_add_text(b, i ? "," : "");
		json_add_string(b, event->subjects[i], strlen(event->subjects[i]));
	}
	buf_add_char(b, ']');
}

static void log_event(const struct armed_rule *a, const struct event *event)
{
	struct buf b = {0}, fields = {0};

	if (!log_wants(LOG_INFO))
		return;
	for (size_t i = 0; i < event->n_subjects && i < 3; i++) {
		buf_add_char(&b, ' ');
		escape_word(&b, event->subjects[i], strlen(event->subjects[i]));
	}
	if (log_is_json())
		event_fields(&fields, event);
	log_fields(LOG_INFO, a->rule->name, &fields, "%s%s%s", event->name, b.data ? b.data : "",
		   event->n_subjects > 3 ? " ..." : "");
	buf_free(&b);
	buf_free(&fields);
}

/* What the source remembers as printed (its token) must have been written: a kill may come. */
static int write_line(struct engine *e, const struct event *event)
{
	return event->token ? sink_write(e->output, e->line.data, e->line.length)
			    : sink_gather(e->output, e->line.data, e->line.length);
}

static void print_event(struct armed_rule *a, const struct event *event)
{
	struct engine *e = a->engine;
	struct print_context context = {a->rule->name, a->rule->type->name, ++a->printed, NULL};

	buf_clear(&e->line);
	event_print(&e->line, &a->rule->print, &context, event);
	if (e->line.failed)
		log_error(a->rule->name, "out of memory: an event is not printed");
	else if (write_line(e, event) == 0)
		armed_count(a, 0);
	armed_check_runs(a);
}

bool events_are_printed(const struct armed_rule *a)
{
	const struct rule *rule = a->rule;

	return !rule->type->takes_no_command || rule->print.json || rule->print.format;
}

/*
 * While it drains, a relay reports the connections that it ends, so that each open has its close.
 * --count is exact, though, and so is --runs.
 */
static bool prints_now(const struct armed_rule *a)
{
	const struct engine *e = a->engine;

	if (!events_are_printed(a) || a->job_ended)
		return false;
	if (e->phase == ENGINE_STOPPING)
		return a->rule->type->drains && !e->config->count;
	return e->phase == ENGINE_RUNNING;
}

/* Closes the connections of events that nothing takes any more. */
static void drop_events(const struct event *events, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (events[i].connection >= 0)
			close(events[i].connection);
}

static void print_events(struct armed_rule *a, const struct event *events, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (prints_now(a))
			print_event(a, &events[i]);
	drop_events(events, n);
}

/* What happened is handed on as it happens: now. */
static void stamp(struct event *events, size_t n)
{
	struct timespec now = {0};

	for (size_t i = 0; i < n; i++) {
		if (events[i].time.tv_sec)
			continue;
		if (!now.tv_sec)
			clock_gettime(CLOCK_REALTIME, &now);
		events[i].time = now;
	}
}

/* Behind the sieve. */
static void deliver(void *owner, struct event *events, size_t n)
{
	struct armed_rule *a = owner;

	stamp(events, n);
	if (a->target && a->in_part)
		feed_gather(&a->feed, events, n);
	else if (a->target)
		feed_submit(&a->feed, events, n);
	else
		print_events(a, events, n);
}

static void on_sifted(void *owner, const struct event *event)
{
	struct armed_rule *a = owner;

	drop_events(event, 1);
	rule_feed_host.dropped(a, event->token);
}

const struct sieve_host events_sieve_host = {deliver, on_sifted};

static void pass_on(struct armed_rule *a, struct event *events, size_t n)
{
	a->events += n;
	for (size_t i = 0; i < n; i++)
		log_event(a, &events[i]);
	if (a->sieve)
		sieve_submit(a->sieve, events, n);
	else
		deliver(a, events, n);
	armed_update(a);
}

static void take(struct armed_rule *a, const struct event *events, size_t n)
{
	struct event one, *mine = &one;

	if (n > 1)
		mine = malloc(n * sizeof *mine);
	if (!mine) {
		log_error(a->rule->name, "out of memory: %zu events are lost", n);
		drop_events(events, n);
		return;
	}
	memcpy(mine, events, n * sizeof *mine);
	pass_on(a, mine, n);
	if (mine != &one)
		free(mine);
}

void events_take(struct armed_rule *a, const struct event *events, size_t n, bool part)
{
	if (a->over || (a->engine->phase != ENGINE_RUNNING && a->target)) {
		drop_events(events, n);
		return;
	}
	a->in_part = part;
	if (n)
		take(a, events, n);
	a->in_part = false;
	/* The sieve may have let through nothing of the last part. */
	if (a->target && !part)
		feed_submit(&a->feed, NULL, 0);
}

void events_take_by_hand(struct armed_rule *a, struct event *event)
{
	clock_gettime(CLOCK_REALTIME, &event->time);
	a->events++;
	log_event(a, event);
	if (a->target)
		feed_submit_now(&a->feed, event, 1);
	else
		print_events(a, event, 1);
	armed_update(a);
}

void armed_trigger(struct armed_rule *a, const char *const *subjects, size_t n, uint64_t ticket)
{
	struct event event = event_make("trigger");

	event.subjects = subjects;
	event.n_subjects = n;
	event.ticket = ticket;
	if (!a->rule->job.each || n < 2) {
		events_take_by_hand(a, &event);
		return;
	}
	if (ticket)
		control_expect(a->engine->control, ticket, n);
	event.n_subjects = 1;
	for (size_t i = 0; i < n; i++) {
		event.subjects = subjects + i;
		events_take_by_hand(a, &event);
	}
}
