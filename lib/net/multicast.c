/* See multicast.h. */
#include "net/multicast.h"

#include "net/endpoint.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

bool address_is_multicast(const struct address *a)
{
	if (a->any.sa_family == AF_INET)
		return IN_MULTICAST(ntohl(a->v4.sin_addr.s_addr));
	return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_MULTICAST(&a->v6.sin6_addr);
}

static int join_on(int fd, const struct address *group, uint32_t interface)
{
	/* RFC 3678: one request for both families. */
	struct group_req request = {.gr_interface = interface};
	int level = group->any.sa_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;

	memcpy(&request.gr_group, &group->storage, group->length);
	return setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof request);
}

int multicast_join(int fd, const struct address *group, uint32_t interface)
{
	struct if_nameindex *all;
	int joined = 0, why = ENODEV;

	if (interface)
		return join_on(fd, group, interface);
	all = if_nameindex();
	for (struct if_nameindex *at = all; at && at->if_index; at++) {
		if (join_on(fd, group, at->if_index) == 0)
			joined++;
		else
			why = errno;
	}
	if (all)
		if_freenameindex(all);
	errno = why;
	return joined ? 0 : -1;
}
