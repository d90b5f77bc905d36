/*
 * The dense array of descriptors that poll(2) reads, which serves the select backend too: select
 * tells no hang-up, error or half-close apart, so what woke it is asked of poll.
 */
#ifndef EVWATCH_REACTOR_BACKEND_POLL_H
#define EVWATCH_REACTOR_BACKEND_POLL_H

#include "reactor/backend.h"

#include <poll.h>
#include <stddef.h>

struct poll_state {
	struct pollfd *fds;
	uint32_t *generations; /* beside each of `fds` */
	size_t count, capacity, generations_capacity;
	size_t *places; /* by descriptor: place + 1, 0: none */
	size_t n_places;
};

/* The verbs of struct backend, on a state that begins with a poll_state. */
int poll_add(void *state, int fd, unsigned before, unsigned interest, uint32_t generation);
void poll_del(void *state, int fd);
void poll_close(void *state);
/* Waits, and tells what is ready. Returns how many are, or -1 with errno. */
int poll_tell(struct poll_state *s, struct reactor *r, int64_t wait);

#endif
