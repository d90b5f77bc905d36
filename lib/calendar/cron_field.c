/* See cron_field.h. */
#include "calendar/cron_field.h"

#include "base/error.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

static bool ends_item(char c)
{
	return c == '\0' || c == ',' || isspace((unsigned char)c);
}

static int explain_value(const struct cron_reader *r)
{
	const struct field *f = r->field;
	int length = 0;

	while (!ends_item(r->at[length]))
		length++;
	if (!length)
		return FAULT(r, r->at, "a %s is missing here", f->name);
	if (!f->names) {
		FAULT(r, r->at, "\"%.*s\" is no %s: %d to %d", length, r->at, f->name, f->least,
		      f->most);
		if (*r->at == 'H' || *r->at == '~')
			return error_hint(r->e, "write 0, with --fixed-jitter 1h");
		return -1;
	}
	return FAULT(r, r->at, "\"%.*s\" is no %s: %d to %d, %s to %s", length, r->at, f->name,
		     f->least, f->most, f->names[0], f->names[r->id == WEEKDAY ? 6 : 11]);
}

/* A number or a name at r->at; `named` says which. Returns 0 or -1. */
static int value_read(struct cron_reader *r, int *value, bool *named)
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

static int step_read(struct cron_reader *r, int *step)
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
static int suffix_read(struct cron_reader *r, const char *start, int value)
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
static int last_read(struct cron_reader *r)
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
static int range_add(struct cron_reader *r, int from, int to, int step)
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

static int hint_two_ranges(struct cron_reader *r, int from, int to)
{
	const struct field *f = r->field;
	char first[16], second[16];

	snprintf(first, sizeof first, from == f->most ? "%d" : "%d-%d", from, f->most);
	snprintf(second, sizeof second, to == f->least ? "%d" : "%d-%d", f->least, to);
	return error_hint(r->e, "write %s,%s", first, second);
}

/* The end of a range behind its `-`, checked against `from`. Returns 0 or -1. */
static int range_read(struct cron_reader *r, const char *start, int from, bool from_named, int *to)
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
static int lone_step(struct cron_reader *r, int from)
{
	int digits = (int)strspn(r->at + 1, "0123456789");

	FAULT(r, r->at, "a step must follow * or a range");
	return error_hint(r->e, "from %d on: %d-%d/%.*s", from, from, r->field->most, digits,
			  r->at + 1);
}

static int item_read(struct cron_reader *r)
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

int cron_field_read(struct cron_reader *r, enum field_id id)
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
