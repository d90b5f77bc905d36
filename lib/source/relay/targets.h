/*
 * The targets of a relay: which one is a connection's, and what each of them carries.
 *
 * With --check each of them is looked at (net/health.h). One that is down is not chosen while
 * another is not; when all are down, they are chosen as if all were up. Of several workers one
 * looks, and all know what it saw. Without --check, too, one that failed rests for a second,
 * doubling to ten while it keeps failing.
 *
 * A target is named by its place in the configuration. Who takes one (targets_enter) leaves it
 * again exactly once.
 */
#ifndef EVWATCH_SOURCE_RELAY_TARGETS_H
#define EVWATCH_SOURCE_RELAY_TARGETS_H

#include "address/proxy_header.h"
#include "net/health.h"
#include "source/relay/config.h"
#include "source/relay/totals.h"
#include "source/source.h"

struct target {
	struct targets *owner;
	struct target_totals *totals;
	atomic_ullong *down; /* which workers share */
	struct health_config look;
	struct health health;
	uint64_t hash;       /* of its name */
	int64_t rests_until; /* on the loop's clock */
	int64_t rest;        /* how long, the last time; 0 since it took a connection */
};

struct targets {
	const struct relay_config *config;
	struct reactor *reactor;
	struct target *all; /* owned; config->n_targets of them */
	size_t turn;        /* whose it is: round-robin, and least-conn between equals */
	const char *rule;   /* for the log */
	char greeting[PROXY_HEADER_ROOM]; /* of a look, with --proxy send */
};

/* Counts in `totals`; `down` is in those of who looks. Returns 0, or -1 with ENOMEM. */
int targets_open(struct targets *t, const struct relay_config *c, struct reactor *r,
		 struct totals *totals, struct totals *down);
void targets_close(struct targets *t);

/*
 * Looks at them from now on, where there is --check, on behalf of `s`; `own` is never a target (see
 * connect.h). Returns 0, or -1 with ENOMEM.
 */
int targets_watch(struct targets *t, struct source *s, struct resolver *v,
		  const struct listener *own);
/* No more. */
void targets_unwatch(struct targets *t);

/* A client's place in --balance source: the same after a restart. */
uint64_t targets_hash_client(const struct address *remote);

/*
 * Which one is this client's, of those that were not `tried` (one flag each target; not all set)?
 * One that rests or is down is passed over while there is another.
 */
size_t targets_choose(struct targets *t, uint64_t client, const bool *tried);

/* It failed at `now`: it is passed over for a moment. */
void targets_rest(struct targets *t, size_t target, int64_t now);
/* It took a connection: it does not rest any more. */
void targets_took(struct targets *t, size_t target);

/* One connection more, or less, on this target. */
void targets_enter(struct targets *t, size_t target);
void targets_leave(struct targets *t, size_t target);

#endif
