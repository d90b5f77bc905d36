/*
 * Datagrams that wait for a target's address, or for its first answer: one bounded store for all
 * sessions of a relay. Where it is full, those of the session that sent none for longest go.
 */
#ifndef EVWATCH_SOURCE_RELAY_UDP_STORE_H
#define EVWATCH_SOURCE_RELAY_UDP_STORE_H

#include "base/buf.h"
#include "base/list.h"

#include <stdint.h>

enum { STORE_MOST = 4 * 1024 * 1024, QUEUE_MOST = 16 };

struct store {
	struct link queues; /* that hold any, the one that was added to last behind all others */
	size_t bytes;
};

/* Those of one session, in order. */
struct held_queue {
	struct link link;
	struct buf bytes; /* of each datagram its length (a uint32_t), and then itself */
	uint32_t n;
	uint64_t dropped; /* to make room for others */
};

/* Keeps a copy in a queue whose link is initialised. False: it is full, or there is no memory. */
bool store_add(struct store *s, struct held_queue *q, const void *bytes, uint32_t length);

/* Forgets all of the queue. */
void store_drop(struct store *s, struct held_queue *q);

/* The datagram at *at, which goes on to the next one: begins with 0. NULL: there is none. */
const char *held_next(const struct held_queue *q, size_t *at, uint32_t *length);

#endif
