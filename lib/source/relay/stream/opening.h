/* A connection from its acceptance until a target took it. */
#ifndef EVWATCH_SOURCE_RELAY_STREAM_OPENING_H
#define EVWATCH_SOURCE_RELAY_STREAM_OPENING_H

#include "source/relay/stream/state.h"

/* Of a stream, or of a listening socket: what is accepted inherits both. True: it is TCP. */
bool set_without_delay(int fd);
/* Does the client of this pair wait for another round? (struct search) */
bool opening_is_wanted(const void *pair);
/* Returns 0, or -1 when there is no memory: refused, reported, everything closed. */
int opening_start(struct streams *t, int fd, const struct address *remote, struct peer *peer);

#endif
