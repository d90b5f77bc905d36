/* See moment.h. */
#include "calendar/moment.h"

#include "base/error.h"
#include "base/scan.h"
#include "base/units.h"
#include "calendar/calendar.h"
#include "calendar/civil.h"
#include "calendar/zone.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One or two digits, at most `most`. */
static bool pair_read(const char **s, int most, int *n)
{
	if (!isdigit((unsigned char)**s))
		return false;
	*n = *(*s)++ - '0';
	if (isdigit((unsigned char)**s))
		*n = *n * 10 + (*(*s)++ - '0');
	return *n <= most;
}

/* HH:MM[:SS] to the end of the word. */
static bool time_of_day_read(const char *s, int64_t *second)
{
	int hour, minute, sec = 0;

	if (!pair_read(&s, 23, &hour) || *s++ != ':' || !pair_read(&s, 59, &minute))
		return false;
	if (*s == ':' && (s++, !pair_read(&s, 59, &sec)))
		return false;
	*second = hour * 3600 + minute * 60 + sec;
	return *s == '\0';
}

/* YYYY-MM-DD, a blank or T, and the time. */
static bool date_time_read(const char *s, int64_t *local)
{
	int year, month, day;
	int64_t second;

	if (strspn(s, "0123456789") != 4 || s[4] != '-')
		return false;
	year = atoi(s);
	s += 5;
	if (!pair_read(&s, 12, &month) || *s++ != '-' || !pair_read(&s, 31, &day) ||
	    (*s != ' ' && *s != 'T'))
		return false;
	if (month < 1 || day < 1 || day > month_length(year, month) ||
	    !time_of_day_read(s + 1, &second))
		return false;
	*local = date_to_days(year, month, day) * SECONDS_A_DAY + second;
	return true;
}

static int instant_read(const char *word, struct moment *m, struct error *e)
{
	char *end;

	m->kind = MOMENT_INSTANT;
	errno = 0;
	m->value = strtoll(word + 1, &end, 10);
	if (end == word + 1 || *end || isspace((unsigned char)word[1])) {
		error_set(e, "seconds since the epoch must follow the @");
		return error_at(e, 0, 1);
	}
	if (errno || __builtin_mul_overflow(m->value, NS_PER_S, &m->value)) {
		error_set(e, "this instant is out of range");
		return error_at(e, 0, 1);
	}
	return 0;
}

/* What of a time that has the right form is out of range, or missing. Returns -1 with `e`, or 0. */
static int explain_range(const char *word, struct error *e)
{
	static const char *const months[] = {"January",   "February", "March",    "April",
					     "May",       "June",     "July",     "August",
					     "September", "October",  "November", "December"};
	int year, month, day, hour, minute, second = 0;
	const char *at = word;

	if (scan_digits(&at, 4, &year) && scan_char(&at, '-') && scan_digits(&at, 2, &month) &&
	    scan_char(&at, '-') && scan_digits(&at, 2, &day)) {
		if (month < 1 || month > 12)
			return error_set(e, "month %d is out of range 1 to 12", month);
		if (day < 1 || day > month_length(year, month))
			return error_set(e, "%s %d has no day %d", months[month - 1], year, day);
		if (!*at) {
			error_set(e, "a time is missing after the date");
			return error_hint(e, "for example \"%s 00:00\"", word);
		}
		word = at + 1;
	}
	if (!scan_digits(&word, 2, &hour) || !scan_char(&word, ':') ||
	    !scan_digits(&word, 2, &minute))
		return 0;
	if (scan_char(&word, ':'))
		scan_digits(&word, 2, &second);
	if (hour > 23)
		return error_set(e, "hour %d is out of range 0 to 23", hour);
	if (minute > 59)
		return error_set(e, "minute %d is out of range 0 to 59", minute);
	if (second > 59)
		return error_set(e, "second %d is out of range 0 to 59", second);
	return 0;
}

/* What at(1) takes: 1730, 5pm, tomorrow. */
static void hint_time(const char *word, struct error *e)
{
	const char *at = word;
	char half[8];
	int hour;

	if (strlen(word) == 4 && !word[strspn(word, "0123456789")])
		error_hint(e, "write %.2s:%s", word, word + 2);
	else if (scan_digits(&at, 2, &hour) && hour <= 12 &&
		 scan_word(&at, "", half, sizeof half) && (*half == 'a' || *half == 'p'))
		error_hint(e, "write %02d:00", hour % 12 + (*half == 'p' ? 12 : 0));
	else if (strcmp(word, "tomorrow") == 0)
		error_hint(e, "write now+1d");
	else
		error_hint(e, "write 17:30, \"2026-12-24 18:00\", now+5m, or @1798131600");
}

int moment_parse(const char *word, struct moment *m, struct error *e)
{
	if (*word == '@')
		return instant_read(word, m, e);
	if (strncmp(word, "now+", 4) == 0) {
		m->kind = MOMENT_FROM_NOW;
		e->column = 0;
		return duration_parse(word + 4, &m->value, e) < 0 ? error_at(e, 0, e->column + 4)
								  : 0;
	}
	m->kind = MOMENT_OF_DAY;
	if (time_of_day_read(word, &m->value))
		return 0;
	m->kind = MOMENT_OF_DATE;
	if (date_time_read(word, &m->value)) {
		if (m->value >= 0 && m->value < date_to_days(2262, 1, 1) * SECONDS_A_DAY)
			return 0;
		error_set(e, "years go from 1970 to 2261");
		return error_at(e, 0, 0);
	}
	if (explain_range(word, e) < 0)
		return error_at(e, 0, 0);
	error_set(e, "\"%s\" is not a time", word);
	hint_time(word, e);
	return error_at(e, 0, 0);
}

struct calendar *moment_calendar(const struct moment *m)
{
	if (m->kind == MOMENT_OF_DAY)
		return calendar_daily((int)m->value);
	if (m->kind == MOMENT_OF_DATE)
		return calendar_moment(m->value);
	return calendar_instant(m->value / NS_PER_S);
}

int moment_instant(const struct moment *m, const struct zone *z, int64_t now, int64_t *at)
{
	static const struct calendar_policy policy = {GAP_RUN, FOLD_ONCE};
	int64_t from = m->kind == MOMENT_OF_DAY ? now : INT64_MIN;
	struct calendar_time t;
	struct calendar *c;

	*at = m->value;
	if (m->kind == MOMENT_INSTANT)
		return 0;
	if (m->kind == MOMENT_FROM_NOW)
		return __builtin_add_overflow(now, m->value, at) ? (errno = ERANGE, -1) : 0;
	c = moment_calendar(m);
	if (!c)
		return -1;
	if (!calendar_next(c, z, &policy, from, &t)) {
		calendar_free(c);
		errno = ERANGE;
		return -1;
	}
	calendar_free(c);
	*at = t.at;
	return 0;
}

/* ---- printing -------------------------------------------------------------------------------- */

void instant_add(struct buf *out, const struct zone *z, int64_t at)
{
	int64_t seconds = floor_div(at, NS_PER_S), fraction = at - seconds * NS_PER_S;
	int32_t offset = zone_offset(z, seconds), east = offset < 0 ? -offset : offset;
	int64_t local = seconds + offset, days = floor_div(local, SECONDS_A_DAY);
	int64_t rest = local - days * SECONDS_A_DAY;
	struct date date = date_from_days(days);

	buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", date.year, date.month, date.day,
		   (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
	if (fraction)
		buf_printf(out, ".%06d", (int)(fraction / 1000));
	buf_printf(out, "%c%02d:%02d", offset < 0 ? '-' : '+', (int)(east / 3600),
		   (int)(east / 60 % 60));
}

const char *instant_weekday(const struct zone *z, int64_t at)
{
	static const char *const names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	int64_t seconds = floor_div(at, NS_PER_S);

	return names[weekday_of(floor_div(seconds + zone_offset(z, seconds), SECONDS_A_DAY))];
}
