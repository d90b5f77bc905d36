/*
 * Connecting without waiting: the addresses of a name race each other (RFC 8305, section 5). The
 * next one is tried when the one before failed, or a quarter of a second later; the first that
 * connects wins, and the others are closed.
 */
#ifndef EVWATCH_NET_CONNECT_H
#define EVWATCH_NET_CONNECT_H

#include "net/endpoint.h"
#include "reactor/reactor.h"

struct connector;

struct connect_config {
	int64_t timeout;            /* ns, for all of them */
	const struct address *from; /* of this machine; NULL: the kernel chooses */
};

/* `fd` is the callee's (non-blocking, close-on-exec), or -1 with `error`: an errno. */
typedef void connected_call(void *context, int fd, int error);

/*
 * Starts a race over at most RESOLVED_MOST addresses, v6 and v4 taking turns. The call comes later,
 * once. NULL with errno: ENOMEM.
 */
struct connector *connector_start(struct reactor *r, const struct address *addresses, int n,
				  const struct connect_config *config, connected_call *call,
				  void *context);

/* Ends a race whose call has not come. */
void connector_stop(struct connector *c);

/*
 * Connects where that takes no time: on this machine (127.0.0.0/8, ::1, Unix). Returns the socket,
 * as from a race; or -1: somewhere else, or it does not work, and a race will say why.
 */
int connect_at_once(const struct address *to, const struct address *from);

/*
 * Binds a socket that is to be connected to `to`; NULL, and what has no IP address, is left alone.
 * The port is chosen when it connects (IP_BIND_ADDRESS_NO_PORT, Linux 4.2), so that as many
 * connections are possible as without. Returns 0, or -1 with errno: EAFNOSUPPORT (IPv4 and IPv6 do
 * not mix), EADDRNOTAVAIL (no address of this machine).
 */
int source_bind(int fd, const struct address *to, const struct address *from);

#endif
