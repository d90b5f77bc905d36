/* Private to net: a way for a listener to get its sockets. See listener.h. */
#ifndef EVWATCH_NET_LISTENER_UNIX_H
#define EVWATCH_NET_LISTENER_UNIX_H

#include "net/bound.h"

struct error;

/* All or nothing; -1 with `e`. */
int listener_open_unix(struct listener *l, const struct endpoint *ep, const struct listen_config *c,
		       struct error *e);

#endif
