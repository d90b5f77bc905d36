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
#include <stddef.h>

struct address;
struct relay_source;
struct seeker;

void search_init(struct relay_source *s);
void search_close(struct relay_source *s);
/* A descriptor may be free: those that starve try again in the next turn. */
void search_feed(struct relay_source *s);
/* Do some starve? */
bool search_starves(const struct relay_source *s);

/*
 * A socket (non-blocking, close-on-exec) connected to seeker_target, which counts the owner among
 * its connections from now on (targets_leave); or -1: none took it. The seeker may be freed inside.
 */
typedef void sought_call(void *owner, int fd);

/* Finds nothing yet. NULL with ENOMEM. */
struct seeker *seeker_new(struct relay_source *s, sought_call *call, void *owner);
/* Ends what is under way. NULL is none. */
void seeker_free(struct seeker *k);

/*
 * Each of these makes the call come once, at once perhaps: the seeker may be gone then.
 *
 * Seeks for a client at this address.
 */
void seeker_start(struct seeker *k, const struct address *remote);
/* The socket that came failed, and is closed: seeks on. `why` is for the log. */
void seeker_again(struct seeker *k, const char *why);
/* As seeker_start, after a target that was found by another seeker, and failed. */
void seeker_start_after(struct seeker *k, const struct address *remote, size_t target,
			const char *why);

size_t seeker_target(const struct seeker *k);
/* Is there another address, or target, to try when the socket that came fails? */
bool seeker_has_more(const struct seeker *k);
/* Does it wait for a new round, or for a descriptor? */
bool seeker_is_waiting(const struct seeker *k);

#endif
