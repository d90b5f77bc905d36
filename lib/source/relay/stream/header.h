/* The PROXY header in front of a connection: read from clients, sent to targets. */
#ifndef EVWATCH_SOURCE_RELAY_STREAM_HEADER_H
#define EVWATCH_SOURCE_RELAY_STREAM_HEADER_H

#include "source/relay/stream/state.h"

/* Reads the client's, then calls owner->known; or refuses and ends the pair. */
void header_await(struct pair *p);
/* Sends one to the target. Returns 0, or -1 with errno. */
int header_send(const struct pair *p, int fd);

#endif
