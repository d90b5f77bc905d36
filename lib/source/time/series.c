/*
 * See time.h. Plain periods are reckoned on a clock that never steps: on the boot clock, which runs
 * on while the machine sleeps, and below a second on the loop's own, which costs no system call a
 * tick. Everything with a calendar is on the wall clock.
 */
#include "source/time/time.h"

#include "base/units.h"

enum clock series_clock(const struct time_config *c)
{
	if (c->calendar)
		return CLOCK_OF_WALL;
	return c->period >= NS_PER_S ? CLOCK_OF_BOOT : CLOCK_OF_LOOP;
}

static bool period_next(const struct time_config *c, int64_t start, int64_t after, int64_t *due)
{
	int64_t k = after < start ? 1 : (after - start) / (c->period ? c->period : 1) + 1, span;

	if (c->once && after >= start && (after - start >= c->period))
		return false;
	return !__builtin_mul_overflow(c->once ? 1 : k, c->period, &span) &&
	       !__builtin_add_overflow(start, span, due) && *due < INT64_MAX - 2;
}

bool series_next(const struct time_config *c, int64_t start, int64_t after,
		 struct calendar_time *due)
{
	struct calendar_policy policy = {c->gap, c->fold};

	due->mark = MARK_NONE;
	if (!c->calendar)
		return period_next(c, start, after, &due->at);
	if (calendar_is_reboot(c->calendar)) {
		due->at = start;
		return after < start;
	}
	if (!calendar_next(c->calendar, c->zone, &policy, after, due))
		return false;
	/* A one-shot has only its first time. */
	if (c->once && after >= start) {
		struct calendar_time first;

		return calendar_next(c->calendar, c->zone, &policy, start, &first) &&
		       first.at == due->at;
	}
	return true;
}

int64_t series_count(const struct time_config *c, int64_t start, int64_t after, int64_t until,
		     int64_t *last)
{
	struct calendar_time t = {.at = after};
	int64_t n = 0;

	if (!c->calendar && !c->once) {
		int64_t before = after < start ? 0 : (after - start) / c->period;

		n = until < start ? 0 : (until - start) / c->period;
		*last = start + n * c->period;
		return n > before ? n - before : 0;
	}
	while (n < SERIES_COUNTED && series_next(c, start, t.at, &t) && t.at <= until) {
		*last = t.at;
		n++;
	}
	return n;
}

/* Does (from, until] hold more than `most` due times? */
static bool more_than(const struct time_config *c, int64_t start, int64_t from, int64_t until,
		      int64_t most)
{
	struct calendar_time t = {.at = from};
	int64_t n = 0;

	while (n <= most && series_next(c, start, t.at, &t) && t.at <= until)
		n++;
	return n > most;
}

int64_t series_tail(const struct time_config *c, int64_t start, int64_t after, int64_t until,
		    int64_t most)
{
	int64_t before = after, from = until, span = NS_PER_S;

	if (!more_than(c, start, after, until, most))
		return after;
	/* Twice as far back each time, then the border between `before` and `from` by halves. */
	while (until - span > after && !more_than(c, start, until - span, until, most)) {
		from = until - span;
		span *= 2;
	}
	before = until - span > after ? until - span : after;
	while (from - before > 1) {
		int64_t middle = before + (from - before) / 2;

		if (more_than(c, start, middle, until, most))
			before = middle;
		else
			from = middle;
	}
	return from;
}
