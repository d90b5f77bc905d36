/* The life of a client (relayed.h), whatever carries it: from its admission until it is over. */
#ifndef EVWATCH_SOURCE_RELAY_RELAYING_H
#define EVWATCH_SOURCE_RELAY_RELAYING_H

#include "source/relay/relayed.h"
#include "source/relay/state.h"

/*
 * May one more of this address come in (--max-per-ip)? Returns NULL, and *peer, who is to be the
 * client's, counts it where that is limited; or why not.
 */
const char *relayed_admit(struct relay_source *s, const struct address *remote, struct peer **peer);

/* Begins, in zeroed memory, as the one that was accepted last. Returns 0, or -1 with ENOMEM. */
int relayed_open(struct relayed *c, struct relay_source *s, const struct address *remote);

/* Seeks a target: the carrier's `sought` comes, at once perhaps. -1 with ENOMEM and no call. */
int relayed_seek(struct relayed *c);
/* The same, behind a target that failed; `why` is for the log. */
int relayed_seek_again(struct relayed *c, const char *why);

/* The target that was found is its own, and counts it until relayed_close. */
void relayed_serve(struct relayed *c);

/* Bytes that may go this way now (--rate), and ns until it is worth asking again. */
uint64_t relayed_allows(const struct relayed *c, enum way way);
int64_t relayed_wait(const struct relayed *c, enum way way);
/* These go this way, and are not counted yet: --rate, --dump. */
void relayed_account(struct relayed *c, enum way way, const void *bytes, size_t length);

/* It is over: counted, reported (not while it is RELAYED_NEW), and freed. */
void relayed_close(struct relayed *c, const char *why);

#endif
