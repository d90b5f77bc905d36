/*
 * every, after, at: ticks of a clock.
 *
 * `every` does not drift: tick k is due at start + k·DUR, however late the one before was served.
 * Ticks that were due while the loop could not run are told as one, with their number.
 */
#include "source/kinds.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/units.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct timer_config {
	int64_t period; /* ns; of `after`: the delay */
	int64_t at;     /* ns since the epoch */
};

struct timer_source {
	struct source base;
	struct timer timer;
	int64_t first, ticks; /* tick k is due at first + k * period */
};

static int64_t wall_of(const struct timer *t)
{
	return clock_read(CLOCK_OF_WALL) - clock_read((enum reactor_clock)t->clock) + t->deadline;
}

static void emit_tick(struct timer_source *s, int64_t missed)
{
	struct event event = event_make("tick");
	int64_t wall = wall_of(&s->timer);
	char scheduled[40], skipped[24];
	struct detail details[] = {{"EVWATCH_SCHEDULED", scheduled}, {"EVWATCH_MISSED", skipped}};

	snprintf(scheduled, sizeof scheduled, "%lld.%09lld", (long long)(wall / NS_PER_S),
		 (long long)(wall % NS_PER_S));
	snprintf(skipped, sizeof skipped, "%lld", (long long)missed);
	event.details = details;
	event.n_details = ARRAY_LENGTH(details);
	s->base.host->emit(&s->base, &event, 1);
}

static void timer_source_stop(struct source *base)
{
	struct timer_source *s = (struct timer_source *)base;

	timer_stop(base->reactor, &s->timer);
}

static void fail(struct timer_source *s)
{
	struct error e;

	error_errno(&e, "cannot arm the timer");
	s->base.host->failed(&s->base, &e);
}

/* ---- every ----------------------------------------------------------------------------------- */

static void on_period(struct reactor *r, struct timer *t)
{
	struct timer_source *s = CONTAINER_OF(t, struct timer_source, timer);
	int64_t period = ((const struct timer_config *)s->base.config)->period;
	int64_t late = reactor_now(r, CLOCK_OF_LOOP) - t->deadline, missed = late / period;

	s->ticks += missed;
	t->deadline += missed * period;
	emit_tick(s, missed);
	s->ticks++;
	if (timer_start_at(r, t, s->first + s->ticks * period) < 0)
		fail(s);
}

static int every_open(struct source *base, struct error *e)
{
	struct timer_source *s = (struct timer_source *)base;

	(void)e;
	timer_init(&s->timer, CLOCK_OF_LOOP, on_period);
	s->timer.priority = base->priority;
	return 0;
}

static void every_start(struct source *base)
{
	struct timer_source *s = (struct timer_source *)base;
	int64_t period = ((const struct timer_config *)base->config)->period;

	s->first = clock_read(CLOCK_OF_LOOP) + period;
	if (timer_start_at(base->reactor, &s->timer, s->first) < 0)
		fail(s);
}

static int every_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct timer_config *c = config;

	(void)n;
	e->column = 0;
	if (duration_parse(words[0], &c->period, e) < 0)
		return error_at(e, 0, e->column);
	if (c->period == 0) {
		error_set(e, "a period must be more than nothing");
		return error_at(e, 0, 0);
	}
	return 0;
}

static void every_describe(const void *config, struct buf *out)
{
	buf_add_text(out, "every ");
	duration_add(out, ((const struct timer_config *)config)->period);
}

/* ---- after, at ------------------------------------------------------------------------------- */

static void on_once(struct reactor *r, struct timer *t)
{
	struct timer_source *s = CONTAINER_OF(t, struct timer_source, timer);

	(void)r;
	emit_tick(s, 0);
	s->base.host->ended(&s->base);
}

static int after_open(struct source *base, struct error *e)
{
	struct timer_source *s = (struct timer_source *)base;

	(void)e;
	timer_init(&s->timer, CLOCK_OF_LOOP, on_once);
	s->timer.priority = base->priority;
	return 0;
}

static void after_start(struct source *base)
{
	struct timer_source *s = (struct timer_source *)base;
	int64_t delay = ((const struct timer_config *)base->config)->period, deadline;

	if (__builtin_add_overflow(clock_read(CLOCK_OF_LOOP), delay, &deadline))
		deadline = INT64_MAX - 2;
	if (timer_start_at(base->reactor, &s->timer, deadline) < 0)
		fail(s);
}

static int after_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	(void)n;
	e->column = 0;
	if (duration_parse(words[0], &((struct timer_config *)config)->period, e) < 0)
		return error_at(e, 0, e->column);
	return 0;
}

static void after_describe(const void *config, struct buf *out)
{
	buf_add_text(out, "one tick after ");
	duration_add(out, ((const struct timer_config *)config)->period);
}

static int at_open(struct source *base, struct error *e)
{
	struct timer_source *s = (struct timer_source *)base;

	(void)e;
	timer_init(&s->timer, CLOCK_OF_WALL, on_once);
	s->timer.priority = base->priority;
	return 0;
}

static void at_start(struct source *base)
{
	struct timer_source *s = (struct timer_source *)base;

	if (timer_start_at(base->reactor, &s->timer,
			   ((const struct timer_config *)base->config)->at) < 0)
		fail(s);
}

/* The next HH:MM[:SS], today or tomorrow; false when the word is none. */
static bool read_time_of_day(const char *word, time_t now, time_t *when)
{
	struct tm tm;
	const char *end;

	localtime_r(&now, &tm);
	tm.tm_sec = 0;
	end = strptime(word, "%H:%M:%S", &tm);
	if (!end || *end) {
		tm.tm_sec = 0;
		end = strptime(word, "%H:%M", &tm);
	}
	if (!end || *end)
		return false;
	tm.tm_isdst = -1;
	*when = mktime(&tm);
	if (*when <= now) {
		tm.tm_mday++;
		tm.tm_isdst = -1;
		*when = mktime(&tm);
	}
	return true;
}

static bool read_date(const char *word, time_t *when)
{
	static const char *const forms[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
					    "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"};

	for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *end = strptime(word, forms[i], &tm);

		if (end && !*end) {
			tm.tm_isdst = -1;
			*when = mktime(&tm);
			return *when != (time_t)-1;
		}
	}
	return false;
}

static int at_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct timer_config *c = config;
	int64_t now = clock_read(CLOCK_OF_WALL), delay;
	time_t when;

	(void)n;
	e->column = 0;
	if (strncmp(words[0], "now+", 4) == 0) {
		if (duration_parse(words[0] + 4, &delay, e) < 0)
			return error_at(e, 0, e->column + 4);
		c->at = now + delay;
		return 0;
	}
	if (!read_time_of_day(words[0], (time_t)(now / NS_PER_S), &when) &&
	    !read_date(words[0], &when)) {
		error_set(e, "\"%s\" is not a time", words[0]);
		error_hint(e, "as in 17:30, 2026-12-24 18:00, or now+5m");
		return error_at(e, 0, 0);
	}
	if ((int64_t)when * NS_PER_S < now) {
		error_set(e, "%s has passed", words[0]);
		return error_at(e, 0, 0);
	}
	c->at = (int64_t)when * NS_PER_S;
	return 0;
}

static void at_describe(const void *config, struct buf *out)
{
	time_t when = (time_t)(((const struct timer_config *)config)->at / NS_PER_S);
	struct tm tm;
	char text[40];

	localtime_r(&when, &tm);
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z", &tm);
	buf_printf(out, "one tick at %s", text);
}

/* ---- the kinds ------------------------------------------------------------------------------- */

static const struct event_name tick_events[] = {
    {"tick", "the time has come; EVWATCH_SCHEDULED: when it was due"},
    {0},
};

static const struct option not_yet[] = {
    {.name = "align", .help = "on multiples of wall-clock time", .not_yet = true},
    {.name = "tz", .type = OPTION_TEXT, .value = "ZONE", .help = "time zone", .not_yet = true},
    {.name = "jitter",
     .type = OPTION_TEXT,
     .value = "DUR",
     .help = "put each tick off by a random time",
     .not_yet = true},
    {.name = "fixed-jitter",
     .type = OPTION_TEXT,
     .value = "DUR",
     .help = "the same, stable per rule and host",
     .not_yet = true},
    {.name = "catch-up",
     .type = OPTION_TEXT,
     .value = "DIR",
     .help = "run at start what was missed while down",
     .not_yet = true},
    {.name = "missed",
     .type = OPTION_TEXT,
     .value = "one|all|none",
     .help = "ticks that were due while it could not run",
     .not_yet = true},
    {0},
};

#define TIMER_KIND                                                                                 \
	.least_arguments = 1, .most_arguments = 1, .events = tick_events, .options = not_yet,      \
	.default_on_busy = 1 /* BUSY_SKIP */, .default_jobs = 1,                                   \
	.config_size = sizeof(struct timer_config), .size = sizeof(struct timer_source),           \
	.stop = timer_source_stop, .close = timer_source_stop

const struct source_type source_every = {
    .name = "every",
    .summary = "again and again, without drift",
    .arguments = "DUR",
    .examples = {"evwatch every 10s -- date", "evwatch -c 3 every 250ms"},
    .config_arguments = every_arguments,
    .describe = every_describe,
    .open = every_open,
    .start = every_start,
    TIMER_KIND,
};

const struct source_type source_after = {
    .name = "after",
    .summary = "once, when a time has passed",
    .arguments = "DUR",
    .examples = {"evwatch after 20m -- notify-send tea", "evwatch after 1.5s"},
    .config_arguments = after_arguments,
    .describe = after_describe,
    .open = after_open,
    .start = after_start,
    TIMER_KIND,
};

const struct source_type source_at = {
    .name = "at",
    .summary = "once, at a time of the day or a date",
    .arguments = "TIME",
    .examples = {"evwatch at 17:30 -- notify-send 'go home'", "evwatch at now+90s -- date"},
    .config_arguments = at_arguments,
    .describe = at_describe,
    .open = at_open,
    .start = at_start,
    TIMER_KIND,
};
