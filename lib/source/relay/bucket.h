/*
 * A token bucket: so many bytes a second, in bursts of at most a tenth of a second.
 *
 * It is one number: the time until which what was taken has been paid for. Pure: the caller tells
 * the time (ns, any clock that does not step) and the rate (bytes a second, at least 1).
 */
#ifndef EVWATCH_SOURCE_RELAY_BUCKET_H
#define EVWATCH_SOURCE_RELAY_BUCKET_H

#include <stdint.h>

/* Zeroed: full. */
struct bucket {
	int64_t paid_until;
};

/* How many bytes may be taken now. */
uint64_t bucket_allows(const struct bucket *b, uint64_t rate, int64_t now);

/* Takes them; more than it allows is a debt. */
void bucket_take(struct bucket *b, uint64_t rate, int64_t now, uint64_t bytes);

/* The time until it is worth looking again: half of a burst, at least one byte. 0: it is now. */
int64_t bucket_wait(const struct bucket *b, uint64_t rate, int64_t now);

#endif
