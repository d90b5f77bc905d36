/*
 * Serving the series: when a tick is due, how many were missed, and what happens to them.
 *
 * `due` is the first tick that was not dealt with yet. The timer is armed for it, put off by its
 * jitter; when it fires, all ticks up to now are served together, since the loop may have slept
 * with the machine, or the clock may have been set. A tick that is due while the command runs is up
 * to --on-busy. Only ticks that --missed all owes a run each wait here for the end of the run
 * before them, since the job would skip them.
 */
#include "source/time/time.h"

#include "base/array.h"
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/units.h"
#include "calendar/zone.h"

#include <stdio.h>

/* A step backwards of more than this is a correction, as cron(8) has it: begin anew. */
static const int64_t CORRECTION = 3 * 3600 * NS_PER_S;

/* Most runs that --missed all owes for the past. */
enum { EACH_MOST = 1000 };

static const struct time_config *config_of(const struct time_source *s)
{
	return s->base.config;
}

static int64_t wall_of(const struct time_source *s, int64_t at)
{
	enum clock clock = series_clock(config_of(s));

	return clock == CLOCK_OF_WALL ? at : clock_read(CLOCK_OF_WALL) - clock_read(clock) + at;
}

static void fail(struct time_source *s, const char *what)
{
	struct error e;

	error_errno(&e, "%s", what);
	s->base.host->failed(&s->base, &e);
}

/* ---- arming ---------------------------------------------------------------------------------- */

static void arm(struct time_source *s)
{
	int64_t at;

	if (__builtin_add_overflow(s->due, s->put_off, &at))
		at = INT64_MAX - 2;
	if (timer_start_at(s->base.reactor, &s->timer, at) < 0)
		fail(s, "cannot arm the timer");
}

/* Goes on to the first tick after `after`. False when there is none: the rule has ended. */
static bool advance(struct time_source *s, int64_t after)
{
	struct calendar_time next;

	s->reported = after;
	if (!series_next(config_of(s), s->start, after, &next)) {
		s->base.host->ended(&s->base);
		return false;
	}
	s->due = next.at;
	s->put_off = put_off(config_of(s), s->base.rule);
	return true;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void emit(struct time_source *s, int64_t due, int64_t missed)
{
	struct event event = event_make("tick");
	int64_t wall = wall_of(s, due);
	char scheduled[40], count[24];
	struct detail details[] = {
	    {.name = "EVWATCH_SCHEDULED", .value = scheduled, .number = true},
	    {.name = "EVWATCH_MISSED", .value = count, .number = true}};

	s->emitted_missed = missed + s->skipped;
	s->skipped = 0;
	snprintf(scheduled, sizeof scheduled, "%lld.%09lld", (long long)(wall / NS_PER_S),
		 (long long)(wall % NS_PER_S));
	snprintf(count, sizeof count, "%lld", (long long)s->emitted_missed);
	event.details = details;
	event.n_details = ARRAY_LENGTH(details);
	s->reported = due;
	s->base.host->emit(&s->base, &event, 1);
	if (!s->base.has_command)
		s->begun = wall;
}

static void remember(struct time_source *s, int64_t wall)
{
	struct error e;

	if (s->record.path && wall > s->record.last && record_write(&s->record, wall, &e) < 0)
		log_warn(s->base.rule, "%s; what is missed from now on may be run twice", e.what);
}

/* Does a tick wait here until the command has ended? */
static bool waits(const struct time_source *s)
{
	return s->running && !s->base.busy_chosen && s->due <= s->each_until;
}

/* How many ticks are due up to `until`, as far as they are counted, and the last of them. */
static int64_t count_due(const struct time_source *s, int64_t until, int64_t *last)
{
	*last = s->due;
	return series_count(config_of(s), s->start, s->due - 1, until, last);
}

/* Nobody looked when it was due: it is late, or not alone. */
static bool was_missed(const struct time_source *s, int64_t until)
{
	struct calendar_time next;

	return until - s->due > config_of(s)->late ||
	       (series_next(config_of(s), s->start, s->due, &next) && next.at <= until);
}

/* From here to `until` each tick is owed a run; what is too long ago is dropped. */
static bool owe_each(struct time_source *s, int64_t until)
{
	const struct time_config *c = config_of(s);
	int64_t from = series_tail(c, s->start, s->due - 1, until, EACH_MOST), last;

	s->each_until = until;
	if (from < s->due)
		return true;
	s->skipped += count_due(s, from, &last);
	log_warn(s->base.rule, "more than %d ticks were missed: the latest %d are run", EACH_MOST,
		 EACH_MOST);
	return advance(s, from);
}

/* Each tick that is owed a run in its turn; what was due meanwhile is skipped. */
static void serve_each(struct time_source *s)
{
	int64_t now, last;

	while (!s->stopped && s->due <= s->each_until) {
		int64_t due = s->due;

		emit(s, due, 0);
		if (s->stopped || !advance(s, due))
			return;
		if (waits(s))
			return; /* time_run_ended goes on */
	}
	now = reactor_now(s->base.reactor, series_clock(config_of(s))) - s->put_off;
	if (s->due <= now) {
		s->skipped += count_due(s, now, &last);
		if (!advance(s, now))
			return;
	}
	if (!s->stopped)
		arm(s);
}

/* One tick for all up to `until`, or none where they are to be dropped. */
static void serve_together(struct time_source *s, int64_t until)
{
	const struct time_config *c = config_of(s);
	int64_t last, n = count_due(s, until, &last), tail;

	if (n >= SERIES_COUNTED) { /* the rest is missed uncounted */
		tail = series_tail(c, s->start, last, until, 1);
		series_count(c, s->start, tail, until, &last);
	}
	if (c->missed == MISSED_NONE && until - last > c->late)
		s->skipped += n;
	else
		emit(s, last, n > 0 ? n - 1 : 0);
	if (!s->stopped && advance(s, last))
		arm(s);
}

static void serve(struct time_source *s)
{
	int64_t until = reactor_now(s->base.reactor, series_clock(config_of(s))) - s->put_off;

	if (waits(s))
		return;
	if (s->due > until) {
		arm(s);
		return;
	}
	if (s->due > s->each_until && config_of(s)->missed == MISSED_ALL && was_missed(s, until) &&
	    !owe_each(s, until))
		return;
	if (s->due > s->each_until)
		serve_together(s, until);
	else if (!waits(s))
		serve_each(s);
	if (!s->base.has_command)
		remember(s, s->begun);
}

static void on_timer(struct reactor *r, struct timer *t)
{
	(void)r;
	serve(CONTAINER_OF(t, struct time_source, timer));
}

/* ---- what the engine says -------------------------------------------------------------------- */

void time_run_began(struct source *base, void *token)
{
	struct time_source *s = (struct time_source *)base;

	(void)token;
	s->running++;
	s->begun = wall_of(s, s->reported);
}

void time_run_ended(struct source *base, void *token, const struct run_outcome *outcome)
{
	struct time_source *s = (struct time_source *)base;

	(void)token;
	if (outcome->status < 0) { /* --on-busy skip */
		s->skipped += s->emitted_missed + 1;
		return;
	}
	s->running -= s->running > 0;
	if (s->stopped) /* stopped, not done: it is run again */
		return;
	remember(s, s->begun);
	if (!s->running && s->due > s->reported && s->due <= s->each_until)
		arm(s);
}

void time_clock_changed(struct source *base)
{
	struct time_source *s = (struct time_source *)base;
	int64_t now = clock_read(CLOCK_OF_WALL);

	/* What is overdue is served by the timer; what has no calendar knows no steps. */
	if (!config_of(s)->calendar || s->stopped || !timer_active(&s->timer) || s->due <= now)
		return;
	if (s->reported - now > CORRECTION) {
		log_warn(base->rule, "the clock was set back by hours: the schedule begins anew");
		s->reported = now;
	}
	/* From the last tick where that can be: an hour that comes twice is known by it. */
	if (advance(s, s->reported) && (s->due > now || advance(s, now)))
		arm(s);
}

bool time_due_in(const struct source *base, int64_t *left)
{
	const struct time_source *s = (const struct time_source *)base;

	if (!timer_active(&s->timer))
		return false;
	*left = s->timer.deadline - clock_read(series_clock(config_of(s)));
	return true;
}

/* ---- life ------------------------------------------------------------------------------------ */

int time_open(struct source *base, struct error *e)
{
	struct time_source *s = (struct time_source *)base;
	const struct time_config *c = base->config;

	s->record.lock = -1;
	timer_init(&s->timer, series_clock(c), on_timer);
	s->timer.priority = base->priority;
	return c->catch_up ? record_open(&s->record, base, c->catch_up, e) : 0;
}

/* With a record the series goes on from the last run, as if nothing had been in between. */
static int64_t resume_from(struct time_source *s, int64_t now)
{
	int64_t wall = clock_read(CLOCK_OF_WALL), since = wall - s->record.last;

	if (s->record.last == 0) {
		remember(s, wall);
		return now;
	}
	if (since < 0) {
		log_warn(s->base.rule,
			 "the last run was recorded for the future (was the clock wrong?): the "
			 "record begins anew");
		s->record.last = 0;
		remember(s, wall);
		return now;
	}
	if (config_of(s)->calendar)
		return s->record.last;
	return s->start = now - since;
}

void time_start(struct source *base)
{
	struct time_source *s = (struct time_source *)base;
	const struct time_config *c = base->config;
	int64_t now = clock_read(series_clock(c)), from = now;

	s->start = now;
	s->each_until = INT64_MIN;
	/* What is due at the start itself is still to come: @reboot, and `after 0`. */
	if (c->calendar ? calendar_is_reboot(c->calendar) : c->once)
		from = now - 1;
	else if (s->record.path)
		from = resume_from(s, now);
	if (advance(s, from))
		arm(s);
	else
		log_warn(base->rule, "such a time never comes: the rule has ended");
}

void time_stop(struct source *base)
{
	struct time_source *s = (struct time_source *)base;

	s->stopped = true;
	timer_stop(base->reactor, &s->timer);
}

int time_record_lock(const struct source *base)
{
	return ((const struct time_source *)base)->record.lock;
}

void time_close(struct source *base)
{
	struct time_source *s = (struct time_source *)base;

	time_stop(base);
	record_close(&s->record);
}
