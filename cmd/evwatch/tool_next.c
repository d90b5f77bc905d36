/*
 * `evwatch next`: the coming times of one schedule, or of all schedules in rules, as one list.
 *
 * Each schedule is asked for its next time; the nearest is printed and that one asked again.
 */
#include "options.h"
#include "tool_options.h"
#include "tools.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/error.h"
#include "event/event.h"
#include "base/units.h"
#include "calendar/calendar.h"
#include "calendar/moment.h"
#include "calendar/zone.h"
#include "engine/printer.h"
#include "reactor/reactor.h"
#include "rule/rule.h"
#include "source/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct next_options {
	uint64_t count; /* 0: ten, or of several rules the next time of each */
	char *from;
	bool each_once; /* there are rules of -f */
	struct print_config print;
};

enum { TIMES = 10 };

struct schedule {
	const struct rule *rule;
	const struct zone *zone;
	struct calendar_time next;
	uint64_t printed;
	bool over;
};

#define FIELD(name) .offset = offsetof(struct next_options, name)

static const struct option next_options[] = {
    {.name = "number", .letter = 'n', .type = OPTION_COUNT, FIELD(count), .value = "N", .least = 1},
    {.name = "from", .type = OPTION_TEXT, FIELD(from), .value = "TIME"},
    {.name = "format", .type = OPTION_TEXT, FIELD(print.format), .value = "FMT"},
    {.name = "json", .type = OPTION_FLAG, FIELD(print.json)},
    {0},
};

/* ---- reading --------------------------------------------------------------------------------- */

static int fault(const char *word, const struct error *e)
{
	return tool_fault("next", word, e);
}

static int from_read(const struct next_options *o, struct rules *rules, int64_t *from)
{
	const struct zone *zone = NULL;
	struct error e;
	struct moment m;

	*from = clock_read(CLOCK_OF_WALL);
	if (!o->from)
		return 0;
	error_clear(&e);
	/* A lone schedule is asked in its own zone; several may have several. */
	if (rules->count == 1 && rules->items[0]->type->upcoming) {
		struct calendar_time t;

		rules->items[0]->type->upcoming(rules->items[0]->source_config, 0, 0, &t, &zone);
	}
	if (!zone)
		zone = zone_get(rules->zones, NULL, &e);
	if (!zone || moment_parse(o->from, &m, &e) < 0)
		return fault("--from", &e);
	if (moment_instant(&m, zone, *from, from) < 0) {
		error_errno(&e, "cannot reckon from there");
		return fault("--from", &e);
	}
	return 0;
}

static bool has_file(const struct process_options *o)
{
	for (size_t i = 0; i < o->n_texts; i++)
		if (o->texts[i].is_file)
			return true;
	return false;
}

/* ---- printing ---------------------------------------------------------------------------------
 */

static const char *const marks[] = {[MARK_NONE] = NULL, [MARK_GAP] = "gap", [MARK_FOLD] = "fold"};

static void print_line(struct buf *out, const struct schedule *s, int64_t from)
{
	const char *mark = marks[s->next.mark];
	struct buf distance = {0};

	duration_add(&distance, (s->next.at - from) / NS_PER_S * NS_PER_S);
	instant_add(out, s->zone, s->next.at);
	buf_printf(out, "  %s  in %-12s  %s%s%s\n", instant_weekday(s->zone, s->next.at),
		   distance.data ? distance.data : "", s->rule->name, mark ? "  " : "",
		   mark ? mark : "");
	buf_free(&distance);
}

static void print_event(struct buf *out, const struct schedule *s, const struct print_config *print)
{
	struct event event = event_make("tick");
	struct print_context context = {s->rule->name, s->rule->type->name, s->printed, s->zone};
	char scheduled[40];
	struct detail details[] = {
	    {.name = "EVWATCH_SCHEDULED", .value = scheduled, .number = true},
	    {.name = "EVWATCH_MARK", .value = marks[s->next.mark]}};

	event.time.tv_sec = (time_t)(s->next.at / NS_PER_S);
	event.time.tv_nsec = (long)(s->next.at % NS_PER_S);
	if (event.time.tv_nsec < 0) {
		event.time.tv_sec--;
		event.time.tv_nsec += (long)NS_PER_S;
	}
	snprintf(scheduled, sizeof scheduled, "%lld.%09ld", (long long)event.time.tv_sec,
		 event.time.tv_nsec);
	event.details = details;
	event.n_details = marks[s->next.mark] ? 2 : 1;
	event_print(out, print, &context, &event);
}

static void ask(struct schedule *s, int64_t from, int64_t after, const struct zone *local)
{
	const struct rule *rule = s->rule;

	s->over = !rule->type->upcoming(rule->source_config, from, after, &s->next, &s->zone);
	if (!s->zone)
		s->zone = local;
}

static struct schedule *nearest(struct schedule *schedules, size_t n)
{
	struct schedule *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (!schedules[i].over && (!best || schedules[i].next.at < best->next.at))
			best = &schedules[i];
	return best;
}

static int print_times(const struct next_options *o, struct schedule *schedules, size_t n,
		       int64_t from, const struct zone *local)
{
	bool each_once = o->each_once && !o->count, failed;
	uint64_t printed = 0, most = o->count ? o->count : each_once ? n : TIMES;
	struct buf out = {0};

	for (size_t i = 0; i < n; i++)
		ask(&schedules[i], from, from, local);
	for (struct schedule *s; printed < most && (s = nearest(schedules, n)); printed++) {
		s->printed++;
		if (o->print.json || o->print.format)
			print_event(&out, s, &o->print);
		else
			print_line(&out, s, from);
		if (each_once)
			s->over = true;
		else
			ask(s, from, s->next.at, local);
		if (out.length > 65536 && !out.failed) {
			fwrite(out.data, 1, out.length, stdout);
			buf_clear(&out);
		}
	}
	if (out.length)
		fwrite(out.data, 1, out.length, stdout);
	failed = out.failed;
	buf_free(&out);
	if (failed)
		fputs("evwatch: next: out of memory\n", stderr);
	else if (printed == 0)
		fputs("never\n", stderr);
	return failed ? 1 : 0;
}

static int print_schedules(const struct next_options *o, struct rules *rules)
{
	struct schedule *schedules = calloc(rules->count + 1, sizeof *schedules);
	const struct zone *local;
	struct error e;
	int64_t from;
	size_t n = 0;
	int status = 2;

	for (size_t i = 0; schedules && i < rules->count; i++)
		if (rules->items[i]->type->upcoming)
			schedules[n++].rule = rules->items[i];
	if (!rules->zones)
		rules->zones = zone_set_new();
	local = rules->zones && schedules ? zone_get(rules->zones, NULL, &e) : NULL;
	if (!schedules || !rules->zones)
		fputs("evwatch: next: out of memory\n", stderr);
	else if (!local)
		fault("the system's time zone", &e);
	else if (n == 0)
		fputs("evwatch: next: no schedule among the rules\n"
		      "  every, after, at, cron and calendar have one: evwatch next cron '15 3 * * "
		      "*'\n",
		      stderr);
	else if (from_read(o, rules, &from) == 0)
		status = print_times(o, schedules, n, from, local);
	free(schedules);
	return status;
}

int tool_next(int argc, char **argv)
{
	struct next_options o = {0};
	struct process_options options = {0};
	struct rules rules = {0};
	struct error e;
	int count = argc - 1, status = 2;

	if (tool_options_read("next", next_options, &o, argv + 1, &count) == 0) {
		if (o.print.format && format_check(o.print.format, &e) < 0)
			fault("--format", &e);
		else if (count == 0)
			fputs("evwatch: next: no schedule is given\n"
			      "  for example: evwatch next cron '15 3 * * *', or evwatch next -f "
			      "site.rules\n",
			      stderr);
		else if (command_line_read(&options, &rules, argv + 1, count) < 0)
			diagnostics_print(&rules.diagnostics);
		else {
			o.each_once = has_file(&options);
			status = print_schedules(&o, &rules);
		}
	}
	rules_free(&rules);
	process_options_release(&options);
	option_release(next_options, &o);
	return status;
}
