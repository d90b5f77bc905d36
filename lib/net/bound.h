/*
 * A set of bound sockets: what the ways to get them (listener_ip.h, listener_unix.h,
 * listener_inherit.h) fill, and what listens afterwards. listener.h opens one.
 */
#ifndef EVWATCH_NET_BOUND_H
#define EVWATCH_NET_BOUND_H

#include "address/endpoint.h"

#include <sys/types.h>

enum { LISTENER_MOST = 4, BACKLOG_DEFAULT = 4096 };

struct buf;

struct listen_config {
	int backlog; /* 0: BACKLOG_DEFAULT (the kernel cuts it to net.core.somaxconn) */
	bool reuseport;
	unsigned mode; /* of Unix sockets; 0600 by default */
	char *owner;   /* USER[:GROUP] of Unix sockets, or NULL */
};

/* The bound sockets of one endpoint: PORT alone makes two. */
struct listener {
	int fds[LISTENER_MOST];
	struct address bound[LISTENER_MOST]; /* where fds[i] is; length 0: not known */
	bool datagram[LISTENER_MOST];        /* of fds[i]; else a stream */
	int count;
	char *unlink_path; /* owned; the Unix socket file to remove when closed */
	dev_t unlink_device;
	ino_t unlink_inode;   /* removed only while it is still the one we made */
	struct listener *kin; /* the next of a ring that share their sockets; NULL: none */
};

/* How many connections may wait, as listen(2) asks for it. */
static inline int listen_backlog(const struct listen_config *c)
{
	return c->backlog > 0 ? c->backlog : BACKLOG_DEFAULT;
}

/* Has the datagram socket report which of our addresses each datagram came to. 0, or -1. */
int listener_ask_destination(int fd, int family);

/* Adds a descriptor; the listener owns it then. -1 with EMFILE: too many. */
int listener_add(struct listener *l, int fd, bool datagram);

/* Reads where all of them are bound. */
void listener_name(struct listener *l);

void listener_close(struct listener *l);

/* Appends the endpoint word of fds[i] as it is bound (port 0 has become a real one). */
void listener_add_bound(struct buf *out, const struct listener *l, int i);

#endif
