/*
 * The targets of a relay: which one is a connection's, and what each of them carries.
 *
 * A target is named by its place in the configuration. Who takes one (targets_enter) leaves it
 * again exactly once.
 */
#ifndef EVWATCH_SOURCE_RELAY_TARGETS_H
#define EVWATCH_SOURCE_RELAY_TARGETS_H

#include "source/relay/config.h"

struct target {
	size_t connections; /* that chose it and are not over */
	/* Since the start. */
	uint64_t chosen, failed; /* how often; failed: it could not be connected to */
	uint64_t to, from;       /* bytes, of connections that are over */
};

struct targets {
	const struct relay_config *config;
	struct target *all; /* owned; config->n_targets of them */
	size_t turn;        /* round-robin: the next one's */
};

/* Returns 0, or -1 with ENOMEM. */
int targets_open(struct targets *t, const struct relay_config *c);
void targets_close(struct targets *t);

/* Which one is this client's? Those that fail are followed by the ones behind them, in order. */
size_t targets_choose(struct targets *t, const struct address *remote);

/* One connection more, or less, on this target. */
void targets_enter(struct targets *t, size_t target);
void targets_leave(struct targets *t, size_t target);

#endif
