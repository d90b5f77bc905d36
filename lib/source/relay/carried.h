/* A connection, or a UDP session, as events, log and --dump report it. */
#ifndef EVWATCH_SOURCE_RELAY_CARRIED_H
#define EVWATCH_SOURCE_RELAY_CARRIED_H

#include "address/address.h"

#include <stddef.h>

struct carried {
	struct address remote;
	uint64_t number; /* of those that were accepted; from 1 */
	size_t target;
	uint64_t to, from; /* bytes towards the target, and from it */
	uint64_t lost;     /* datagrams */
	int64_t started;   /* on the loop's clock */
};

#endif
