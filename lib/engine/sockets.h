/*
 * The sockets of --socket: opened once by evwatch, held over the restarts of the command, and
 * passed to it as systemd passes sockets, so that no connection is refused in between.
 */
#ifndef EVWATCH_ENGINE_SOCKETS_H
#define EVWATCH_ENGINE_SOCKETS_H

#include "net/bound.h"
#include "process/launch.h"

#include <stddef.h>

struct armed_rule;
struct error;

struct held_socket {
	struct endpoint endpoint;
	struct listener listener;
};

struct sockets {
	struct held_socket *items; /* owned */
	size_t n;
	struct passed passed;
};

/* Opens what the rule says, and notes where for the ready file. Returns 0, or -1 with `e`. */
int sockets_open(struct armed_rule *a, struct error *e);

/* The listener of this endpoint, for a rule that replaces this one; or NULL. */
struct listener *sockets_find(struct armed_rule *a, const struct endpoint *ep);

void sockets_close(struct armed_rule *a);

#endif
