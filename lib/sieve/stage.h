/* The stages of a sieve, a file each. Private to lib/sieve. */
#ifndef EVWATCH_SIEVE_STAGE_H
#define EVWATCH_SIEVE_STAGE_H

#include "sieve/sieve.h"
#include "sieve/subjects.h"

struct event;

/* --times N/DUR: passes an event when its subject came N times within DUR; then it counts anew. */
bool times_admits(struct subjects *s, const struct sieve_config *c, const struct event *event,
		  int64_t now);

/* --unique DUR: passes an event unless one of its subject has passed less than DUR ago. */
bool unique_admits(struct subjects *s, const struct sieve_config *c, const struct event *event,
		   int64_t now);

#endif
