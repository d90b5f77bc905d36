/*
 * Is that address, or that connection, one of our own? Whoever connects to itself gets its own
 * bytes back, and whoever answers itself answers for ever.
 */
#ifndef EVWATCH_NET_OWN_H
#define EVWATCH_NET_OWN_H

#include <stdbool.h>

struct address;
struct listener;

/*
 * Does this listener listen at the address, by itself or by a wildcard? Costs a comparison of ports
 * where they differ.
 */
bool listener_is_at(const struct listener *l, const struct address *a);

/*
 * Is this socket, connected to `to`, its own other end? Such a connection is reset when it is
 * closed, so that it does not keep the port.
 */
bool socket_is_own_peer(int fd, const struct address *to);

#endif
