/*
 * Addresses of sockets, and their text. A dual-stack socket has IPv4 peers as ::ffff:1.2.3.4;
 * everywhere here they count, and are written, as the IPv4 addresses that they are.
 */
#ifndef EVWATCH_ADDRESS_ADDRESS_H
#define EVWATCH_ADDRESS_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* struct sockaddr_vm of <linux/vm_sockets.h>, which musl's include path does not have. */
struct address_vsock {
	sa_family_t family;
	uint16_t reserved;
	uint32_t port;
	uint32_t cid;
	uint8_t flags;
	uint8_t zero[3];
};

/* An address of any family we speak, with its length. */
struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
		struct address_vsock vsock;
		struct sockaddr_storage storage;
	};
	socklen_t length;
};

/*
 * Reads an IP address in digits, which brackets may surround. An IPv6 address may name its
 * interface behind a `%`, and so may an IPv4 multicast group. The port is 0.
 */
bool address_read(struct address *a, const char *text, size_t length);

/* The zone of an address, an interface's name or number, as its index; 0: there is none. */
uint32_t address_zone(const char *zone);

/* IPv4 or IPv6? */
bool address_is_ip(const struct address *a);

/* 127.0.0.0/8 or ::1? 224.0.0.0/4 or ff00::/8? 0.0.0.0 or ::? */
bool address_is_loopback(const struct address *a);
bool address_is_multicast(const struct address *a);
bool address_is_wildcard(const struct address *a);

/* Turns ::ffff:1.2.3.4, as dual-stack sockets tell it, into the IPv4 address that it is. */
void address_unmap(struct address *a);

/* The host of an IP address: 4 or 16 bytes in network order, the rest 0; size 0: of another family.
 * Two that are the same have the same bytes. */
struct ip {
	uint8_t bytes[16];
	uint8_t size;
};
struct ip address_ip(const struct address *a);

/* The port of an IP address, in network order. */
in_port_t *address_port_field(struct address *a);
/* Its port, in host order; 0: it has none. */
uint32_t address_port(const struct address *a);

/* Long enough for each: a Unix path has 108 bytes. A value, so that a call can stand where a text
 * does. */
struct address_text {
	char text[128];
};

/* `1.2.3.4:80`, `[::1]:80`, `unix:/path`: an endpoint word. */
struct address_text address_text(const struct address *a);

/* The address without its port. */
struct address_text address_host(const struct address *a);

#endif
