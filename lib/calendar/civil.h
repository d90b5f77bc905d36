/* Days and dates of the Gregorian calendar, without zones: pure arithmetic. */
#ifndef EVWATCH_CALENDAR_CIVIL_H
#define EVWATCH_CALENDAR_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

enum { SECONDS_A_DAY = 86400 };

struct date {
	int year, month, day; /* month and day from 1 */
};

static inline bool year_is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* 28 to 31. */
int month_length(int year, int month);

/* Days since 1970-01-01. */
int64_t date_to_days(int year, int month, int day);
struct date date_from_days(int64_t days);

/* 0 (Sunday) to 6. */
int weekday_of(int64_t days);

/* Division that rounds towards minus infinity. */
static inline int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

#endif
