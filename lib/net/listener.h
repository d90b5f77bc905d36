/* Opens the sockets of an endpoint that listens; what they are then is a set of bound.h. */
#ifndef EVWATCH_NET_LISTENER_H
#define EVWATCH_NET_LISTENER_H

#include "net/bound.h"

/*
 * Binds and listens (UDP: binds, and joins the group of a multicast address). All or nothing. `e`
 * says what and why and how to mend it: who holds the address, no permission below 1024, a live
 * socket or a file that is no socket in the way. Descriptors are non-blocking and close-on-exec,
 * streams keep their connections alive (SO_KEEPALIVE is inherited by what is accepted), datagram
 * sockets report which of our addresses was meant (IP_PKTINFO). Names are resolved here, blocking;
 * an address in use is waited for, a second at most, and a tentative one a few: only at start.
 */
int listener_open(struct listener *l, const struct endpoint *ep, const struct listen_config *c,
		  struct error *e);

/*
 * The same, but where `from` is not NULL, a listener of the same endpoint, its sockets are shared:
 * of a successor, so that no connection is refused in between. Neither may move in memory.
 */
int listener_open_from(struct listener *l, struct listener *from, const struct endpoint *ep,
		       const struct listen_config *c, struct error *e);

#endif
