/*
 * --rate: one token bucket each direction of a connection. What may not be read yet stays in the
 * kernel, whose window then tells the sender to wait; nothing is read to be kept.
 */
#include "source/relay/stream/limit.h"

#include <stdlib.h>

static uint64_t rate_of(const struct pair *p)
{
	return pair_config(p)->rate;
}

static int64_t now(const struct pair *p)
{
	return reactor_now(pair_reactor(p), CLOCK_OF_LOOP);
}

struct end *limit_end(const struct limit *l)
{
	return &l->pair->ends[l - l->pair->limits];
}

int limits_open(struct pair *p, timer_call *again)
{
	if (!rate_of(p))
		return 0;
	p->limits = calloc(2, sizeof *p->limits);
	if (!p->limits)
		return -1;
	for (int i = CLIENT; i <= TARGET; i++) {
		p->limits[i].pair = p;
		timer_init(&p->limits[i].again, CLOCK_OF_LOOP, again);
	}
	return 0;
}

void limits_close(struct pair *p)
{
	for (int i = CLIENT; p->limits && i <= TARGET; i++)
		timer_stop(pair_reactor(p), &p->limits[i].again);
	free(p->limits);
	p->limits = NULL;
}

size_t limit_allows(const struct pair *p, const struct end *from, size_t most)
{
	uint64_t n;

	if (!p->limits)
		return most;
	n = bucket_allows(&p->limits[from - p->ends].bucket, rate_of(p), now(p));
	return n < most ? (size_t)n : most;
}

void limit_take(struct pair *p, const struct end *from, size_t bytes)
{
	if (p->limits)
		bucket_take(&p->limits[from - p->ends].bucket, rate_of(p), now(p), bytes);
}

bool limit_holds(struct pair *p, const struct end *from)
{
	struct limit *l;
	int64_t wait;

	if (!p->limits)
		return false;
	l = &p->limits[from - p->ends];
	wait = bucket_wait(&l->bucket, rate_of(p), now(p));
	/* Without a timer it is looked at at once: rather too fast than never. */
	return wait > 0 && timer_start_in(pair_reactor(p), &l->again, wait) == 0;
}
