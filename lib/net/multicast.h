/* Joining the group of a multicast address (ip(7), IP_ADD_MEMBERSHIP; ipv6(7)). */
#ifndef EVWATCH_NET_MULTICAST_H
#define EVWATCH_NET_MULTICAST_H

#include <stdbool.h>
#include <stdint.h>

struct address;

/* 224.0.0.0/4 or ff00::/8? */
bool address_is_multicast(const struct address *a);

/*
 * Joins the group on the interface of this index; 0: on each one that takes it. Returns 0, or -1
 * with errno when none did.
 */
int multicast_join(int fd, const struct address *group, uint32_t interface);

#endif
