/* Private to net: listening on the internet and vsock families. See listener.h. */
#ifndef EVWATCH_NET_LISTENER_IP_H
#define EVWATCH_NET_LISTENER_IP_H

#include "net/bound.h"

struct error;

/* Each: all or nothing; -1 with `e`. */
int listener_open_ip(struct listener *l, const struct endpoint *ep, const struct listen_config *c,
		     struct error *e);
int listener_open_vsock(struct listener *l, const struct endpoint *ep,
			const struct listen_config *c, struct error *e);

#endif
