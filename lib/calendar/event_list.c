/*
 * See event_list.h. What systemd refuses is refused: a range must run upwards, and a step must fit
 * into what it repeats over.
 */
#include "calendar/event_list.h"

#include "base/error.h"

#include <ctype.h>
#include <stdlib.h>

/* A whole word that means nothing here; behind a blank it may be a time zone. */
static int word_unexpected(struct reader *r)
{
	const char *end = r->at;

	while (end < r->end && !isspace((unsigned char)*end))
		end++;
	return FAULT(r, r->at, "\"%.*s\" is not understood", (int)(end - r->at), r->at);
}

int event_unexpected(struct reader *r, const char *wanted)
{
	if (r->at >= r->end)
		return FAULT(r, r->at, "%s is missing at the end", wanted);
	if (!isprint((unsigned char)*r->at))
		return FAULT(r, r->at, "%s is expected here", wanted);
	if (isalpha((unsigned char)*r->at))
		return word_unexpected(r);
	return FAULT(r, r->at, "%s is expected here, not \"%c\"", wanted, *r->at);
}

/* The digits behind a decimal point, in microseconds, the seventh rounded. */
static int64_t fraction_read(struct reader *r)
{
	int64_t value = 0, unit = US;
	int digits = 0;

	for (; isdigit((unsigned char)peek(r, 0)); r->at++, digits++) {
		if (digits < 6)
			value += (unit /= 10) * (*r->at - '0');
		else if (digits == 6 && *r->at >= '5')
			value++;
	}
	return value;
}

static int number_read(struct reader *r, bool seconds, int64_t *value)
{
	if (!isdigit((unsigned char)peek(r, 0)))
		return event_unexpected(r, "a number");
	for (*value = 0; isdigit((unsigned char)peek(r, 0)); r->at++) {
		*value = *value * 10 + (*r->at - '0');
		if (*value > 1000000)
			return FAULT(r, r->at, "this number is too large");
	}
	if (!seconds)
		return 0;
	*value *= US;
	if (peek(r, 0) == '.' && peek(r, 1) != '.') {
		r->at++;
		if (!isdigit((unsigned char)peek(r, 0)))
			return event_unexpected(r, "a digit");
		*value += fraction_read(r);
	}
	return 0;
}

static int component_read(struct reader *r, bool seconds, struct list *list)
{
	int64_t start = 0, stop = -1, step = 0, unit = seconds ? US : 1;

	if (number_read(r, seconds, &start) < 0)
		return -1;
	if (peek(r, 0) == '.' && peek(r, 1) == '.') {
		const char *at = r->at;

		r->at += 2;
		if (number_read(r, seconds, &stop) < 0)
			return -1;
		step = unit;
		if (stop < start)
			return FAULT(r, at, "this range runs backwards");
	}
	if (peek(r, 0) == '/') {
		const char *at = ++r->at;

		if (number_read(r, seconds, &step) < 0)
			return -1;
		if (step == 0)
			return FAULT(r, at, "a step of 0 goes nowhere");
		list->stepped = true;
	} else if (seconds && stop >= 0 && start + unit > stop) {
		return FAULT(r, r->at, "a range of seconds has to hold one more second");
	}
	/* A range ends with the last number that its steps reach; it may be the first. */
	if (stop >= 0)
		stop -= (stop - start) % step;
	if (stop == start) {
		stop = -1;
		step = 0;
	}
	return spans_add(&list->spans, start, stop, step) < 0 ? error_errno(r->e, "out of memory")
							      : 0;
}

int event_list_read(struct reader *r, bool seconds, struct list *list)
{
	list->start = r->at;
	if (peek(r, 0) == '*') {
		r->at++;
		list->any = true;
		return 0;
	}
	do {
		if (list->spans.count && r->at++ == r->end)
			return -1;
		if (list->spans.count > 240)
			return FAULT(r, r->at, "this list is too long");
		if (component_read(r, seconds, list) < 0)
			return -1;
	} while (peek(r, 0) == ',');
	return 0;
}

void event_list_free(struct list *list)
{
	free(list->spans.items);
	*list = (struct list){0};
}

/* Seconds are in microseconds here: the number would mean nothing to the user. */
static int out_of_range(struct reader *r, const struct list *list, const struct span *s,
			const char *what, int64_t least, int64_t most)
{
	int64_t value = s->start < least || s->start > most ? s->start : s->stop;

	if (most >= US)
		return FAULT(r, list->start, "the %s is out of range", what);
	return FAULT(r, list->start, "%s %lld is out of range %lld to %lld", what, (long long)value,
		     (long long)least, (long long)most);
}

int event_list_check(struct reader *r, struct list *list, const char *what, int64_t least,
		     int64_t most, bool from_end)
{
	int64_t last = from_end ? most - 3 : most;

	for (size_t i = 0; i < list->spans.count; i++) {
		struct span *s = &list->spans.items[i];
		bool open = s->stop < 0;
		int64_t reach = from_end && open ? s->start - s->step : s->start + s->step;

		if (s->start < least || s->start > last || s->stop > last ||
		    (!open && s->stop < least))
			return out_of_range(r, list, s, what, least, last);
		if (s->step > last - least ||
		    (open ? reach > last || reach < least : reach > s->stop))
			return FAULT(r, list->start, "the step or range of the %s reaches nothing",
				     what);
		if (open && s->step)
			s->stop = from_end ? 1 : most;
		else if (open)
			s->stop = s->start;
	}
	return 0;
}

uint64_t event_list_bits(const struct list *list, int least, int most)
{
	uint64_t bits = 0;

	if (list->any)
		return bits_range(least, most, 1);
	for (size_t i = 0; i < list->spans.count; i++) {
		const struct span *s = &list->spans.items[i];

		bits |= bits_range((int)s->start, (int)s->stop, s->step ? (int)s->step : 1);
	}
	return bits;
}

uint32_t event_list_bits_from_end(const struct list *list)
{
	uint32_t bits = 0;

	if (list->any)
		return (uint32_t)bits_range(1, 31, 1);
	for (size_t i = 0; i < list->spans.count; i++) {
		const struct span *s = &list->spans.items[i];
		int64_t high = s->start > s->stop ? s->start : s->stop;
		int64_t low = s->start > s->stop ? s->stop : s->start;

		for (int64_t k = high; k >= low; k -= s->step ? s->step : 1)
			bits |= UINT32_C(1) << k;
	}
	return bits;
}
