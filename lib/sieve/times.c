/* --times: see stage.h. */
#include "sieve/stage.h"

#include "base/array.h"

#include <string.h>

/* Forgets the times that no window of `within` up to now holds. */
static void drop_old(struct subject *subject, int64_t now, int64_t within)
{
	size_t old = 0;

	while (old < subject->n_times && now - subject->times[old] > within)
		old++;
	subject->n_times -= old;
	memmove(subject->times, subject->times + old, subject->n_times * sizeof *subject->times);
}

bool times_admits(struct subjects *s, const struct sieve_config *c, const struct event *event,
		  int64_t now)
{
	struct subject *subject = subjects_see(s, event, c->by ? c->by : 1, now);

	if (!subject || ARRAY_GROW(subject->times, subject->capacity, subject->n_times + 1) < 0)
		return false;
	if (subject->n_times)
		drop_old(subject, now, c->times_within);
	subject->times[subject->n_times++] = now;
	if (subject->n_times < c->times)
		return false;
	subject->n_times = 0;
	return true;
}
