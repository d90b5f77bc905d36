/*
 * The systemd.time(7) dialect: [WEEKDAYS] [DATE] [TIME] [ZONE], or a shorthand with a zone.
 *
 * Whether the first list found belongs to a date or to a time shows only behind it.
 */
#include "calendar/event_list.h"

#include "base/array.h"
#include "base/error.h"
#include "calendar/civil.h"
#include "calendar/zone.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- dates ----------------------------------------------------------------------------------- */

/* 12 is 2012, 99 is 1999. */
static int64_t year_complete(int64_t year)
{
	return year < 0 || year > 99 ? year : year < 70 ? year + 2000 : year + 1900;
}

static int years_store(struct reader *r, struct list *list)
{
	for (size_t i = 0; i < list->spans.count; i++) {
		struct span *s = &list->spans.items[i];

		s->start = year_complete(s->start);
		s->stop = year_complete(s->stop);
	}
	if (event_list_check(r, list, "year", FIRST_YEAR, 2199, false) < 0)
		return -1;
	r->c->years = list->spans;
	list->spans = (struct spans){0};
	return 0;
}

static int month_day_store(struct reader *r, struct list *month, struct list *day, bool from_end)
{
	if (event_list_check(r, month, "month", 1, 12, false) < 0 ||
	    event_list_check(r, day, "day", 1, 31, from_end) < 0)
		return -1;
	r->c->months = (uint32_t)event_list_bits(month, 1, 12);
	r->c->days = from_end ? 0 : (uint32_t)event_list_bits(day, 1, 31);
	r->c->days_from_end = from_end ? event_list_bits_from_end(day) : 0;
	return 0;
}

/* `-` or `~` between the parts of a date. */
static int separator_read(struct reader *r, bool *from_end)
{
	char c = peek(r, 0);

	if (c != '-' && c != '~')
		return event_unexpected(r, "- or ~ in a date, or : in a time,");
	*from_end = c == '~';
	r->at++;
	return 0;
}

static bool part_ends(const struct reader *r)
{
	return r->at == r->end || *r->at == ' ';
}

/* Returns 0 when what stands here is a time, 1 when a date was read, -1. */
static int date_parts_read(struct reader *r, struct list parts[3])
{
	const char *start = r->at;
	bool from_end = false;

	if (event_list_read(r, false, &parts[0]) < 0)
		return -1;
	if (r->at == r->end || *r->at == ':') {
		r->at = start;
		return 0;
	}
	if (separator_read(r, &from_end) < 0 || event_list_read(r, false, &parts[1]) < 0)
		return -1;
	if (part_ends(r))
		return month_day_store(r, &parts[0], &parts[1], from_end) < 0 ? -1 : 1;
	if (from_end)
		return event_unexpected(r, "the end of the date");
	if (separator_read(r, &from_end) < 0 || event_list_read(r, false, &parts[2]) < 0)
		return -1;
	if (!part_ends(r))
		return event_unexpected(r, "the end of the date");
	if (years_store(r, &parts[0]) < 0)
		return -1;
	return month_day_store(r, &parts[1], &parts[2], from_end) < 0 ? -1 : 1;
}

/* @SECONDS: an instant, whatever the zone. */
static int instant_read(struct reader *r)
{
	const char *start = r->at++;
	int64_t value = 0;

	if (!isdigit((unsigned char)peek(r, 0)))
		return FAULT(r, start, "seconds since the epoch must follow the @");
	for (; isdigit((unsigned char)peek(r, 0)); r->at++)
		if ((value = value * 10 + (*r->at - '0')) > 7258118399) /* the end of 2199 */
			return FAULT(r, start, "this instant is out of range");
	r->c->fixed = r->c->utc = true;
	r->c->moment = value;
	return r->at == r->end ? 1 : event_unexpected(r, "the end");
}

static int date_read(struct reader *r)
{
	struct list parts[3] = {0};
	int result;

	if (r->at == r->end)
		return 0;
	if (*r->at == '@')
		return instant_read(r);
	result = date_parts_read(r, parts);
	for (int i = 0; i < 3; i++)
		event_list_free(&parts[i]);
	blanks_skip(r);
	return result;
}

/* ---- times ----------------------------------------------------------------------------------- */

static int seconds_store(struct reader *r, struct list *list)
{
	bool whole = true;

	/* From one second on a range has a step of its own; a shorter one would have none. */
	if (event_list_check(r, list, "second", 0, 60 * (int64_t)US - 1, false) < 0)
		return -1;
	for (size_t i = 0; i < list->spans.count; i++) {
		struct span *s = &list->spans.items[i];

		whole &= s->start % US == 0 && s->step % US == 0;
		s->start *= 1000;
		s->stop *= 1000;
		s->step *= 1000;
	}
	if (!whole) {
		r->c->fractions = list->spans;
		list->spans = (struct spans){0};
		return 0;
	}
	for (size_t i = 0; i < list->spans.count; i++) {
		struct span *s = &list->spans.items[i];

		s->start /= NS;
		s->stop /= NS;
		s->step /= NS;
	}
	r->c->seconds = event_list_bits(list, 0, 59);
	return 0;
}

static int time_parts_read(struct reader *r, struct list parts[3])
{
	if (event_list_read(r, false, &parts[0]) < 0)
		return -1;
	if (peek(r, 0) != ':')
		return event_unexpected(r, "a : in the time");
	r->at++;
	if (event_list_read(r, false, &parts[1]) < 0)
		return -1;
	r->c->seconds = 1;
	if (peek(r, 0) == ':') {
		r->at++;
		if (event_list_read(r, true, &parts[2]) < 0)
			return -1;
		r->c->seconds = bits_range(0, 59, 1);
	}
	if (peek(r, 0) == ' ' && isalpha((unsigned char)peek(r, 1)))
		return FAULT(r, r->at + 1, "there is no time zone \"%s\"", r->at + 1);
	if (r->at != r->end)
		return event_unexpected(r, "the end, or a zone,");
	if (event_list_check(r, &parts[0], "hour", 0, 23, false) < 0 ||
	    event_list_check(r, &parts[1], "minute", 0, 59, false) < 0 ||
	    (parts[2].spans.count && seconds_store(r, &parts[2]) < 0))
		return -1;
	r->c->hours = (uint32_t)event_list_bits(&parts[0], 0, 23);
	r->c->minutes = event_list_bits(&parts[1], 0, 59);
	r->c->wall = !parts[0].any && !parts[0].stepped && !parts[1].any && !parts[1].stepped;
	return 0;
}

static int time_read(struct reader *r)
{
	struct list parts[3] = {0};
	int result;

	if (r->at == r->end) {
		r->c->hours = 1;
		r->c->minutes = r->c->seconds = 1;
		r->c->wall = true;
		return 0;
	}
	result = time_parts_read(r, parts);
	for (int i = 0; i < 3; i++)
		event_list_free(&parts[i]);
	return result;
}

/* ---- weekdays -------------------------------------------------------------------------------- */

/* 0 (Monday) to 6, as weeks are counted here; -1 when none stands here. */
static int weekday_read(struct reader *r)
{
	static const char *const names[] = {"monday", "tuesday",  "wednesday", "thursday",
					    "friday", "saturday", "sunday"};
	size_t letters = 0;

	while (isalpha((unsigned char)peek(r, letters)))
		letters++;
	for (int i = 0; i < 7; i++)
		if ((letters == 3 || letters == strlen(names[i])) &&
		    strncasecmp(r->at, names[i], letters) == 0) {
			r->at += letters;
			return i;
		}
	return -1;
}

/* Monday is bit 0 here; the solver's bit 0 is Sunday. */
static uint8_t weekdays_turn(unsigned bits)
{
	return (uint8_t)((bits << 1 | bits >> 6) & 0x7f);
}

static int weekdays_read(struct reader *r)
{
	unsigned bits = 0;
	int from = -1;

	for (;;) {
		const char *start = r->at;
		bool ends_range = from >= 0;
		int day = weekday_read(r);

		if (day < 0 && !bits && from < 0)
			return 0; /* there are none */
		if (day < 0)
			return event_unexpected(r, "a weekday");
		if (from > day) {
			FAULT(r, start, "this range of weekdays runs backwards");
			return error_hint(r->e, "weeks begin with Monday here: Sat,Sun,Mon");
		}
		bits |= (unsigned)bits_range(from < 0 ? day : from, day, 1);
		from = -1;
		if (part_ends(r))
			break;
		if (*r->at == '-' || (peek(r, 0) == '.' && peek(r, 1) == '.')) {
			if (ends_range)
				return event_unexpected(r, "a comma or a blank");
			r->at += *r->at == '-' ? 1 : 2;
			from = day;
		} else if (*r->at == ',') {
			r->at++;
		} else {
			return event_unexpected(r, "a comma, .. or a blank");
		}
		if (part_ends(r)) {
			if (from >= 0)
				return event_unexpected(r, "a weekday");
			break;
		}
	}
	blanks_skip(r);
	r->c->weekdays = weekdays_turn(bits);
	return 0;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static const char *shorthand_find(const struct reader *r)
{
	static const struct {
		const char *word, *meaning;
	} words[] = {
	    {"minutely", "*-*-* *:*:00"},
	    {"hourly", "*-*-* *:00:00"},
	    {"daily", "*-*-* 00:00:00"},
	    {"weekly", "Mon *-*-* 00:00:00"},
	    {"monthly", "*-*-01 00:00:00"},
	    {"quarterly", "*-01,04,07,10-01 00:00:00"},
	    {"semiannually", "*-01,07-01 00:00:00"},
	    {"semi-annually", "*-01,07-01 00:00:00"},
	    {"biannually", "*-01,07-01 00:00:00"},
	    {"bi-annually", "*-01,07-01 00:00:00"},
	    {"yearly", "*-01-01 00:00:00"},
	    {"annually", "*-01-01 00:00:00"},
	    {"anually", "*-01-01 00:00:00"},
	};
	size_t length = (size_t)(r->end - r->at);

	for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
		if (strlen(words[i].word) == length &&
		    strncasecmp(words[i].word, r->at, length) == 0)
			return words[i].meaning;
	return NULL;
}

/* Takes a zone off the end. Returns 0 or -1. */
static int zone_take(struct reader *r)
{
	const char *blank = strrchr(r->text, ' ');

	if (!blank || !zone_exists(blank + 1))
		return 0;
	r->c->zone = strdup(blank + 1);
	r->end = blank;
	return r->c->zone ? 0 : error_errno(r->e, "out of memory");
}

static int event_read(struct reader *r)
{
	const char *meaning;
	int date;

	if (zone_take(r) < 0)
		return -1;
	meaning = shorthand_find(r);
	if (meaning) {
		r->text = r->at = meaning;
		r->end = meaning + strlen(meaning);
	}
	if (r->at == r->end)
		return FAULT(r, r->at, "a calendar expression is missing");
	if (weekdays_read(r) < 0)
		return -1;
	date = date_read(r);
	if (date < 0 || r->c->fixed)
		return date < 0 ? -1 : 0;
	return time_read(r);
}

struct calendar *calendar_parse_event(const char *text, struct error *e)
{
	struct reader r = {.text = text, .at = text, .end = text + strlen(text), .e = e};

	r.c = calendar_new();
	if (!r.c) {
		error_errno(e, "out of memory");
		return NULL;
	}
	if (event_read(&r) < 0) {
		if (!*e->hint && strstr(e->what, "time zone"))
			error_hint(e, "names are those of %s, as Europe/Berlin; UTC",
				   zone_directory());
		else if (!*e->hint && strncmp(text, "OnCalendar=", 11) == 0)
			error_hint(e, "leave OnCalendar= out");
		else if (!*e->hint && isalpha((unsigned char)*text))
			error_hint(e, "for example daily, 'Mon..Fri 09:00' or '*-*-01 06:00'");
		calendar_free(r.c);
		return NULL;
	}
	calendar_settle(r.c);
	return r.c;
}
