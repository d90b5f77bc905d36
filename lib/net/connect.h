/*
 * Connecting to an endpoint without waiting: its name is resolved, then its addresses race each
 * other (RFC 8305, section 5). The next one is tried when the one before failed, or a quarter of a
 * second later; the first that connects wins, and the others are closed. A datagram socket stands
 * at once, and is refused later, if at all: then connector_again goes on from there.
 *
 * Three answers of the kernel need a second look. A connection whose two ends are one address (the
 * kernel may pick the very port that is connected to) is a refusal, and so is one to a socket that
 * `own` listens on. EAGAIN of a Unix socket means that its backlog is full: the race waits for
 * room. A want of this machine (connect_is_short) says nothing about the peer.
 */
#ifndef EVWATCH_NET_CONNECT_H
#define EVWATCH_NET_CONNECT_H

#include "net/resolver.h"
#include "reactor/reactor.h"

struct connect_config {
	int64_t timeout;            /* ns, for all of it */
	const struct address *from; /* of this machine; NULL: the kernel chooses; outlives it */
	const struct listener *own; /* never connected to; NULL: nothing listens; outlives it */
};

/*
 * `fd` is the callee's (non-blocking, close-on-exec); or -1, with `why` (static) and `error`: an
 * errno, or 0. The connector may be stopped and freed inside.
 */
typedef void connected_call(void *context, int fd, int error, const char *why);

/* Stands in its owner; zeroed, it was never started. */
struct connector {
	struct reactor *reactor; /* private */
	struct resolver *resolver;
	struct connect_config config;
	connected_call *call;
	void *context;
	struct attempt *attempts; /* owned: one an address */
	int n, next, under_way, error;
	int64_t backlog_wait;
	struct timer stagger, timeout;
	bool resolving, datagram;
};

/* Begins; the call comes once, at once perhaps. */
void connector_start(struct connector *c, struct reactor *r, struct resolver *v,
		     const struct endpoint *to, const struct connect_config *config,
		     connected_call *call, void *context);

/* Has the endpoint of the datagram socket that the call brought another address? */
bool connector_has_more(const struct connector *c);
/* That socket was refused: makes the call come once more, in a turn of its own. */
void connector_again(struct connector *c);

/* Ends what is under way; may come twice, or without a start. */
void connector_stop(struct connector *c);

/*
 * A datagram socket connected to `to`. Returns it, or -1 with errno, as of a connector:
 * ECONNREFUSED for a socket of `own`.
 */
int connect_datagram(const struct address *to, const struct connect_config *config);

/*
 * Is this errno a shortage of this machine? Descriptors (fd_is_short), memory, or, as EAGAIN, local
 * ports: EADDRNOTAVAIL is left for an address that this machine does not have.
 */
bool connect_is_short(int error);

/* The errno in words; static. */
const char *connect_error(int error);

#endif
