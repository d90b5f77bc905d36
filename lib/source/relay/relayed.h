/*
 * A client of a relay: what a connection (stream/) and a UDP session (udp/) have in common, and
 * what events, log and --dump report of both. Stands first in either; relaying.h is its life.
 */
#ifndef EVWATCH_SOURCE_RELAY_RELAYED_H
#define EVWATCH_SOURCE_RELAY_RELAYED_H

#include "address/proxy_header.h"
#include "base/list.h"
#include "reactor/reactor.h"
#include "source/relay/bucket.h"

#include <string.h>

struct peer;
struct relay_source;
struct seeker;

enum way { TO_TARGET, FROM_TARGET };

enum relayed_state { RELAYED_NEW, RELAYED_SEEKING, RELAYED_OPEN };

/*
 * --rate: a token bucket each way. What may not be read yet of a stream stays in the kernel, whose
 * window then tells the sender to wait; a datagram is lost.
 */
struct limits {
	struct bucket buckets[2];
	struct timer again; /* a stream may go on then */
	struct relayed *relayed;
};

/* Thousands may be idle: what only an option needs is allocated with that option. */
struct relayed {
	struct relay_source *source;
	struct link link;            /* among those of its carrier */
	struct seeker *seeker;       /* owned; NULL: there is no target left to seek */
	struct peer *peer;           /* of the count per address; NULL: it is not counted */
	struct limits *limits;       /* owned; NULL: as fast as it goes */
	struct proxy_header *header; /* owned: the real client; NULL: the peer itself */
	uint64_t number;             /* of those that were accepted; from 1 */
	uint64_t bytes[2];           /* that went each way */
	uint64_t lost;               /* datagrams */
	int64_t started;             /* on the loop's clock */
	uint32_t target;
	/* Its address, as short as it is: struct address has room for a Unix path. */
	unsigned char remote[sizeof(struct sockaddr_in6)];
	uint8_t remote_length;
	uint8_t state; /* enum relayed_state */
	bool reported; /* as open */
};

/* The address in its PROXY header, or its own. */
static inline struct address relayed_remote(const struct relayed *c)
{
	struct address a = {.length = c->remote_length};

	if (c->header)
		return c->header->source;
	memcpy(&a.storage, c->remote, c->remote_length);
	return a;
}

#endif
