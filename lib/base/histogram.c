/* See histogram.h. */
#include "base/histogram.h"

/* The highest two bits below the leading one choose among the four buckets of a power of two. */
static unsigned bucket_of(uint64_t ns)
{
	unsigned power;

	if (ns < 4)
		return (unsigned)ns;
	power = 63 - (unsigned)__builtin_clzll(ns);
	return power * 4 + (unsigned)(ns >> (power - 2) & 3);
}

/* The middle of a bucket. */
static int64_t value_of(unsigned bucket)
{
	unsigned power = bucket / 4;
	uint64_t width;

	if (bucket < 8)
		return bucket;
	width = UINT64_C(1) << (power - 2);
	return (int64_t)((UINT64_C(4) + bucket % 4) * width + width / 2);
}

void histogram_add(struct histogram *h, int64_t ns)
{
	uint32_t *bucket = &h->buckets[bucket_of(ns > 0 ? (uint64_t)ns : 0)];

	if (*bucket == UINT32_MAX)
		for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
			h->buckets[i] /= 2;
	++*bucket;
	h->count++;
}

int64_t histogram_percentile(const struct histogram *h, int percent)
{
	uint64_t total = 0, wanted, below = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		total += h->buckets[i];
	wanted = (total * (unsigned)percent + 99) / 100;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS && total; i++) {
		below += h->buckets[i];
		if (below >= wanted && below)
			return value_of(i);
	}
	return -1;
}
