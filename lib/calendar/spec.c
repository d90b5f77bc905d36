/* See spec.h: making, settling and freeing expressions. */
#include "calendar/spec.h"

#include "base/array.h"
#include "base/error.h"
#include "calendar/civil.h"
#include "calendar/solve.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct calendar *calendar_new(void)
{
	struct calendar *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->seconds = c->minutes = bits_range(0, 59, 1);
	c->hours = (uint32_t)bits_range(0, 23, 1);
	c->days = (uint32_t)bits_range(1, 31, 1);
	c->months = (uint32_t)bits_range(1, 12, 1);
	c->weekdays = 0x7f;
	return c;
}

void calendar_free(struct calendar *c)
{
	if (!c)
		return;
	free(c->years.items);
	free(c->fractions.items);
	free(c->zone);
	free(c);
}

void calendar_settle(struct calendar *c)
{
	for (int type = 0; type < 14; type++)
		for (int month = 1; month <= 12; month++)
			if (c->months >> month & 1 && month_days(c, month, type % 7, type >= 7)) {
				c->year_types |= (uint16_t)(1 << type);
				break;
			}
}

struct calendar *calendar_multiples(int64_t step)
{
	struct calendar *c = calendar_new();

	if (c)
		c->multiple = step;
	return c;
}

struct calendar *calendar_moment(int64_t local_seconds)
{
	struct calendar *c = calendar_new();

	if (!c)
		return NULL;
	c->fixed = c->wall = true;
	c->moment = local_seconds;
	return c;
}

struct calendar *calendar_instant(int64_t seconds)
{
	struct calendar *c = calendar_new();

	if (!c)
		return NULL;
	c->fixed = c->utc = true;
	c->moment = seconds;
	return c;
}

struct calendar *calendar_daily(int second_of_day)
{
	struct calendar *c = calendar_new();

	if (!c)
		return NULL;
	c->wall = true;
	c->hours = UINT32_C(1) << (second_of_day / 3600);
	c->minutes = UINT64_C(1) << (second_of_day / 60 % 60);
	c->seconds = UINT64_C(1) << (second_of_day % 60);
	calendar_settle(c);
	return c;
}

const char *calendar_zone(const struct calendar *c)
{
	return c->zone;
}

bool calendar_is_reboot(const struct calendar *c)
{
	return c->reboot;
}

int spans_add(struct spans *s, int64_t start, int64_t stop, int64_t step)
{
	if (ARRAY_GROW(s->items, s->capacity, s->count + 1) < 0)
		return -1;
	s->items[s->count++] = (struct span){start, stop, step};
	return 0;
}

int calendar_fault(struct error *e, const char *text, const char *at, const char *format, ...)
{
	char what[sizeof e->what];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof what, format, ap);
	va_end(ap);
	error_set(e, "%s", what);
	return error_at(e, 0, (int)(at - text));
}
