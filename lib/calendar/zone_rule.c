/* See zone_rule.h. The hard part: a rule speaks of years, and a segment may span a new year. */
#include "calendar/zone_rule.h"

#include "calendar/civil.h"
#include "calendar/zone.h"

#include <ctype.h>
#include <string.h>

static bool number_read(const char **s, int most, int *n)
{
	if (!isdigit((unsigned char)**s))
		return false;
	for (*n = 0; isdigit((unsigned char)**s); ++*s)
		if ((*n = *n * 10 + (**s - '0')) > most)
			return false;
	return true;
}

/* An abbreviation: three or more letters, or anything in angle brackets. */
static bool name_skip(const char **s)
{
	const char *start = *s;

	if (*start == '<') {
		*s += strcspn(start, ">");
		return *(*s)++ == '>';
	}
	while (isalpha((unsigned char)**s))
		++*s;
	return *s - start >= 3;
}

/* [+-]h[h[h]][:mm[:ss]], up to 167 hours either way (RFC 8536, version 3). */
static bool time_read(const char **s, int32_t *seconds)
{
	int sign = **s == '-' ? -1 : 1, h, m = 0, sec = 0;

	if (**s == '-' || **s == '+')
		++*s;
	if (!number_read(s, 167, &h))
		return false;
	if (**s == ':' && (++*s, !number_read(s, 59, &m)))
		return false;
	if (**s == ':' && (++*s, !number_read(s, 59, &sec)))
		return false;
	*seconds = sign * (h * 3600 + m * 60 + sec);
	return true;
}

static bool day_read(const char **s, struct zone_day *d)
{
	if (*(*s)++ != ',')
		return false;
	d->time = 7200;
	if (**s == 'M') {
		d->kind = DAY_WEEKDAY;
		++*s;
		if (!number_read(s, 12, &d->month) || *(*s)++ != '.' ||
		    !number_read(s, 5, &d->week) || *(*s)++ != '.' || !number_read(s, 6, &d->day) ||
		    !d->month || !d->week)
			return false;
	} else {
		d->kind = **s == 'J' ? DAY_JULIAN : DAY_ZERO;
		*s += **s == 'J';
		if (!number_read(s, 365, &d->day) || (d->kind == DAY_JULIAN && !d->day))
			return false;
	}
	return **s != '/' || (++*s, time_read(s, &d->time));
}

int zone_rule_parse(struct zone_rule *rule, const char *text)
{
	const char *s = text;

	memset(rule, 0, sizeof *rule);
	if (!name_skip(&s) || !time_read(&s, &rule->standard))
		return -1;
	rule->standard = -rule->standard; /* POSIX counts westward */
	rule->daylight = rule->standard + 3600;
	if (!*s)
		return 0;
	rule->changes = true;
	if (!name_skip(&s))
		return -1;
	if (*s && *s != ',') {
		if (!time_read(&s, &rule->daylight))
			return -1;
		rule->daylight = -rule->daylight;
	}
	if (!*s)
		s = ",M3.2.0,M11.1.0"; /* what every C library takes for granted */
	return day_read(&s, &rule->start) && day_read(&s, &rule->end) && !*s ? 0 : -1;
}

static int64_t day_in_year(const struct zone_day *d, int year)
{
	int64_t first = date_to_days(year, 1, 1), day;
	int length;

	if (d->kind == DAY_ZERO)
		return first + d->day;
	if (d->kind == DAY_JULIAN)
		return first + d->day - 1 + (d->day > 59 && year_is_leap(year));
	first = date_to_days(year, d->month, 1);
	length = month_length(year, d->month);
	day = (d->day - weekday_of(first) + 7) % 7 + (d->week - 1) * 7;
	return first + (day < length ? day : day - 7);
}

/* When daylight saving time starts (ends) in a year, in seconds since the epoch. */
static int64_t change_in_year(const struct zone_rule *r, bool start, int year)
{
	const struct zone_day *d = start ? &r->start : &r->end;

	return day_in_year(d, year) * SECONDS_A_DAY + d->time - (start ? r->standard : r->daylight);
}

void zone_rule_find(const struct zone_rule *rule, int64_t at, struct zone_segment *segment)
{
	int year;

	*segment = (struct zone_segment){INT64_MIN, INT64_MAX, rule->standard};
	if (!rule->changes)
		return;
	year = date_from_days(floor_div(at, SECONDS_A_DAY)).year;
	/* A rule with daylight saving time all year (start = end) gives empty segments: skip. */
	for (int y = year - 1; y <= year + 1; y++) {
		bool first_starts = change_in_year(rule, true, y) < change_in_year(rule, false, y);

		for (int k = 0; k < 2; k++) {
			bool starts = (k == 0) == first_starts;
			int64_t change = change_in_year(rule, starts, y);

			if (change > at) {
				segment->end = change;
				return;
			}
			segment->start = change;
			segment->offset = starts ? rule->daylight : rule->standard;
		}
	}
}
