/*
 * A pool of endpoints that do the same work: which one the next client gets, and what each of them
 * carries.
 *
 * Checked or not (net/health.h), one that failed rests for a second, doubling to ten while it keeps
 * failing. With checks, one that is down is not chosen while another is not; when all are down,
 * they are chosen as if all were up. Processes may share what is counted: of several that use the
 * same endpoints one checks, and all know what it saw.
 *
 * A member is named by its place in the list. Who takes one (pool_enter) leaves it again exactly
 * once.
 */
#ifndef EVWATCH_POOL_POOL_H
#define EVWATCH_POOL_POOL_H

#include "net/health.h"

#include <stdatomic.h>

enum pool_balance { BALANCE_ROUND_ROBIN, BALANCE_LEAST_CONN, BALANCE_SOURCE, BALANCE_FIRST };

/* What is counted of a member. All but the bytes are counted here, those by the owner. */
struct pool_counts {
	uint64_t connections; /* that chose it and are not over */
	/* Since the start. */
	uint64_t chosen, failed; /* how often; failed: it could not be connected to */
	uint64_t to, from;       /* bytes, of connections that are over */
	atomic_ullong down;      /* as the checks see it */
};

struct pool_member {
	struct pool *pool;
	struct health_config check;
	struct health health;
	uint64_t hash;       /* of its name */
	int64_t rests_until; /* on the loop's clock */
	int64_t rest;        /* how long, the last time; 0 since it took a connection */
};

struct pool {
	/* Public, before pool_open; all of it outlives the pool. */
	struct reactor *reactor;
	const char *rule; /* for the log */
	const struct endpoint *endpoints;
	size_t n; /* at least 1 */
	enum pool_balance balance;
	struct pool_counts *counts; /* n of them */
	struct pool_counts *checks; /* whose `down` counts: those of whoever checks */
	/* Private. */
	struct pool_member *all; /* owned */
	size_t turn;             /* whose it is: round-robin, and least-conn between equals */
};

/* Returns 0, or -1 with ENOMEM. */
int pool_open(struct pool *p);
/* Does no harm when it is not open. */
void pool_close(struct pool *p);

/* Checks all of them from now on, each in this way. Returns 0, or -1 with ENOMEM. */
int pool_watch(struct pool *p, const struct health_config *check, struct resolver *v,
	       uint8_t priority);
/* No more. */
void pool_unwatch(struct pool *p);

/* A client's place in BALANCE_SOURCE: the same after a restart. */
uint64_t pool_hash_client(const struct address *remote);

/*
 * Which one is this client's, of those that were not `tried` (one flag each member; not all set)?
 * One that rests or is down is passed over while there is another.
 */
size_t pool_choose(struct pool *p, uint64_t client, const bool *tried);

/* It failed at `now`: it is passed over for a moment. */
void pool_rest(struct pool *p, size_t member, int64_t now);
/* It took a connection: it does not rest any more. */
void pool_took(struct pool *p, size_t member);

/* One connection more, or less, on this member. */
void pool_enter(struct pool *p, size_t member);
void pool_leave(struct pool *p, size_t member);

#endif
