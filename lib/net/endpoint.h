/*
 * Endpoints: the words of evwatch(1), "Endpoints", and the sockets that they name.
 *
 * Parsing is pure; names are resolved elsewhere (resolver.h), off the loop. Only literal addresses,
 * ports, service names (getservbyname_r) and `localhost` (always this machine: RFC 6761, 6.3) are
 * turned into addresses here.
 */
#ifndef EVWATCH_NET_ENDPOINT_H
#define EVWATCH_NET_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct error;

enum endpoint_kind {
	ENDPOINT_TCP,
	ENDPOINT_UDP,
	ENDPOINT_UNIX, /* stream; abstract when `path` starts with @ */
	ENDPOINT_VSOCK,
	ENDPOINT_FD,      /* fd:N */
	ENDPOINT_SYSTEMD, /* systemd:NAME */
};

/* Sets of kinds; what is inherited may be of any. */
enum {
	ENDPOINTS_IP = 1 << ENDPOINT_TCP | 1 << ENDPOINT_UDP,
	ENDPOINTS_INHERITED = 1 << ENDPOINT_FD | 1 << ENDPOINT_SYSTEMD,
};

struct endpoint {
	enum endpoint_kind kind;
	char *host; /* owned: a name or literal; NULL: loopback (PORT alone); "*": every address */
	char *path; /* owned: unix path or systemd name */
	uint16_t port;            /* host order; 0: the listener picks a free one */
	uint32_t cid, vsock_port; /* each UINT32_MAX: any */
	int fd;                   /* ENDPOINT_FD */
	char *word; /* owned: the endpoint as a word, always the same for the same one; NULL where
		       it was not parsed */
};

/* Reads an endpoint word. -1 with `e`, e->column at the fault. Nothing is allocated then. */
int endpoint_parse(struct endpoint *ep, const char *word, struct error *e);
void endpoint_release(struct endpoint *ep);

/* Is the kind of one of these `n` in the set? */
bool endpoints_include(const struct endpoint *all, size_t n, int kinds);

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
 * The addresses that need no resolver: loopback (two: 127.0.0.1 and ::1), literals, `*` (one:
 * `::`), unix, vsock. Returns how many were written (at most `room`), or 0 when `host` is a name to
 * resolve (and for fd: and systemd:, which have none).
 */
int endpoint_addresses(const struct endpoint *ep, struct address *out, int room);

/* Are they the same word? */
bool endpoint_same(const struct endpoint *a, const struct endpoint *b);

/* The interface that the host names behind a `%`, by its index; 0: none. */
uint32_t endpoint_interface(const struct endpoint *ep);

/* Can one connect to it? -1 with `e`: `*`, port 0, fd: and systemd: are for listeners only. */
int endpoint_check_target(const struct endpoint *ep, const char *word, struct error *e);

/*
 * Reads an IP address in digits, which brackets may surround. An IPv6 address may name its
 * interface behind a `%`, and so may an IPv4 multicast group. The port is 0.
 */
bool address_read(struct address *a, const char *text, size_t length);

/* IPv4 or IPv6? */
bool address_is_ip(const struct address *a);

/* 127.0.0.0/8 or ::1? 224.0.0.0/4 or ff00::/8? */
bool address_is_loopback(const struct address *a);
bool address_is_multicast(const struct address *a);

/* Turns ::ffff:1.2.3.4, as dual-stack sockets tell it, into the IPv4 address that it is. */
void address_unmap(struct address *a);

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
