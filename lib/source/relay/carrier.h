/*
 * The three ways in which a relay carries: streams, datagrams, or several processes that do one or
 * the other. relay.c chooses one when the rule is opened and knows nothing else about it.
 */
#ifndef EVWATCH_SOURCE_RELAY_CARRIER_H
#define EVWATCH_SOURCE_RELAY_CARRIER_H

#include "pool/seeker.h"

struct error;
struct relay_source;

/* What says "NULL:" is optional. */
struct carrier {
	size_t size; /* of its own struct, s->carried: zeroed before open, freed after close */
	/* Sockets are there, and resolver and targets but for workers. -1 with `e`. */
	int (*open)(struct relay_source *s, struct error *e);
	void (*start)(struct relay_source *s);
	/* Takes nothing new; what there is may be carried to its end. */
	void (*stop)(struct relay_source *s);
	/* --drain is over: ends what is left. */
	void (*cut)(struct relay_source *s);
	/* Is anything carried yet? */
	bool (*busy)(const struct relay_source *s);
	/* Ends all at once. Also of one whose open failed. */
	void (*close)(struct relay_source *s);
	/* There may be room for more than before, or less: looks again. NULL: it never waits. */
	void (*review)(struct relay_source *s);
	/* Brings s->totals up to date. NULL: they always are. */
	void (*add_up)(const struct relay_source *s);

	/* For its clients, where it has any itself: one is over. NULL: nobody waits for it. */
	void (*over)(struct relay_source *s);
	/* In its search for a target each is a struct relayed. */
	struct search_calls seeking;
};

extern const struct carrier carrier_stream, carrier_udp, carrier_workers;

#endif
