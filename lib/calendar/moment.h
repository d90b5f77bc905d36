/*
 * Words for one time, as `at` and `next --from` take them: HH:MM[:SS], YYYY-MM-DD[ T]HH:MM[:SS],
 * now+DUR, @SECONDS since the epoch. And the other way round: an instant as people read it.
 */
#ifndef EVWATCH_CALENDAR_MOMENT_H
#define EVWATCH_CALENDAR_MOMENT_H

#include "base/buf.h"

#include <stdint.h>

struct calendar;
struct error;
struct zone;

struct moment {
	enum { MOMENT_OF_DAY, MOMENT_OF_DATE, MOMENT_FROM_NOW, MOMENT_INSTANT } kind;
	/* Seconds after midnight; seconds of local time since 1970; ns; ns since the epoch. */
	int64_t value;
};

/* Returns 0, or -1 with `e` filled and e->column at the fault. */
int moment_parse(const char *word, struct moment *m, struct error *e);

/* The moment as a schedule, which calendar_next answers from; not for MOMENT_FROM_NOW. NULL with
 * ENOMEM. */
struct calendar *moment_calendar(const struct moment *m);

/*
 * The instant (ns since the epoch), seen from `now`: of a time of day the next one. A local time
 * that a gap skips is the end of the gap. Returns 0, or -1 with ENOMEM, or ERANGE: beyond
 * reckoning.
 */
int moment_instant(const struct moment *m, const struct zone *z, int64_t now, int64_t *at);

/* Appends an RFC 3339 time with the zone's offset: 2026-11-24T08:15:00+01:00; a fraction only
 * where there is one. */
void instant_add(struct buf *out, const struct zone *z, int64_t at);

/* "Mon", "Tue", ... in the zone. */
const char *instant_weekday(const struct zone *z, int64_t at);

#endif
