/* See own.h. */
#include "net/own.h"

#include "base/fd.h"
#include "net/bound.h"
#include "net/socket.h"

#include <string.h>
#include <sys/socket.h>

/* The same IP address, whatever the ports? */
static bool same_host(const struct address *a, const struct address *b)
{
	struct ip one = address_ip(a), other = address_ip(b);

	return one.size && memcmp(&one, &other, sizeof one) == 0;
}

/* An address of this machine is reached from itself: the kernel picks it as the source. */
static bool is_of_this_machine(const struct address *a)
{
	struct address from = {0};
	int fd;

	if (address_is_loopback(a) || address_is_wildcard(a))
		return true;
	fd = socket_new(a, SOCK_DGRAM);
	if (fd >= 0 && connect(fd, &a->any, a->length) == 0)
		from = socket_name(fd);
	fd_close(&fd);
	return same_host(&from, a);
}

/* `[::]:80` as a literal leaves IPv4 to others. */
static bool is_v6_only(int fd)
{
	return socket_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) > 0;
}

static bool is_at(const struct address *bound, int fd, const struct address *a)
{
	if (!address_is_ip(bound) || address_port(bound) != address_port(a))
		return false;
	if (same_host(bound, a))
		return true;
	if (bound->any.sa_family != a->any.sa_family &&
	    (bound->any.sa_family == AF_INET || is_v6_only(fd)))
		return false;
	return address_is_wildcard(bound) && is_of_this_machine(a);
}

static bool same_path(const struct address *a, const struct address *b)
{
	return a->any.sa_family == AF_UNIX && b->any.sa_family == AF_UNIX &&
	       a->length == b->length && memcmp(&a->un, &b->un, a->length) == 0;
}

bool listener_is_at(const struct listener *l, const struct address *a)
{
	struct address to = *a;

	address_unmap(&to);
	for (int i = 0; i < l->count; i++)
		if (address_is_ip(&to) ? is_at(&l->bound[i], l->fds[i], &to)
				       : same_path(&l->bound[i], &to))
			return true;
	return false;
}

bool socket_is_own_peer(int fd, const struct address *to)
{
	struct address from, other = *to;

	if (!address_is_ip(to))
		return false;
	from = socket_name(fd);
	address_unmap(&other);
	if (address_port(&from) != address_port(&other) || !same_host(&from, &other))
		return false;
	socket_reset_on_close(fd);
	return true;
}
