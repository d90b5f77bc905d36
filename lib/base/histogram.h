/*
 * A histogram of durations: how long most of them are, in constant memory, to within a fifth.
 * Each power of two of nanoseconds has four buckets.
 */
#ifndef EVWATCH_BASE_HISTOGRAM_H
#define EVWATCH_BASE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 64 * 4 };

struct histogram {
	uint64_t count;
	uint32_t buckets[HISTOGRAM_BUCKETS]; /* halved altogether before one would overflow */
};

void histogram_add(struct histogram *h, int64_t ns);

/* The duration (ns) that `percent` of them do not exceed; -1: there is none. */
int64_t histogram_percentile(const struct histogram *h, int percent);

#endif
