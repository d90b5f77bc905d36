/*
 * A backend: one way of asking the kernel which descriptors are ready. The loop hands it the union
 * of the interests in a descriptor, one call a descriptor and turn, and no change that cancels out.
 */
#ifndef EVWATCH_REACTOR_BACKEND_H
#define EVWATCH_REACTOR_BACKEND_H

#include "reactor/reactor.h"

struct backend {
	struct backend_info info; /* its name, what it is best for, its limits */
	size_t size;              /* of its state, which comes zeroed */
	/* NULL when zeroes will do. Returns 0, or -1 with `e` filled; dealloc is due then too. */
	int (*init)(void *state, struct reactor_error *e);
	/*
	 * Sets the interest in a descriptor (never 0); `before` is what was set so far: 0 for none,
	 * or when it may be another file by now. `generation` comes back with its readiness, which
	 * is reported as long as it holds, unless IO_EDGE is wanted. Returns 0, or -1 with errno.
	 */
	int (*add)(void *state, int fd, unsigned before, unsigned interest, uint32_t generation);
	/* Forgets a descriptor, which may be closed already: it may go on being reported. */
	void (*del)(void *state, int fd);
	/* Waits at most `wait` ns (-1: for ever) and calls io_ready (fast.h). -1 with errno. */
	int (*dispatch)(void *state, struct reactor *r, int64_t wait);
	void (*dealloc)(void *state);
	bool need_reinit;    /* after fork, or it would share its state with the parent */
	bool forgets_closed; /* the last close(2) of a file ends its registration */
	bool no_edges;       /* IO_EDGE is refused */
};

/* What a backend reports beside readiness: this descriptor was closed while it was watched. */
void io_refused(struct reactor *r, int fd);
/* What it was to add could not be added, as errno says: by a backend that knows this only later. */
void io_not_added(struct reactor *r, int fd, uint32_t generation);

#endif
