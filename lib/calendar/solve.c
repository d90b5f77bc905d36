/*
 * From a local time to the next one that matches: year, month, day, hour, minute, second, each
 * solved by looking for the next bit of its set. A year whose kind (weekday of January 1st, leap or
 * not) has no matching day costs one test, so that the 29th of February on a Monday, and dates that
 * never come, are found in about the time of any other.
 */
#include "calendar/solve.h"

#include "calendar/civil.h"

/* Every 7th bit. */
static const uint32_t WEEKS = 1u | 1u << 7 | 1u << 14 | 1u << 21 | 1u << 28;

struct month {
	int length, first; /* first: the weekday of day 1 */
	uint32_t all;      /* bits 1 to length */
};

static struct month month_make(int month, int january_first, bool leap)
{
	static const short before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
	struct month m;
	int day_of_year = before[month - 1] + (leap && month > 2);

	m.length = before[month] - before[month - 1] + (leap && month == 2);
	m.first = (january_first + day_of_year) % 7;
	m.all = (uint32_t)((UINT64_C(2) << m.length) - 2);
	return m;
}

/* The bits of all days with this weekday. */
static uint32_t days_with_weekday(const struct month *m, int weekday)
{
	return (WEEKS << (1 + (weekday - m->first + 7) % 7)) & m->all;
}

static uint32_t highest_bit(uint32_t bits)
{
	return bits ? UINT32_C(1) << (31 - __builtin_clz(bits)) : 0;
}

static uint32_t days_by_weekday(const struct calendar *c, const struct month *m)
{
	uint32_t days = 0;

	for (int w = 0; w < 7; w++) {
		uint32_t these = days_with_weekday(m, w);

		if (c->weekdays >> w & 1)
			days |= these;
		if (c->weekdays_last >> w & 1)
			days |= highest_bit(these);
		for (uint32_t nth = c->weekdays_nth[w]; nth; nth &= nth - 1) {
			uint32_t week = (uint32_t)__builtin_ctz(nth) - 1;

			days |= these & (UINT32_C(0x7f) << (1 + 7 * week));
		}
	}
	return days;
}

/* Monday to Friday. */
static uint32_t working_days(const struct month *m)
{
	return m->all & ~days_with_weekday(m, 0) & ~days_with_weekday(m, 6);
}

/* The working day nearest to `day`, never in another month (Quartz's W). */
static uint32_t nearest_working_day(const struct month *m, int day)
{
	uint32_t working = working_days(m);
	static const signed char order[] = {0, -1, 1, -2, 2};

	for (unsigned i = 0; i < sizeof order; i++) {
		unsigned near = (unsigned)(day + order[i]) & 31; /* 0: no day */

		if (working >> near & 1)
			return UINT32_C(1) << near;
	}
	return 0;
}

static uint32_t days_by_date(const struct calendar *c, const struct month *m)
{
	uint32_t days = c->days;

	for (uint32_t rest = c->days_from_end; rest; rest &= rest - 1) {
		int day = m->length + 1 - __builtin_ctz(rest);

		if (day >= 1)
			days |= UINT32_C(1) << day;
	}
	for (uint32_t rest = c->days_nearest & m->all; rest; rest &= rest - 1)
		days |= nearest_working_day(m, __builtin_ctz(rest));
	if (c->weekday_last_of_all)
		days |= highest_bit(working_days(m));
	return days & m->all;
}

uint32_t month_days(const struct calendar *c, int month, int january_first, bool leap)
{
	struct month m = month_make(month, january_first, leap);
	uint32_t by_date = days_by_date(c, &m);

	if (c->weekdays == 0x7f && !c->either)
		return by_date;
	if (c->either)
		return by_date | days_by_weekday(c, &m);
	return by_date & days_by_weekday(c, &m);
}

/* The first value at or after `from` in a span; false when there is none. */
static bool span_next(const struct span *s, int64_t from, int64_t *value)
{
	int64_t steps;

	*value = s->start;
	if (from <= s->start)
		return true;
	if (!s->step)
		return false;
	steps = (from - s->start + s->step - 1) / s->step;
	*value = s->start + steps * s->step;
	return *value <= s->stop;
}

static bool spans_next(const struct spans *all, int64_t from, int64_t *value)
{
	bool found = false;
	int64_t candidate;

	for (size_t i = 0; i < all->count; i++)
		if (span_next(&all->items[i], from, &candidate) && (!found || candidate < *value)) {
			*value = candidate;
			found = true;
		}
	return found;
}

/* The first matching day (since 1970) at or after `day`; false when there is none. */
static bool day_next(const struct calendar *c, int64_t day, int64_t *found)
{
	struct date from = date_from_days(day);

	for (int64_t year = from.year; year <= LAST_YEAR; year++) {
		int64_t first;
		int january_first;
		bool leap;

		if (c->years.count && !spans_next(&c->years, year, &year))
			return false;
		if (year > LAST_YEAR)
			return false;
		first = date_to_days((int)year, 1, 1);
		january_first = weekday_of(first);
		leap = year_is_leap((int)year);
		if (!(c->year_types >> (january_first + 7 * leap) & 1))
			continue;
		for (int month = year == from.year ? from.month : 1; month <= 12; month++) {
			uint32_t days;

			if (!(c->months >> month & 1))
				continue;
			days = month_days(c, month, january_first, leap);
			if (year == from.year && month == from.month)
				days &= ~UINT32_C(0) << from.day;
			if (days) {
				*found = date_to_days((int)year, month, __builtin_ctz(days));
				return true;
			}
		}
	}
	return false;
}

/* The lowest bit at or after `from`, or -1. */
static int bit_next(uint64_t bits, int64_t from)
{
	bits = from > 63 ? 0 : bits & (~UINT64_C(0) << from);
	return bits ? __builtin_ctzll(bits) : -1;
}

/* The first matching moment of a minute at or after `from` ns; false when there is none. */
static bool second_next(const struct calendar *c, int64_t from, int64_t *found)
{
	int second;

	if (c->fractions.count)
		return spans_next(&c->fractions, from, found);
	second = bit_next(c->seconds, (from + NS - 1) / NS);
	*found = second * NS;
	return second >= 0;
}

/* The first matching time of a day at or after `from` ns; false when there is none. */
static bool time_next(const struct calendar *c, int64_t from, int64_t *found)
{
	int64_t second = from % (60 * NS);
	int64_t minute = from / (60 * NS) % 60, hour = from / (3600 * NS);

	for (;;) {
		int h = bit_next(c->hours, hour), m;

		if (h < 0)
			return false;
		if (h != hour)
			minute = second = 0;
		hour = h;
		m = bit_next(c->minutes, minute);
		if (m >= 0) {
			if (m != minute)
				second = 0;
			minute = m;
			if (second_next(c, second, found)) {
				*found += (hour * 60 + minute) * 60 * NS;
				return true;
			}
			minute++;
		} else {
			hour++;
			minute = 0;
		}
		second = 0;
	}
}

static bool multiple_next(const struct calendar *c, int64_t from, int64_t *local)
{
	int64_t n = floor_div(from, c->multiple);

	n += n * c->multiple < from;
	return !__builtin_mul_overflow(n, c->multiple, local);
}

bool spec_next(const struct calendar *c, int64_t from, int64_t *local)
{
	int64_t day = floor_div(from, SECONDS_A_DAY * NS), found, time;

	if (c->reboot)
		return false;
	if (c->fixed) {
		*local = c->moment * NS;
		return *local >= from;
	}
	if (c->multiple)
		return multiple_next(c, from, local);
	if (!day_next(c, day, &found))
		return false;
	if (found == day && time_next(c, from - day * SECONDS_A_DAY * NS, &time)) {
		*local = day * SECONDS_A_DAY * NS + time;
		return true;
	}
	if (found == day && !day_next(c, day + 1, &found))
		return false;
	if (!time_next(c, 0, &time))
		return false;
	*local = found * SECONDS_A_DAY * NS + time;
	return true;
}
