/* --unique: see stage.h. */
#include "sieve/stage.h"

bool unique_admits(struct subjects *s, const struct sieve_config *c, const struct event *event,
		   int64_t now)
{
	struct subject *subject = subjects_see(s, event, c->by ? c->by : 1, now);

	if (!subject) /* better twice than never */
		return true;
	if (subject->passed && now - subject->passed < c->unique)
		return false;
	subject->passed = now;
	return true;
}
