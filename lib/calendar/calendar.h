/*
 * Calendar expressions: text to a plain value, and the next instant it names.
 *
 * Two dialects, cron and systemd.time(7) calendar events, end in one value. calendar_next is pure:
 * the same expression, zone, policy and instant always give the same answer, and it solves fields
 * from the year down, so that rare and impossible dates cost no more than others.
 *
 * Instants are nanoseconds since the epoch, UTC. Answers end with the year 2261.
 */
#ifndef EVWATCH_CALENDAR_CALENDAR_H
#define EVWATCH_CALENDAR_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct calendar;
struct error;
struct zone;

/*
 * cron: five fields, or six with seconds first, or an `@` word (crontab(5)); days of month and of
 * week are OR-ed when both are restricted. NULL with `e` filled, e->column at the fault.
 */
struct calendar *calendar_parse_cron(const char *text, struct error *e);

/* A calendar event of systemd.time(7). Same results. */
struct calendar *calendar_parse_event(const char *text, struct error *e);

/* Every wall-clock multiple of `step` ns (1 or more), counted from local midnight of 1970-01-01. */
struct calendar *calendar_multiples(int64_t step);

/* One wall time, as for `at`: seconds of local time since 1970-01-01T00:00:00 local. */
struct calendar *calendar_moment(int64_t local_seconds);

/* One instant, in any zone: seconds since the epoch. */
struct calendar *calendar_instant(int64_t seconds);

/* This wall time every day: seconds after midnight. */
struct calendar *calendar_daily(int second_of_day);

void calendar_free(struct calendar *c);

/* The zone that the expression itself names, or NULL. */
const char *calendar_zone(const struct calendar *c);

/* `@reboot`: no times at all, but once when the schedule starts. */
bool calendar_is_reboot(const struct calendar *c);

/*
 * Daylight saving time (evwatch(1), "Schedules"). A wall-time expression (no `*` and no step in
 * hours and minutes) that a gap skips fires at its end, or not (GAP_SKIP); in a repeated hour it
 * fires the first time, or both times (FOLD_TWICE). Any other follows the instants. The hour counts
 * as repeated only when `after` lies before its second copy: asked from within that one, a time of
 * day that is still ahead is the first to come.
 */
enum calendar_gap { GAP_RUN, GAP_SKIP };
enum calendar_fold { FOLD_ONCE, FOLD_TWICE };

struct calendar_policy {
	int gap, fold;
};

/* Why an instant was chosen: GAP, moved to the end of a gap; FOLD, its local time comes twice. */
enum calendar_mark { MARK_NONE, MARK_GAP, MARK_FOLD };

struct calendar_time {
	int64_t at;
	enum calendar_mark mark;
};

/* The first instant strictly after `after`. False when there is none. */
bool calendar_next(const struct calendar *c, const struct zone *z,
		   const struct calendar_policy *policy, int64_t after, struct calendar_time *next);

#endif
