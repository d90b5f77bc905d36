/* See relaying.h. */
#include "source/relay/relaying.h"

#include "source/relay/report.h"

#include <errno.h>
#include <stdlib.h>

const char *relayed_admit(struct relay_source *s, const struct address *remote, struct peer **peer)
{
	uint64_t most = relay_config(s)->access.max_per_ip;

	*peer = NULL;
	if (!most || !address_is_ip(remote))
		return NULL;
	*peer = peer_enter(&s->peers, remote, most);
	if (*peer)
		return NULL;
	if (errno != EUSERS)
		return strerror(errno);
	return relay_config(s)->datagrams ? "too many sessions from this address (--max-per-ip)"
					  : "too many connections from this address (--max-per-ip)";
}

int relayed_open(struct relayed *c, struct relay_source *s, const struct address *remote)
{
	/* A Unix client's name, if it has one, is left out. */
	bool fits = remote->length <= sizeof c->remote;

	if (relay_config(s)->rate) {
		c->limits = calloc(1, sizeof *c->limits);
		if (!c->limits)
			return -1;
		c->limits->relayed = c;
	}
	c->source = s;
	c->number = s->totals->accepted;
	c->started = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	c->remote_length = fits ? (uint8_t)remote->length : sizeof remote->any.sa_family;
	memcpy(c->remote, &remote->storage, c->remote_length);
	list_init(&c->link);
	s->totals->carried++;
	return 0;
}

/* Has it a seeker, or is there memory for one? */
static bool can_seek(struct relayed *c)
{
	struct address remote = relayed_remote(c);

	if (!c->seeker)
		c->seeker =
		    seeker_new(&c->source->search, c, pool_hash_client(&remote), &c->target);
	return c->seeker;
}

int relayed_seek(struct relayed *c)
{
	c->state = RELAYED_SEEKING;
	if (!can_seek(c))
		return -1;
	seeker_start(c->seeker);
	return 0;
}

int relayed_seek_again(struct relayed *c, const char *why)
{
	if (!can_seek(c))
		return -1;
	c->state = RELAYED_SEEKING;
	seeker_again(c->seeker, why);
	return 0;
}

void relayed_serve(struct relayed *c)
{
	c->state = RELAYED_OPEN;
	if (!c->reported)
		report_event(c, false);
	c->reported = true;
}

/* ---- --rate and --dump ----------------------------------------------------------------------- */

static int64_t now(const struct relayed *c)
{
	return reactor_now(c->source->base.reactor, CLOCK_OF_LOOP);
}

uint64_t relayed_allows(const struct relayed *c, enum way way)
{
	if (!c->limits)
		return UINT64_MAX;
	return bucket_allows(&c->limits->buckets[way], relay_config(c->source)->rate, now(c));
}

int64_t relayed_wait(const struct relayed *c, enum way way)
{
	if (!c->limits)
		return 0;
	return bucket_wait(&c->limits->buckets[way], relay_config(c->source)->rate, now(c));
}

void relayed_account(struct relayed *c, enum way way, const void *bytes, size_t length)
{
	if (c->limits)
		bucket_take(&c->limits->buckets[way], relay_config(c->source)->rate, now(c),
			    length);
	if (c->source->dump.source)
		dump_add(&c->source->dump, c, way, bytes, length);
}

/* ---- the end --------------------------------------------------------------------------------- */

void relayed_close(struct relayed *c, const char *why)
{
	struct relay_source *s = c->source;

	seeker_free(c->seeker);
	if (c->state != RELAYED_NEW)
		report_over(c, why);
	if (c->reported)
		report_event(c, true);
	if (c->state == RELAYED_OPEN)
		pool_leave(&s->targets, c->target);
	if (c->limits)
		timer_stop(s->base.reactor, &c->limits->again);
	peer_leave(&s->peers, c->peer);
	list_remove(&c->link);
	s->totals->carried--;
	free(c->limits);
	free(c->header);
	free(c);
	if (s->carrier->over)
		s->carrier->over(s);
	report_ended(s);
}
