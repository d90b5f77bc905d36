/* See restart.h. */
#include "source/restart.h"

#include "base/units.h"

#include <stddef.h>

const char *const restart_words[] = {"no", "failure", "always", NULL};
const char *const restart_said[] = {"", ", and again after a failure",
				    ", and again after each end"};

bool restart_is_wanted(enum restart how, int status)
{
	return how == RESTART_ALWAYS || (how == RESTART_FAILURE && status != 0);
}

int64_t restart_wait(int64_t *wait, int64_t ran, int64_t first, int64_t most)
{
	if (ran > most)
		*wait = 0;
	return backoff_next(wait, first, most);
}
