/*
 * The health of an endpoint: it is looked at now and then, and what changes is told. A stream is up
 * when it can be connected to.
 *
 * A datagram socket that is connected to a closed port is told by ICMP, when that is let through:
 * UDP counts as up when a datagram could be sent and nobody refused it within the timeout.
 */
#ifndef EVWATCH_NET_HEALTH_H
#define EVWATCH_NET_HEALTH_H

#include "net/connect.h"
#include "net/resolver.h"
#include "reactor/reactor.h"

enum health_state { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

/* Outlives the health that is made of it. */
struct health_config {
	const struct endpoint *endpoint; /* a target: endpoint_check_target */
	int64_t interval, timeout;       /* ns, more than 0; a look waits for the one before */
	const struct address *from;      /* as of connect.h */
	uint64_t rise, fall;             /* so many answers in a row make it up, down; at least 1 */
	const void *greeting;            /* sent to a stream that took us; NULL: nothing */
	size_t greeting_length;
};

struct health;

/*
 * The state has changed; `why` it is down, or NULL. It may be stopped from inside. HEALTH_UNKNOWN:
 * for want of descriptors it cannot be looked at, which is told once and changes nothing.
 */
typedef void health_call(void *context, enum health_state state, const char *why);

struct health {
	enum health_state state; /* HEALTH_UNKNOWN until rise, or fall, answers have come */
	const struct health_config *config; /* private from here on */
	struct reactor *reactor;
	struct resolver *resolver;
	struct connector *connector;
	bool asking;           /* for its addresses */
	bool blind;            /* was told, and could not be looked at since */
	struct io_watcher udp; /* a datagram was sent: is it refused? */
	struct timer next, patience;
	enum health_state last; /* answer */
	uint64_t in_a_row;      /* such answers, while they differ from `state` */
	health_call *call;
	void *context;
};

/* Both reactor and resolver outlive it. `h->next.priority` may be set before start. */
void health_init(struct health *h, struct reactor *r, struct resolver *v,
		 const struct health_config *c, health_call *call, void *context);
/* The first look is in the next turn. Returns 0, or -1 with ENOMEM. */
int health_start(struct health *h);
/* Ends what is under way; may come twice, or without a start. */
void health_stop(struct health *h);

#endif
