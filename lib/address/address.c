/* See address.h. */
#include "address/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t address_zone(const char *zone)
{
	char *end;
	unsigned long n;
	uint32_t index = if_nametoindex(zone);

	if (index)
		return index;
	n = strtoul(zone, &end, 10);
	return *zone >= '0' && *zone <= '9' && !*end && n <= UINT32_MAX ? (uint32_t)n : 0;
}

/* In digits, without brackets and zone. */
static bool digits_read(struct address *a, const char *text)
{
	memset(a, 0, sizeof *a);
	if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->length = sizeof a->v4;
	} else if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1) {
		a->v6.sin6_family = AF_INET6;
		a->length = sizeof a->v6;
	}
	return a->length > 0;
}

bool address_read(struct address *a, const char *text, size_t length)
{
	char plain[INET6_ADDRSTRLEN + IF_NAMESIZE], *zone;
	uint32_t interface;

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
	if (!digits_read(a, plain))
		return false;
	if (!zone)
		return true;
	interface = address_zone(zone);
	if (!interface)
		return false;
	/* That of an IPv4 group is no part of the address (endpoint_interface). */
	if (a->any.sa_family == AF_INET)
		return address_is_multicast(a);
	a->v6.sin6_scope_id = interface;
	return true;
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

bool address_is_wildcard(const struct address *a)
{
	static const struct ip none;
	struct ip ip = address_ip(a);

	return ip.size && memcmp(ip.bytes, none.bytes, sizeof ip.bytes) == 0;
}

struct ip address_ip(const struct address *a)
{
	struct ip ip = {0};

	if (a->any.sa_family == AF_INET)
		ip.size = sizeof a->v4.sin_addr;
	else if (a->any.sa_family == AF_INET6)
		ip.size = sizeof a->v6.sin6_addr;
	memcpy(ip.bytes, ip.size == 4 ? (const void *)&a->v4.sin_addr : &a->v6.sin6_addr, ip.size);
	return ip;
}

void address_unmap(struct address *a)
{
	struct sockaddr_in6 v6 = a->v6;

	if (a->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
		return;
	memset(a, 0, sizeof *a);
	a->v4.sin_family = AF_INET;
	a->v4.sin_port = v6.sin6_port;
	memcpy(&a->v4.sin_addr, v6.sin6_addr.s6_addr + 12, sizeof a->v4.sin_addr);
	a->length = sizeof a->v4;
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
	const size_t before = offsetof(struct sockaddr_un, sun_path);
	size_t n = a->length > before ? a->length - before : 0;

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
