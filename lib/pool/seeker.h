/*
 * From a client to a member of a pool that takes it, for streams and datagrams alike: a member is
 * chosen, its name resolved, each address tried; one that fails is followed by the next by the
 * policy, until none is left, and after a pause all are tried again.
 *
 *	             +---- the next member ----+
 *	             v                         |
 *	IDLE --> CONNECTING --it refuses, or is late--> (all tried) --> PAUSED --+
 *	             ^  |                                   |                    |
 *	             |  +--> FOUND                          +--> given up        |
 *	             +-------------------------- a new round --------------------+
 *	CONNECTING --no descriptor, no memory--> STARVED --one is free--> CONNECTING
 *
 * Resolving and connecting to a member take the timeout together. What this machine lacks says
 * nothing about a member: for descriptors and memory the client waits, so long at most; without a
 * local port the next member is tried, which another one may have.
 *
 * A connection of datagrams stands at once, and is refused later, if at all: then seeker_again goes
 * on from there.
 */
#ifndef EVWATCH_POOL_SEEKER_H
#define EVWATCH_POOL_SEEKER_H

#include "base/list.h"
#include "pool/pool.h"

/* What the owner of a search is asked, and learns. `client` is as given to seeker_new. */
struct search_calls {
	/*
	 * The search is over: with a socket (non-blocking, close-on-exec) connected to the client's
	 * member, which counts it among its connections from now on (pool_leave); or with -1: none
	 * took it. The seeker may be freed inside.
	 */
	void (*sought)(void *client, int fd);
	/* Does this one wait for another round? NULL: each does. */
	bool (*wanted)(const void *client);
	/* Ends something of less use than this one. NULL: there never is any. */
	bool (*make_room)(void *client);
};

/* What all seekers of a pool share. */
struct search {
	/* Public, before search_init; all of it outlives the search. */
	struct pool *pool;
	struct resolver *resolver;
	struct connect_config connect; /* to each member */
	uint64_t retry;                /* rounds after the first */
	const struct search_calls *calls;
	/* Fewer wait for a name than before; or some starve, or none does any more. */
	void (*changed)(void *owner);
	void *owner;

	bool logged_none; /* public: that no member can be reached, since one could be */
	/* Private. */
	struct link starved;
	struct timer feed; /* looks after them */
	bool logged_starved;
	int most; /* descriptors (fd_most_for_peers) */
};

struct seeker;

void search_init(struct search *s);
void search_close(struct search *s);
/* A descriptor may be free: those that starve try again in the next turn. */
void search_feed(struct search *s);
/* Do some starve? */
bool search_starves(const struct search *s);

/*
 * For this client, whose `hash` is pool_hash_client's; finds nothing yet. *member, which outlives
 * the seeker, is the one that it is at. NULL with ENOMEM.
 */
struct seeker *seeker_new(struct search *s, void *client, uint64_t hash, uint32_t *member);
/* Ends what is under way. NULL is none. */
void seeker_free(struct seeker *k);

/* Each of these makes `sought` come once, at once perhaps. */
void seeker_start(struct seeker *k);
/* The socket that came, perhaps to another seeker, failed, and is closed. `why` is for the log. */
void seeker_again(struct seeker *k, const char *why);

/* Is there another address, or member, to try when the socket that came fails? */
bool seeker_has_more(const struct seeker *k);
/* Does it wait for a new round, or for a descriptor? */
bool seeker_is_waiting(const struct seeker *k);

#endif
