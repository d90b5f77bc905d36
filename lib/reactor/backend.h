/*
 * A backend: one way of asking the kernel which descriptors are ready (libevent's eventop).
 *
 * The loop hands it the union of the interests in a descriptor, one call a descriptor and turn, and
 * never a change that cancels out. Backends are level-triggered unless IO_EDGE is in the interest.
 */
#ifndef EVWATCH_REACTOR_BACKEND_H
#define EVWATCH_REACTOR_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct reactor;

struct backend {
	const char *name;
	size_t size; /* of its state, which comes zeroed */
	/* NULL when zeroes will do. Returns 0, or -1 with `e` filled, and is closed then too. */
	int (*open)(void *state, struct error *e);
	/*
	 * Sets the interest in a descriptor (never 0); `before` is what was set so far: 0 for none,
	 * or when it may be another file by now. `generation` comes back with its readiness.
	 * Returns 0, or -1 with errno.
	 */
	int (*add)(void *state, int fd, unsigned before, unsigned interest, uint32_t generation);
	/* Forgets a descriptor, which may be closed already: it may go on being reported. */
	void (*del)(void *state, int fd);
	/* Waits at most `wait` ns (-1: for ever) and calls io_ready (ready.h). Returns 0 or -1. */
	int (*dispatch)(void *state, struct reactor *r, int64_t wait);
	void (*close)(void *state);
	bool need_reinit;    /* after fork, or it would share its state with the parent */
	bool forgets_closed; /* the last close(2) of a file ends its registration */
};

/* What a backend tells beside readiness: this descriptor was closed while it was watched. */
void io_refused(struct reactor *r, int fd);

extern const struct backend backend_epoll, backend_uring, backend_poll, backend_select;

#endif
