/*
 * Reading calendar events: where the reader stands, and the lists that dates and times are made of,
 * each START[..STOP][/STEP]. Private to lib/calendar.
 */
#ifndef EVWATCH_CALENDAR_EVENT_LIST_H
#define EVWATCH_CALENDAR_EVENT_LIST_H

#include "calendar/spec.h"

enum { US = 1000000 }; /* seconds are read in microseconds */

/* A list as it was read. No items and `any`: the `*`. */
struct list {
	struct spans spans; /* stop -1: none was given */
	bool any, stepped;
	const char *start;
};

struct reader {
	const char *text; /* as the user wrote it */
	const char *at, *end;
	struct error *e;
	struct calendar *c;
};

#define FAULT(r, at, ...) calendar_fault((r)->e, (r)->text, (at), __VA_ARGS__)

static inline char peek(const struct reader *r, size_t ahead)
{
	return (size_t)(r->end - r->at) > ahead ? r->at[ahead] : '\0';
}

static inline void blanks_skip(struct reader *r)
{
	while (peek(r, 0) == ' ')
		r->at++;
}

/* Says what is wanted where the reader stands. Returns -1. */
int event_unexpected(struct reader *r, const char *wanted);

/* Reads a list, of seconds in microseconds. Returns 0, or -1 with the error filled. */
int event_list_read(struct reader *r, bool seconds, struct list *list);

void event_list_free(struct list *list);

/*
 * Checks a list against what its field may hold, and completes it: an open end becomes `most`.
 * From the end of a month (`from_end`) a start more than 28 days back would not always be there.
 */
int event_list_check(struct reader *r, struct list *list, const char *what, int64_t least,
		     int64_t most, bool from_end);

/* The numbers of a checked list as bits. */
uint64_t event_list_bits(const struct list *list, int least, int most);

/* Days counted from the end: the list runs upwards through the month, so down in these numbers. */
uint32_t event_list_bits_from_end(const struct list *list);

#endif
