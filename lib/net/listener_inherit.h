/* Private to net: a way for a listener to get its sockets. See listener.h. */
#ifndef EVWATCH_NET_LISTENER_INHERIT_H
#define EVWATCH_NET_LISTENER_INHERIT_H

#include "net/bound.h"

struct error;

/* All or nothing; -1 with `e`. */
int listener_open_inherited(struct listener *l, const struct endpoint *ep,
			    const struct listen_config *c, struct error *e);

#endif
