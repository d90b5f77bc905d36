/*
 * The three ways in which a relay carries: streams, datagrams, or several processes that do one or
 * the other. relay.c chooses one when the rule is opened and knows nothing else about it.
 */
#ifndef EVWATCH_SOURCE_RELAY_CARRIER_H
#define EVWATCH_SOURCE_RELAY_CARRIER_H

#include <stdbool.h>

struct error;
struct relay_source;

struct carrier {
	/* Sockets, resolver and targets are there, but for workers, which open their own. -1 with
	 * `e`. */
	int (*open)(struct relay_source *s, struct error *e);
	void (*start)(struct relay_source *s);
	/* Takes nothing new; what there is gets --drain. Calls relay_check_ended when it is over.
	 */
	void (*stop)(struct relay_source *s);
	/* Is anything carried yet? */
	bool (*busy)(const struct relay_source *s);
	/* Ends all at once. Also of one that was not opened. */
	void (*close)(struct relay_source *s);
	/* There may be room for more than before, or less: looks again. NULL: it never waits. */
	void (*review)(struct relay_source *s);
	/* Brings s->totals up to date. NULL: they always are. */
	void (*add_up)(const struct relay_source *s);
};

extern const struct carrier carrier_stream, carrier_udp, carrier_workers;

#endif
