/*
 * Accepting connections from the sockets of a listener, fairly and without spinning.
 *
 * What cannot be accepted would wake the process for ever, for want of descriptors or because
 * accept(2) fails in some other way: accepting stops then, which is logged, and goes on a moment
 * later, or when acceptor_retry says that a descriptor is free.
 */
#ifndef EVWATCH_NET_ACCEPTOR_H
#define EVWATCH_NET_ACCEPTOR_H

#include "net/bound.h"
#include "reactor/reactor.h"

/* A connection: `fd` is the callee's; close-on-exec. The address is unmapped. */
typedef void accepted_call(void *owner, int fd, const struct address *remote);

struct acceptor;

struct accepting_socket {
	struct io_watcher io;
	struct acceptor *owner;
};

struct acceptor {
	struct accepting_socket sockets[LISTENER_MOST];
	int count;
	struct reactor *reactor;
	accepted_call *call;
	void *owner;
	const char *rule; /* for the log */
	bool nonblocking; /* public, false: how descriptors are accepted */
	bool wanted, is_short;
	int most;       /* descriptors: beyond them none is accepted (fd_most_for_peers) */
	int64_t warned; /* when the shortage was logged last; 0: never */
	struct timer again;
};

/* Of the stream sockets of `l`, which must outlive it. Accepts nothing yet. */
void acceptor_init(struct acceptor *a, struct reactor *r, const struct listener *l,
		   uint8_t priority, accepted_call *call, void *owner, const char *rule);

/* Accepts from now on, or lets them wait in the backlog. Returns 0, or -1 with errno. */
int acceptor_want(struct acceptor *a, bool more);

/* A descriptor was closed: if accepting stopped for want of one, it goes on. */
void acceptor_retry(struct acceptor *a);

/*
 * Accepts those that are connected by now, as far as they are wanted, and stops for good: what
 * still waits in the backlog when the listener is closed is reset by the kernel.
 */
void acceptor_finish(struct acceptor *a);

/* Stops for good; the listener is closed by its owner. */
void acceptor_close(struct acceptor *a);

#endif
