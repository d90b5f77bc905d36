/*
 * Datagrams by the batch (recvmmsg(2), sendmmsg(2)), and which of our addresses each came to.
 *
 * On a host of several addresses the kernel would choose by the route where a reply leaves from,
 * and the peer would not know it: IP_PKTINFO (ip(7)) and IPV6_PKTINFO (RFC 3542, section 6) say
 * which address was meant, and let the reply leave from there.
 */
#ifndef EVWATCH_NET_PACKETS_H
#define EVWATCH_NET_PACKETS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	PACKETS_MOST = 32,    /* of a batch */
	PACKET_ROOM = 65536,  /* bytes of one: no UDP payload is larger (65,507; IPv6: 65,527) */
	PACKET_CONTROL = 128, /* for one control message of either family */
};

/* One of our own addresses. Family 0: not known, the kernel chooses. */
struct own_address {
	uint8_t ip[16];
	uint32_t interface; /* its index where the address alone does not say it; 0: any */
	uint32_t family; /* no padding behind it: it is part of keys that are compared as bytes */
};

/* Reads it from the control messages of what was received. */
void own_address_take(struct own_address *own, struct msghdr *m);

/*
 * Makes `m` leave from there. `control` is of PACKET_CONTROL bytes, aligned as struct cmsghdr is,
 * and must live as long as `m` does.
 */
void own_address_put(const struct own_address *own, struct msghdr *m, void *control);

/* An internet address, as short as it is. */
union peer_name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Headers and their rooms; the bytes are touched (and so use memory) only as far as needed. */
struct packets {
	struct mmsghdr headers[PACKETS_MOST];
	struct iovec parts[PACKETS_MOST];
	union peer_name names[PACKETS_MOST];
	struct {
		_Alignas(struct cmsghdr) char bytes[PACKET_CONTROL];
	} controls[PACKETS_MOST];
	char *bytes; /* owned: PACKETS_MOST * PACKET_ROOM */
};

/* NULL with ENOMEM. */
struct packets *packets_new(void);
void packets_free(struct packets *p);

static inline char *packets_bytes(struct packets *p, int i)
{
	return p->bytes + (size_t)i * PACKET_ROOM;
}

/*
 * Receives up to `most` into the rooms from `first` on, without waiting. With `named`, names and
 * controls say from where and where to. Returns how many, 0 when there is none, or -1 with errno
 * (of a connected socket: the ICMP error that came back, ECONNREFUSED for one).
 */
int packets_receive(struct packets *p, int fd, int first, int most, bool named);

/* Reports one datagram that could not be sent, by its place in the batch, and why (an errno). */
typedef void packet_lost(void *context, int i, int error);

/*
 * Sends `n` of them from `first` on, without waiting. What the kernel does not take is lost, as
 * datagrams are, and reported.
 */
void packets_send(struct packets *p, int fd, int first, int n, packet_lost *lost, void *context);

#endif
