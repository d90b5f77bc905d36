/* What an expression comes down to. Private to lib/calendar. */
#ifndef EVWATCH_CALENDAR_SPEC_H
#define EVWATCH_CALENDAR_SPEC_H

#include "calendar/calendar.h"

#define NS INT64_C(1000000000)

enum { FIRST_YEAR = 1970, LAST_YEAR = 2261 };

/* start, start + step, ... up to stop (step 0: start alone). Years, or nanoseconds of a minute. */
struct span {
	int64_t start, stop, step;
};

struct spans {
	struct span *items; /* owned */
	size_t count, capacity;
};

/* Sets of small numbers are bits: bit n is the number n. */
struct calendar {
	uint64_t seconds, minutes;
	uint32_t hours, days, months;
	uint32_t days_from_end;   /* bit 1: the last day of the month */
	uint32_t days_nearest;    /* 15W: the weekday nearest to the 15th */
	uint8_t weekdays;         /* bit 0: Sunday */
	uint8_t weekdays_last;    /* 5L: the last Friday */
	uint8_t weekdays_nth[7];  /* 5#2: of each weekday the bits 1 to 5 */
	bool weekday_last_of_all; /* LW: the last Monday to Friday */
	bool either;              /* days of month and of week are OR-ed */
	bool wall;                /* a wall-time job */
	bool reboot;
	uint16_t year_types;    /* bit weekday of January 1st + 7 if leap: has days at all */
	struct spans years;     /* none: every year */
	struct spans fractions; /* seconds with fractions, in ns; none: `seconds` */
	int64_t multiple;       /* not 0: multiples of this many ns, nothing else */
	int64_t moment;         /* with `fixed`: this local (or UTC) second, nothing else */
	bool fixed, utc;
	char *zone;
};

/* An expression that matches everything. NULL with ENOMEM. */
struct calendar *calendar_new(void);

/* To be called once all fields are set: finds the years that have a matching day. */
void calendar_settle(struct calendar *c);

/* Adds one span. Returns 0, or -1 with ENOMEM. */
int spans_add(struct spans *s, int64_t start, int64_t stop, int64_t step);

/*
 * The first local time (ns since 1970-01-01T00:00 local) at or after `from` that matches. False
 * when there is none.
 */
bool spec_next(const struct calendar *c, int64_t from, int64_t *local);

/* Bits `from` to `to` in steps. */
static inline uint64_t bits_range(int from, int to, int step)
{
	uint64_t bits = 0;

	for (int i = from; i <= to; i += step)
		bits |= UINT64_C(1) << i;
	return bits;
}

/* Where a lexer stands, and what it reports. */
int calendar_fault(struct error *e, const char *text, const char *at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
