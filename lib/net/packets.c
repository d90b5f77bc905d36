/* See packets.h. */
#include "net/packets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

/* ---- our own address ------------------------------------------------------------------------- */

static void take_v4(struct own_address *own, const struct cmsghdr *c)
{
	struct in_pktinfo info;

	memcpy(&info, CMSG_DATA(c), sizeof info);
	/* Not ipi_addr: that one may be a broadcast. The interface is left to the route. */
	*own = (struct own_address){.family = AF_INET};
	memcpy(own->ip, &info.ipi_spec_dst, sizeof info.ipi_spec_dst);
}

static void take_v6(struct own_address *own, const struct cmsghdr *c)
{
	struct in6_pktinfo info;

	memcpy(&info, CMSG_DATA(c), sizeof info);
	*own = (struct own_address){.family = AF_INET6};
	/* Only a link-local address needs its interface: others have a route. */
	if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) || IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
		own->interface = (uint32_t)info.ipi6_ifindex;
	/* Nothing can be sent from a multicast address. */
	if (!IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
		memcpy(own->ip, &info.ipi6_addr, sizeof info.ipi6_addr);
}

void own_address_take(struct own_address *own, struct msghdr *m)
{
	*own = (struct own_address){0};
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			take_v4(own, c);
		else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			take_v6(own, c);
}

static void put(struct msghdr *m, void *control, int level, const void *info, size_t length)
{
	struct cmsghdr *c = control;

	c->cmsg_level = level;
	c->cmsg_type = level == IPPROTO_IP ? IP_PKTINFO : IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(length);
	memcpy(CMSG_DATA(c), info, length);
	m->msg_control = control;
	m->msg_controllen = CMSG_SPACE(length);
}

void own_address_put(const struct own_address *own, struct msghdr *m, void *control)
{
	struct in_pktinfo v4 = {0};
	struct in6_pktinfo v6 = {0};

	m->msg_control = NULL;
	m->msg_controllen = 0;
	if (own->family == AF_INET) {
		memcpy(&v4.ipi_spec_dst, own->ip, sizeof v4.ipi_spec_dst);
		put(m, control, IPPROTO_IP, &v4, sizeof v4);
	} else if (own->family == AF_INET6) {
		memcpy(&v6.ipi6_addr, own->ip, sizeof v6.ipi6_addr);
		v6.ipi6_ifindex = own->interface;
		put(m, control, IPPROTO_IPV6, &v6, sizeof v6);
	}
}

/* ---- batches --------------------------------------------------------------------------------- */

struct packets *packets_new(void)
{
	struct packets *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->bytes = malloc((size_t)PACKETS_MOST * PACKET_ROOM);
	if (!p->bytes) {
		free(p);
		return NULL;
	}
	for (int i = 0; i < PACKETS_MOST; i++) {
		p->parts[i].iov_base = packets_bytes(p, i);
		p->headers[i].msg_hdr.msg_iov = &p->parts[i];
		p->headers[i].msg_hdr.msg_iovlen = 1;
	}
	return p;
}

void packets_free(struct packets *p)
{
	if (!p)
		return;
	free(p->bytes);
	free(p);
}

/* The kernel writes into the headers what it found: they are made ready each time. */
static void prepare(struct packets *p, int i, bool named)
{
	struct msghdr *m = &p->headers[i].msg_hdr;

	p->parts[i].iov_len = PACKET_ROOM;
	m->msg_name = named ? &p->names[i] : NULL;
	m->msg_namelen = named ? sizeof p->names[i] : 0;
	m->msg_control = named ? p->controls[i].bytes : NULL;
	m->msg_controllen = named ? PACKET_CONTROL : 0;
}

int packets_receive(struct packets *p, int fd, int first, int most, bool named)
{
	int n;

	for (int i = first; i < first + most; i++)
		prepare(p, i, named);
	do
		n = recvmmsg(fd, p->headers + first, (unsigned)most, MSG_DONTWAIT, NULL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	for (int i = first; i < first + n; i++)
		p->parts[i].iov_len = p->headers[i].msg_len;
	return n;
}

void packets_send(struct packets *p, int fd, int first, int n, packet_lost *lost, void *context)
{
	int end = first + n;

	while (first < end) {
		int sent = sendmmsg(fd, p->headers + first, (unsigned)(end - first),
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0)
			first += sent;
		else if (errno != EINTR)
			lost(context, first++, errno);
	}
}
