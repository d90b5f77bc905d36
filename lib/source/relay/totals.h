/*
 * What a relay has counted, as a row of plain numbers, for the status: first those of the relay,
 * then those of each target. Workers each have a row in memory that all share, written by its
 * worker alone after each turn of its loop.
 */
#ifndef EVWATCH_SOURCE_RELAY_TOTALS_H
#define EVWATCH_SOURCE_RELAY_TOTALS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct relay_source;

/* How many numbers its row has. */
size_t totals_length(const struct relay_source *s);

/* Of what this process carries. `row` has room for them. */
void totals_read(const struct relay_source *s, uint64_t *row);
/* The same, into a row that is shared. */
void totals_publish(const struct relay_source *s, atomic_ullong *row);

/* Does it say how many there are now, not how many there were? */
bool totals_is_gauge(size_t place);

/* Appends them as the member "relay" of a JSON object, with a comma before it. */
void totals_add_json(const struct relay_source *s, const uint64_t *row, struct buf *out);

#endif
