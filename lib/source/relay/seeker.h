/*
 * From a client to a target that takes it, for streams and datagrams alike: a target is chosen, its
 * name resolved, each address tried; one that fails is followed by the next by the policy, until
 * none is left, and after a pause all are tried again (--retry).
 *
 *	             +---- the next target ----+
 *	             v                         |
 *	IDLE --> CONNECTING --it refuses, or is late--> (all tried) --> PAUSED --+
 *	             ^  |                                   |                    |
 *	             |  +--> FOUND                          +--> given up        |
 *	             +-------------------------- a new round --------------------+
 *	CONNECTING --no descriptor, no memory--> STARVED --one is free--> CONNECTING
 *
 * Resolving and connecting to a target take --connect-timeout together. What this machine lacks
 * says nothing about a target: for descriptors and memory the client waits, so long at most;
 * without a local port the next target is tried, which another one may have.
 *
 * A connection of datagrams stands at once, and is refused later, if at all: then seeker_again goes
 * on from there.
 */
#ifndef EVWATCH_SOURCE_RELAY_SEEKER_H
#define EVWATCH_SOURCE_RELAY_SEEKER_H

#include <stdbool.h>

struct relayed;
struct relay_source;
struct seeker;

void search_init(struct relay_source *s);
void search_close(struct relay_source *s);
/* A descriptor may be free: those that starve try again in the next turn. */
void search_feed(struct relay_source *s);
/* Do some starve? */
bool search_starves(const struct relay_source *s);

/* For this client; finds nothing yet. NULL with ENOMEM. */
struct seeker *seeker_new(struct relayed *c);
/* Ends what is under way. NULL is none. */
void seeker_free(struct seeker *k);

/*
 * Each of these makes the carrier's `sought` come once, at once perhaps, with a socket
 * (non-blocking, close-on-exec) connected to the client's target, which counts it among its
 * connections from now on (pool_leave); or with -1: none took it. The seeker may be freed
 * inside.
 */
void seeker_start(struct seeker *k);
/* The socket that came, perhaps to another seeker, failed, and is closed. `why` is for the log. */
void seeker_again(struct seeker *k, const char *why);

/* Is there another address, or target, to try when the socket that came fails? */
bool seeker_has_more(const struct seeker *k);
/* Does it wait for a new round, or for a descriptor? */
bool seeker_is_waiting(const struct seeker *k);

#endif
