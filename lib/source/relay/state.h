/*
 * relay: what its files share.
 *
 * config.h has what the rule says, report.h what is logged, dump.h --dump, relaying.h the life of
 * a client. The three carriers (carrier.h) stand above these: stream/ for connections, udp/ for
 * datagrams, workers/ for several processes. relay.c is the kind.
 */
#ifndef EVWATCH_SOURCE_RELAY_STATE_H
#define EVWATCH_SOURCE_RELAY_STATE_H

#include "address/cidr.h"
#include "address/proxy_header.h"
#include "base/list.h"
#include "net/bound.h"
#include "reactor/reactor.h"
#include "source/relay/carrier.h"
#include "source/relay/config.h"
#include "source/relay/dump.h"
#include "source/relay/totals.h"
#include "source/source.h"

struct relay_source;
struct worker_place;

struct relay_source {
	struct source base;
	const struct carrier *carrier;
	void *carried; /* owned; the carrier's own struct; NULL: it is not open */
	struct listener listener;
	struct resolver *resolver;
	struct pool targets;
	char greeting[PROXY_HEADER_ROOM]; /* of a check, with --proxy send */
	struct search search;
	struct peer_table peers;
	struct totals *totals; /* owned, but a worker's; the loop's process adds its workers' up */
	struct dump dump;
	struct timer drain; /* --drain, once it is stopped */
	bool logged_header; /* that one is wrong, since one was right */
	bool stopped, ended;
	struct worker_place *place; /* of a worker; NULL: it is none */
};

static inline const struct relay_config *relay_config(const struct relay_source *s)
{
	return s->base.config;
}

/* There may be room for more than before, or less. */
static inline void relay_review(struct relay_source *s)
{
	if (s->carried && s->carrier->review)
		s->carrier->review(s);
}

#endif
