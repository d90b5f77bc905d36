/*
 * Connecting without waiting: the addresses of a name race each other (RFC 8305, section 5). The
 * next one is tried when the one before failed, or a quarter of a second later; the first that
 * connects wins, and the others are closed.
 *
 * Three answers of the kernel need a second look. A connection whose two ends are one address (the
 * kernel may pick the very port that is connected to) is a refusal, and so is one to a socket that
 * `own` listens on. EAGAIN of a Unix socket means that its backlog is full: the race waits for
 * room. A want of this machine (connect_is_short) says nothing about the peer.
 */
#ifndef EVWATCH_NET_CONNECT_H
#define EVWATCH_NET_CONNECT_H

#include "net/endpoint.h"
#include "reactor/reactor.h"

struct connector;

struct connect_config {
	int64_t timeout;            /* ns, for all of them */
	const struct address *from; /* of this machine; NULL: the kernel chooses */
	const struct listener *own; /* never connected to; NULL: nothing listens */
};

/* `fd` is the callee's (non-blocking, close-on-exec), or -1 with `error`: an errno. */
typedef void connected_call(void *context, int fd, int error);

/*
 * Starts a race over the addresses in this order; n at least 1. The call comes later, once. NULL
 * with errno: ENOMEM.
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
int connect_at_once(const struct address *to, const struct connect_config *config);

/*
 * A datagram socket connected to `to`. Returns it, or -1 with errno, as of a race: ECONNREFUSED for
 * a socket of `own`.
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
