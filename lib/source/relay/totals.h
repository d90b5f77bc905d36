/*
 * What a relay counts, for the status and the log. A worker's stands in memory that all processes
 * share (place.h): it alone writes it, and whoever carries on in its place goes on from there.
 */
#ifndef EVWATCH_SOURCE_RELAY_TOTALS_H
#define EVWATCH_SOURCE_RELAY_TOTALS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct relay_config;

struct target_totals {
	uint64_t connections; /* that chose it and are not over */
	/* Since the start. */
	uint64_t chosen, failed; /* how often; failed: it could not be connected to */
	uint64_t to, from;       /* bytes, of connections that are over */
	atomic_ullong down;      /* as --check sees it; of workers the first one's is everybody's */
};

struct totals {
	uint64_t carried; /* now: connections, or sessions */
	/* Since the start. */
	uint64_t accepted, refused;
	struct target_totals targets[];
};

/* In bytes. */
size_t totals_size(const struct relay_config *c);

void totals_add(struct totals *sum, const struct totals *more, const struct relay_config *c);

/* The process that wrote it is over, and carries nothing. */
void totals_settle(struct totals *t, const struct relay_config *c);

/* Appends them as the member "relay" of a JSON object, with a comma before it. */
void totals_add_json(const struct totals *t, const struct relay_config *c, struct buf *out);

#endif
