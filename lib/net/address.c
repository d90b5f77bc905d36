/*
 * Addresses: from endpoints that need no resolver, and as text.
 *
 * A dual-stack socket tells IPv4 peers as ::ffff:1.2.3.4; everywhere here they count, and are
 * written, as the IPv4 addresses that they are.
 */
#include "net/endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define UNIX_PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

static void address_v4(struct address *a, const struct in_addr *ip, uint16_t port)
{
	memset(a, 0, sizeof *a);
	a->v4.sin_family = AF_INET;
	a->v4.sin_port = htons(port);
	a->v4.sin_addr = *ip;
	a->length = sizeof a->v4;
}

static void address_v6(struct address *a, const struct in6_addr *ip, uint16_t port)
{
	memset(a, 0, sizeof *a);
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons(port);
	a->v6.sin6_addr = *ip;
	a->length = sizeof a->v6;
}

/* The zone of a link-local address: an interface's name, or its number. */
static bool zone_read(const char *zone, uint32_t *index)
{
	char *end;
	unsigned long n;

	*index = if_nametoindex(zone);
	if (*index)
		return true;
	n = strtoul(zone, &end, 10);
	*index = (uint32_t)n;
	return *zone >= '0' && *zone <= '9' && !*end && n > 0 && n <= UINT32_MAX;
}

bool address_read(struct address *a, const char *text, size_t length)
{
	char plain[INET6_ADDRSTRLEN + IF_NAMESIZE], *zone;
	uint32_t interface = 0;
	struct in6_addr v6;
	struct in_addr v4;

	if (length > 2 && text[0] == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	if (length >= sizeof plain)
		return false;
	memcpy(plain, text, length);
	plain[length] = '\0';
	zone = strchr(plain, '%');
	if (zone)
		*zone++ = '\0';
	if (inet_pton(AF_INET, plain, &v4) == 1)
		address_v4(a, &v4, 0);
	else if (inet_pton(AF_INET6, plain, &v6) == 1)
		address_v6(a, &v6, 0);
	else
		return false;
	if (!zone)
		return true;
	if (!zone_read(zone, &interface))
		return false;
	/* That of an IPv4 group is no part of the address (endpoint_interface). */
	if (a->any.sa_family == AF_INET)
		return address_is_multicast(a);
	a->v6.sin6_scope_id = interface;
	return true;
}

uint32_t endpoint_interface(const struct endpoint *ep)
{
	const char *percent = ep->host ? strchr(ep->host, '%') : NULL;
	uint32_t index = 0;

	return percent && zone_read(percent + 1, &index) ? index : 0;
}

static int internet_addresses(const struct endpoint *ep, struct address *out, int room)
{
	struct in_addr ip = {htonl(INADDR_LOOPBACK)};

	if (ep->host && strcmp(ep->host, "*") == 0) {
		address_v6(out, &in6addr_any, ep->port);
		return 1;
	}
	if (!ep->host || strcasecmp(ep->host, "localhost") == 0) {
		address_v4(out, &ip, ep->port);
		if (room > 1)
			address_v6(out + 1, &in6addr_loopback, ep->port);
		return room > 1 ? 2 : 1;
	}
	if (!address_read(out, ep->host, strlen(ep->host)))
		return 0;
	*address_port_field(out) = htons(ep->port);
	return 1;
}

static void address_unix(struct address *a, const char *path)
{
	size_t n = strlen(path);

	memset(a, 0, sizeof *a);
	a->un.sun_family = AF_UNIX;
	if (*path == '@') {
		/* Abstract: the name is exactly the bytes behind the NUL, as many as `length` says.
		 */
		memcpy(a->un.sun_path + 1, path + 1, n - 1);
		a->length = (socklen_t)(UNIX_PATH_OFFSET + n);
	} else {
		memcpy(a->un.sun_path, path, n);
		a->length = (socklen_t)(UNIX_PATH_OFFSET + n + 1);
	}
}

int endpoint_addresses(const struct endpoint *ep, struct address *out, int room)
{
	if (room < 1)
		return 0;
	switch (ep->kind) {
	case ENDPOINT_TCP:
	case ENDPOINT_UDP:
		return internet_addresses(ep, out, room);
	case ENDPOINT_UNIX:
		address_unix(out, ep->path);
		return 1;
	case ENDPOINT_VSOCK:
		memset(out, 0, sizeof *out);
		out->vsock.family = AF_VSOCK;
		out->vsock.cid = ep->cid;
		out->vsock.port = ep->vsock_port;
		out->length = sizeof out->vsock;
		return 1;
	case ENDPOINT_FD:
	case ENDPOINT_SYSTEMD:
		break;
	}
	return 0;
}

bool address_is_ip(const struct address *a)
{
	return a->any.sa_family == AF_INET || a->any.sa_family == AF_INET6;
}

bool address_is_loopback(const struct address *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohl(a->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

bool address_is_multicast(const struct address *a)
{
	if (a->any.sa_family == AF_INET)
		return IN_MULTICAST(ntohl(a->v4.sin_addr.s_addr));
	return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_MULTICAST(&a->v6.sin6_addr);
}

void address_unmap(struct address *a)
{
	struct in_addr ip;

	if (a->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
		return;
	memcpy(&ip, a->v6.sin6_addr.s6_addr + 12, sizeof ip);
	address_v4(a, &ip, ntohs(a->v6.sin6_port));
}

in_port_t *address_port_field(struct address *a)
{
	return a->any.sa_family == AF_INET6 ? &a->v6.sin6_port : &a->v4.sin_port;
}

uint32_t address_port(const struct address *a)
{
	switch (a->any.sa_family) {
	case AF_INET:
		return ntohs(a->v4.sin_port);
	case AF_INET6:
		return ntohs(a->v6.sin6_port);
	case AF_VSOCK:
		return a->vsock.port;
	default:
		return 0;
	}
}

/* ---- as text --------------------------------------------------------------------------------- */

static void v6_write(struct address_text *out, const struct sockaddr_in6 *v6)
{
	char ip[INET6_ADDRSTRLEN], zone[IF_NAMESIZE];

	inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof ip);
	if (!v6->sin6_scope_id)
		strcpy(out->text, ip);
	else if (if_indextoname(v6->sin6_scope_id, zone))
		snprintf(out->text, sizeof out->text, "%s%%%s", ip, zone);
	else
		snprintf(out->text, sizeof out->text, "%s%%%u", ip, v6->sin6_scope_id);
}

/*
 * The path, `@name` for an abstract one, nothing for a socket without a name (a client's). A NUL
 * within a name is written @ too, as in /proc/net/unix.
 */
static void path_write(struct address_text *out, const struct address *a)
{
	const char *path = a->un.sun_path;
	size_t n = a->length > UNIX_PATH_OFFSET ? a->length - UNIX_PATH_OFFSET : 0;

	if (n > sizeof a->un.sun_path)
		n = sizeof a->un.sun_path;
	if (n && *path)
		n = strnlen(path, n);
	for (size_t i = 0; i < n; i++)
		out->text[i] = (char)(path[i] ? path[i] : '@');
	out->text[n] = '\0';
}

struct address_text address_host(const struct address *a)
{
	struct address plain = *a;
	struct address_text out = {"?"};

	address_unmap(&plain);
	if (plain.any.sa_family == AF_INET)
		inet_ntop(AF_INET, &plain.v4.sin_addr, out.text, sizeof out.text);
	else if (plain.any.sa_family == AF_INET6)
		v6_write(&out, &plain.v6);
	else if (plain.any.sa_family == AF_UNIX)
		path_write(&out, &plain);
	else if (plain.any.sa_family == AF_VSOCK && plain.vsock.cid == UINT32_MAX)
		strcpy(out.text, "*");
	else if (plain.any.sa_family == AF_VSOCK)
		snprintf(out.text, sizeof out.text, "%u", plain.vsock.cid);
	return out;
}

struct address_text address_text(const struct address *a)
{
	struct address_text host = address_host(a), out = host;
	sa_family_t family = a->any.sa_family;

	if (family == AF_UNIX)
		snprintf(out.text, sizeof out.text, "unix:%.108s", host.text);
	else if (family == AF_VSOCK && a->vsock.port == UINT32_MAX)
		snprintf(out.text, sizeof out.text, "vsock:%.10s:*", host.text);
	else if (family == AF_VSOCK)
		snprintf(out.text, sizeof out.text, "vsock:%.10s:%u", host.text, address_port(a));
	else if (address_is_ip(a))
		snprintf(out.text, sizeof out.text,
			 strchr(host.text, ':') ? "[%.80s]:%u" : "%.80s:%u", host.text,
			 address_port(a));
	return out;
}
