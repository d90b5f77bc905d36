/* A connection that a target took, until it is over. */
#ifndef EVWATCH_SOURCE_RELAY_STREAM_PAIR_H
#define EVWATCH_SOURCE_RELAY_STREAM_PAIR_H

#include "source/relay/report.h"
#include "source/relay/stream/state.h"

/* For a client; NULL with ENOMEM, and nothing is taken over then. */
struct pair *pair_new(struct streams *t, int fd, const struct address *remote, struct peer *peer);
/* Do its pairs have a timer each? */
bool pair_is_timed(const struct streams *t);
/* An interest in changes only, or in levels where the backend has no edges: more, not less. */
unsigned pair_changes(const struct pair *p, unsigned interest);
/* A target took it, by this connection, which may be TCP: it carries from now on. */
void pair_start(struct pair *p, int fd, bool tcp);
/*
 * Ends it at once; `why` is for the log, and NULL while it is PAIR_NEW. With `reset` both sides are
 * reset.
 */
void pair_close(struct pair *p, const char *why, bool reset);

#endif
