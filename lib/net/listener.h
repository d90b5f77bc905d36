/* Private to net: the three ways a listener gets its sockets. endpoint.h has the public face. */
#ifndef EVWATCH_NET_LISTENER_H
#define EVWATCH_NET_LISTENER_H

#include "net/endpoint.h"

/* A new socket for this address, not bound. Returns it, or -1 with errno. */
int listener_socket(const struct address *a, bool datagram);

/* Adds a descriptor that was bound; the listener owns it then. -1 with EMFILE: too many. */
int listener_add(struct listener *l, int fd, bool datagram);

/*
 * After a failure: waits a little and is true when it may go away by itself (EADDRINUSE), at most
 * for a second altogether. *tries begins with 0.
 */
bool listener_try_again(int *tries);

/*
 * Is this a Unix socket that nobody serves? Only a refused connection says so for sure; one whose
 * process is gone is looked at for up to a second.
 */
bool listener_is_dead(const struct address *a);

/* Each: all or nothing. */
int listener_open_unix(struct listener *l, const struct endpoint *ep, const struct listen_config *c,
		       struct error *e);
int listener_open_inherited(struct listener *l, const struct endpoint *ep,
			    const struct listen_config *c, struct error *e);

#endif
