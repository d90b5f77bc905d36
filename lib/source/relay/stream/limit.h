/* --rate: one token bucket each direction of a connection. */
#ifndef EVWATCH_SOURCE_RELAY_STREAM_LIMIT_H
#define EVWATCH_SOURCE_RELAY_STREAM_LIMIT_H

#include "source/relay/stream/state.h"

/* `again` is the call of the timers: reading may go on (limit_end). Returns 0, or -1 with ENOMEM.
 */
int limits_open(struct pair *p, timer_call *again);
void limits_close(struct pair *p);
/* Whose timer is it? */
struct end *limit_end(const struct limit *l);
/* How much may be read from this end now: `most`, or less. */
size_t limit_allows(const struct pair *p, const struct end *from, size_t most);
/* So much was read. */
void limit_take(struct pair *p, const struct end *from, size_t bytes);
/* Is reading from this end to wait? Then the timer tells when it may go on. */
bool limit_holds(struct pair *p, const struct end *from);

#endif
