/*
 * Endpoints: the words of the interface, section 1, and the sockets that they name.
 *
 * Parsing is pure; names are resolved elsewhere (resolver.h), off the loop. Only literal addresses,
 * ports and service names (getservbyname_r) are turned into addresses here.
 */
#ifndef EVWATCH_NET_ENDPOINT_H
#define EVWATCH_NET_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct buf;
struct error;

enum endpoint_kind {
	ENDPOINT_TCP,
	ENDPOINT_UDP,
	ENDPOINT_UNIX, /* stream; abstract when `path` starts with @ */
	ENDPOINT_VSOCK,
	ENDPOINT_FD,      /* fd:N */
	ENDPOINT_SYSTEMD, /* systemd:NAME */
};

struct endpoint {
	enum endpoint_kind kind;
	char *host; /* owned: a name or literal; NULL: loopback (PORT alone); "*": every address */
	char *path; /* owned: unix path or systemd name */
	uint16_t port; /* host order */
	uint32_t cid, vsock_port;
	int fd; /* ENDPOINT_FD */
};

/* Reads an endpoint word. -1 with `e`, e->column at the fault. Nothing is allocated then. */
int endpoint_parse(struct endpoint *ep, const char *word, struct error *e);
void endpoint_release(struct endpoint *ep);

/* Appends the word that endpoint_parse would read back. */
void endpoint_add(struct buf *out, const struct endpoint *ep);

/* An address of any family we speak, with its length. */
struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
	};
	socklen_t length;
};

/*
 * The addresses that need no resolver: loopback (two: 127.0.0.1 and ::1), literals, `*`, unix,
 * vsock. Returns how many were written (at most `room`), or 0 when `host` is a name to resolve.
 */
int endpoint_addresses(const struct endpoint *ep, struct address *out, int room);

/* Appends `1.2.3.4:80`, `[::1]:80`, `unix:/path`: an endpoint word. */
void address_add(struct buf *out, const struct address *a);

/* Appends the address without its port; returns the port (0 where there is none). */
uint16_t address_add_host(struct buf *out, const struct address *a);

/* ---- listening ------------------------------------------------------------------------------- */

struct listen_config {
	int backlog; /* default 4096 */
	bool reuseport;
	unsigned mode; /* of Unix sockets; default 0600 */
	char *owner;   /* USER[:GROUP] of Unix sockets, or NULL */
};

/* The bound sockets of one endpoint: PORT alone makes two. */
struct listener {
	int fds[4];
	int count;
	char *unlink_path; /* owned; the Unix socket file to remove when closed */
	bool inherited;
};

/*
 * Binds and listens (UDP: binds). All or nothing. `e` says what and why and how to mend it: the
 * address in use, no permission below 1024, a live socket or a file that is no socket in the way.
 * Descriptors are non-blocking and close-on-exec. Names are resolved here, blocking: only at start.
 */
int listener_open(struct listener *l, const struct endpoint *ep, const struct listen_config *c,
		  struct error *e);
void listener_close(struct listener *l);

#endif
