/*
 * The cron dialect: five fields (minute, hour, day of month, month, day of week), six with seconds
 * first, seven with the year last, or one `@` word. What Vixie cron reads is read the same way; L,
 * W, #, ? and the year are Quartz's.
 */
#include "calendar/spec.h"

#include "base/array.h"
#include "base/error.h"
#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum field_id { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR, FIELDS };

struct field {
	const char *name;
	int least, most;
	const char *const *names; /* of least, least + 1, ... */
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
					  "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const struct field fields[FIELDS] = {
    {"second", 0, 59, NULL},
    {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},
    {"day of month", 1, 31, NULL},
    {"month", 1, 12, month_names},
    {"day of week", 0, 7, weekday_names},
    {"year", FIRST_YEAR, LAST_YEAR, NULL},
};

/* What a reader carries along. */
struct reader {
	const char *text, *at;
	struct error *e;
	struct calendar *c;
	enum field_id id;
	const struct field *field;
	uint64_t bits; /* what the field's items gave so far */
	bool star;     /* the field begins with * or ? */
	bool has_step; /* an item had a / */
};

#define FAULT(r, at, ...) calendar_fault((r)->e, (r)->text, (at), __VA_ARGS__)

static bool ends_item(char c)
{
	return c == '\0' || c == ',' || isspace((unsigned char)c);
}

static int explain_value(const struct reader *r)
{
	const struct field *f = r->field;
	int length = 0;

	while (!ends_item(r->at[length]))
		length++;
	if (!length)
		return FAULT(r, r->at, "a %s is missing here", f->name);
	if (!f->names)
		return FAULT(r, r->at, "\"%.*s\" is no %s: %d to %d", length, r->at, f->name,
			     f->least, f->most);
	return FAULT(r, r->at, "\"%.*s\" is no %s: %d to %d, %s to %s", length, r->at, f->name,
		     f->least, f->most, f->names[0], f->names[r->id == WEEKDAY ? 6 : 11]);
}

/* A number or a name at r->at; `named` says which. Returns 0 or -1. */
static int value_read(struct reader *r, int *value, bool *named)
{
	const struct field *f = r->field;
	const char *start = r->at;

	*named = false;
	for (int i = 0; f->names && f->names[i]; i++)
		if (strncasecmp(r->at, f->names[i], 3) == 0) {
			r->at += 3;
			if (isalpha((unsigned char)*r->at) && toupper((unsigned char)*r->at) != 'L')
				return FAULT(r, start, "names in a %s have three letters", f->name);
			*value = f->least + i;
			*named = true;
			return 0;
		}
	if (!isdigit((unsigned char)*r->at))
		return explain_value(r);
	for (*value = 0; isdigit((unsigned char)*r->at); r->at++)
		if ((*value = *value * 10 + (*r->at - '0')) > 9999)
			break;
	if (*value < f->least || *value > f->most)
		return FAULT(r, start, "%s %d is out of range %d to %d", f->name, *value, f->least,
			     f->most);
	return 0;
}

static int step_read(struct reader *r, int *step)
{
	const char *start = ++r->at;
	int most = r->field->most - r->field->least + 1;

	r->has_step = true;
	if (!isdigit((unsigned char)*start))
		return FAULT(r, start, "a number must follow the /");
	for (*step = 0; isdigit((unsigned char)*r->at); r->at++)
		if ((*step = *step * 10 + (*r->at - '0')) > 9999)
			break;
	if (*step < 1 || *step > most)
		return FAULT(r, start, "%s step %d is out of range 1 to %d", r->field->name, *step,
			     most);
	return 0;
}

/* 7 is Sunday as well. */
static int weekday_fold(int value)
{
	return value == 7 ? 0 : value;
}

/* Behind a value: L, W and # where they may stand. Returns 1 when one was read, 0, or -1. */
static int suffix_read(struct reader *r, const char *start, int value)
{
	struct calendar *c = r->c;
	char letter = (char)toupper((unsigned char)*r->at);

	if (r->id == DAY && letter == 'W') {
		c->days_nearest |= UINT32_C(1) << value;
	} else if (r->id == WEEKDAY && letter == 'L') {
		c->weekdays_last |= (uint8_t)(1 << weekday_fold(value));
	} else if (r->id == WEEKDAY && letter == '#') {
		r->at++;
		if (*r->at < '1' || *r->at > '5')
			return FAULT(r, r->at, "a number from 1 to 5 must follow the #");
		c->weekdays_nth[weekday_fold(value)] |= (uint8_t)(1 << (*r->at - '0'));
	} else if (letter == 'W' || letter == 'L' || letter == '#') {
		return FAULT(r, r->at, "%c has no meaning in a %s", letter, r->field->name);
	} else {
		return 0;
	}
	r->at++;
	if (!ends_item(*r->at))
		return FAULT(r, start, "L, W and # stand alone, without a range or step");
	return 1;
}

/* L and LW in a day of month. Returns 1 when one was read, 0, or -1. */
static int last_read(struct reader *r)
{
	const char *start = r->at;

	if (r->field->names && isalpha((unsigned char)start[0]) && isalpha((unsigned char)start[1]))
		return 0; /* a name */
	if (toupper((unsigned char)*r->at) != 'L')
		return 0;
	if (r->id == WEEKDAY)
		return FAULT(r, start, "L needs a day before it (5L: the last Friday)");
	if (r->id != DAY)
		return FAULT(r, start, "L has no meaning in a %s", r->field->name);
	r->at++;
	if (toupper((unsigned char)*r->at) == 'W') {
		r->at++;
		r->c->weekday_last_of_all = true;
	} else {
		r->c->days_from_end |= 1u << 1;
	}
	if (!ends_item(*r->at))
		return FAULT(r, r->at, "nothing can follow L here");
	return 1;
}

/* Adds from, from + step, ... to; a range of names may pass the end (FRI-MON). */
static int range_add(struct reader *r, int from, int to, int step)
{
	const struct field *f = r->field;
	int size = r->id == WEEKDAY ? 7 : f->most - f->least + 1;

	if (r->id == YEAR)
		return spans_add(&r->c->years, from, to, step) < 0
			   ? error_errno(r->e, "out of memory")
			   : 0;
	if (to < from)
		to += size;
	for (int value = from; value <= to; value += step)
		r->bits |= UINT64_C(1) << (f->least + (value - f->least) % size);
	return 0;
}

static int hint_two_ranges(struct reader *r, int from, int to)
{
	const struct field *f = r->field;
	char first[16], second[16];

	snprintf(first, sizeof first, from == f->most ? "%d" : "%d-%d", from, f->most);
	snprintf(second, sizeof second, to == f->least ? "%d" : "%d-%d", f->least, to);
	return error_hint(r->e, "write %s,%s", first, second);
}

/* The end of a range behind its `-`, checked against `from`. Returns 0 or -1. */
static int range_read(struct reader *r, const char *start, int from, bool from_named, int *to)
{
	bool named;

	r->at++;
	if (value_read(r, to, &named) < 0)
		return -1;
	if (*to >= from || (from_named && named))
		return 0;
	FAULT(r, start, "this range runs backwards");
	if (r->id == WEEKDAY)
		return error_hint(r->e, "with names it may pass the end of the week: FRI-MON");
	return hint_two_ranges(r, from, *to);
}

/* 5/15: some read it as from 5 on, crontab(5) has no such thing. */
static int lone_step(struct reader *r, int from)
{
	int digits = (int)strspn(r->at + 1, "0123456789");

	FAULT(r, r->at, "a step must follow * or a range");
	return error_hint(r->e, "from %d on: %d-%d/%.*s", from, from, r->field->most, digits,
			  r->at + 1);
}

static int item_read(struct reader *r)
{
	const char *start = r->at;
	int from = r->field->least, to = r->field->most, step = 1, found;
	bool star = *start == '*' || *start == '?', named = false;

	if (star) {
		r->at++;
	} else {
		found = last_read(r);
		if (found != 0)
			return found < 0 ? -1 : 0;
		if (value_read(r, &from, &named) < 0)
			return -1;
		found = suffix_read(r, start, from);
		if (found != 0)
			return found < 0 ? -1 : 0;
		to = from;
		if (*r->at == '-' && range_read(r, start, from, named, &to) < 0)
			return -1;
	}
	if (*r->at == '/') {
		if (!star && !memchr(start, '-', (size_t)(r->at - start)))
			return lone_step(r, from);
		if (step_read(r, &step) < 0)
			return -1;
	}
	if (!ends_item(*r->at))
		return FAULT(r, r->at, "\"%c\" is not expected here", *r->at);
	return range_add(r, from, to, step);
}

static int field_read(struct reader *r, enum field_id id)
{
	r->id = id;
	r->field = &fields[id];
	r->bits = 0;
	r->star = *r->at == '*' || *r->at == '?';
	r->has_step = false;
	for (;;) {
		if (item_read(r) < 0)
			return -1;
		if (*r->at != ',')
			return 0;
		r->at++;
	}
}

/* Puts what field_read found into its place. */
static void field_store(struct reader *r, bool *wall, bool *restricted)
{
	struct calendar *c = r->c;

	switch (r->id) {
	case SECOND:
		c->seconds = r->bits;
		break;
	case MINUTE:
		c->minutes = r->bits;
		break;
	case HOUR:
		c->hours = (uint32_t)r->bits;
		break;
	case DAY:
		c->days = (uint32_t)r->bits;
		break;
	case MONTH:
		c->months = (uint32_t)r->bits;
		break;
	case WEEKDAY:
		c->weekdays = (uint8_t)((r->bits & 0x7f) | (r->bits >> 7 & 1));
		break;
	default:
		break; /* the years are in c->years */
	}
	if ((r->id == MINUTE || r->id == HOUR) && (r->has_step || r->star))
		*wall = false;
	/* crontab(5): the days are OR-ed only where neither field begins with a star. */
	if (r->id == DAY || r->id == WEEKDAY)
		restricted[r->id == WEEKDAY] = !r->star;
}

static int count_fields(const char *s)
{
	int n = 0;

	for (s += strspn(s, " \t"); *s; s += strspn(s, " \t")) {
		s += strcspn(s, " \t");
		n++;
	}
	return n;
}

/* Of more than five fields the last may be a command, as in a crontab. */
static int hint_command(struct reader *r)
{
	const char *last = strrchr(r->text, ' ');

	if (!last || !strpbrk(last, "./_"))
		return -1;
	return error_hint(r->e, "a command comes after the expression and \"--\"");
}

static int fields_read(struct reader *r)
{
	int n = count_fields(r->text);
	bool wall = true, restricted[2];

	if (n < 5 || n > 7) {
		FAULT(r, r->text + (n > 7 ? strlen(r->text) : 0),
		      "a cron expression has 5 to 7 fields, this one has %d", n);
		return error_hint(
		    r->e, "minute, hour, day of month, month, day of week: '15 3 * * *'; of six "
			  "fields the first is the second, of seven the last is the year");
	}
	r->c->seconds = 1;
	for (int id = n == 5 ? MINUTE : SECOND; id < (n == 7 ? FIELDS : YEAR); id++) {
		r->at += strspn(r->at, " \t");
		if (field_read(r, (enum field_id)id) < 0)
			return n > 5 && !*r->e->hint ? hint_command(r) : -1;
		field_store(r, &wall, restricted);
	}
	r->c->wall = wall;
	r->c->either = restricted[0] && restricted[1];
	return 0;
}

static int explain_word(struct reader *r)
{
	static const char *const words[] = {"@yearly", "@annually", "@monthly",
					    "@weekly", "@daily",    "@midnight",
					    "@hourly", "@reboot",   NULL};
	const char *near = nearest_word(r->at, words);

	FAULT(r, r->at, "there is no \"%s\"", r->at);
	if (near)
		return error_hint(r->e, "did you mean %s?", near);
	return error_hint(r->e,
			  "@hourly @daily @midnight @weekly @monthly @yearly @annually @reboot");
}

static int word_read(struct reader *r)
{
	static const struct {
		const char *word, *fields;
	} words[] = {
	    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
	    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
	    {"@hourly", "0 * * * *"},
	};
	size_t length = strcspn(r->at, " \t"), rest = strspn(r->at + length, " \t");

	if (r->at[length + rest] && strncmp(r->at, "@every", length) == 0) {
		FAULT(r, r->at, "there is no @every in a cron expression");
		return error_hint(r->e, "it is a kind: every %s", r->at + length + rest);
	}
	if (r->at[length + rest])
		return FAULT(r, r->at + length + rest, "nothing can follow an @ word");
	if (length == 7 && strncasecmp(r->at, "@reboot", 7) == 0) {
		r->c->reboot = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
		if (strlen(words[i].word) == length &&
		    strncasecmp(r->at, words[i].word, length) == 0) {
			r->text = r->at = words[i].fields;
			return fields_read(r);
		}
	return explain_word(r);
}

struct calendar *calendar_parse_cron(const char *text, struct error *e)
{
	struct reader r = {.text = text, .at = text + strspn(text, " \t"), .e = e};

	r.c = calendar_new();
	if (!r.c) {
		error_errno(e, "out of memory");
		return NULL;
	}
	if ((*r.at == '@' ? word_read(&r) : fields_read(&r)) < 0) {
		calendar_free(r.c);
		return NULL;
	}
	calendar_settle(r.c);
	return r.c;
}
