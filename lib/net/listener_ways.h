/* Private to net: the ways in which a listener gets its sockets. See listener.h. */
#ifndef EVWATCH_NET_LISTENER_WAYS_H
#define EVWATCH_NET_LISTENER_WAYS_H

#include "net/bound.h"

struct error;

/* Each: all or nothing; -1 with `e`. */
typedef int listener_way(struct listener *l, const struct endpoint *ep,
			 const struct listen_config *c, struct error *e);

listener_way listener_open_ip, listener_open_unix, listener_open_vsock, listener_open_inherited;

#endif
