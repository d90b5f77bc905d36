/*
 * Endpoints: the words of evwatch(1), "Endpoints", and the sockets that they name.
 *
 * Parsing is pure; names are resolved elsewhere (net/resolver.h), off the loop. Only literal
 * addresses, ports, service names (getservbyname_r) and `localhost` (always this machine: RFC 6761,
 * 6.3) are turned into addresses here.
 */
#ifndef EVWATCH_ADDRESS_ENDPOINT_H
#define EVWATCH_ADDRESS_ENDPOINT_H

#include "address/address.h"

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

#endif
