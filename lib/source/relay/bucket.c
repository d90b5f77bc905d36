/* See bucket.h. */
#include "source/relay/bucket.h"

#include "base/units.h"

/* What goes beyond is as good as no limit, and would overflow. */
#define RATE_MOST (UINT64_C(1) << 36)

static uint64_t limited(uint64_t rate)
{
	return rate < RATE_MOST ? rate : RATE_MOST;
}

/* What `bytes` cost, in time. Rounded up, so that many small ones do not come for nothing. */
static int64_t price(uint64_t rate, uint64_t bytes)
{
	uint64_t whole = bytes / rate, rest = bytes % rate;

	return (int64_t)(whole * NS_PER_S + (rest * NS_PER_S + rate - 1) / rate);
}

/* A tenth of a second; where that is less than one byte, one byte. */
static int64_t burst(uint64_t rate)
{
	int64_t one = price(rate, 1);

	return one > NS_PER_S / 10 ? one : NS_PER_S / 10;
}

static int64_t room(const struct bucket *b, uint64_t rate, int64_t now)
{
	int64_t owed = b->paid_until > now ? b->paid_until - now : 0;

	return burst(rate) - owed;
}

uint64_t bucket_allows(const struct bucket *b, uint64_t rate, int64_t now)
{
	int64_t left;

	rate = limited(rate);
	left = room(b, rate, now);
	return left > 0 ? (uint64_t)left * rate / NS_PER_S : 0;
}

void bucket_take(struct bucket *b, uint64_t rate, int64_t now, uint64_t bytes)
{
	if (b->paid_until < now)
		b->paid_until = now;
	b->paid_until += price(limited(rate), bytes);
}

int64_t bucket_wait(const struct bucket *b, uint64_t rate, int64_t now)
{
	int64_t half, one, left;

	rate = limited(rate);
	half = burst(rate) / 2;
	one = price(rate, 1);
	left = room(b, rate, now);
	if (half < one)
		half = one;
	return left < half ? half - left : 0;
}
