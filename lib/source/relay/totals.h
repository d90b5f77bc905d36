/*
 * What a relay counts, for the status and the log. A worker's stands in memory that all processes
 * share (place.h): it alone writes it, and whoever carries on in its place goes on from there.
 */
#ifndef EVWATCH_SOURCE_RELAY_TOTALS_H
#define EVWATCH_SOURCE_RELAY_TOTALS_H

#include "pool/pool.h"

struct buf;
struct relay_config;

struct totals {
	uint64_t carried; /* now: connections, or sessions */
	/* Since the start. */
	uint64_t accepted, refused;
	struct pool_counts targets[];
};

/* In bytes. */
size_t totals_size(const struct relay_config *c);

void totals_add(struct totals *sum, const struct totals *more, const struct relay_config *c);

/* The process that wrote it is over, and carries nothing. */
void totals_settle(struct totals *t, const struct relay_config *c);

/* Appends them as the member "relay" of a JSON object, with a comma before it. */
void totals_add_json(const struct totals *t, const struct relay_config *c, struct buf *out);

#endif
