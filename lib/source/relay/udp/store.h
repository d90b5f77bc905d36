/*
 * Datagrams that wait for a target's address, or for its first answer: one bounded store for all
 * sessions of a relay. The oldest make room for new ones.
 */
#ifndef EVWATCH_SOURCE_RELAY_UDP_STORE_H
#define EVWATCH_SOURCE_RELAY_UDP_STORE_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STORE_MOST = 4 * 1024 * 1024, QUEUE_MOST = 16 };

struct store {
	struct link held; /* of all queues, the oldest first */
	size_t bytes;
};

/* Those of one session, in order. */
struct held_queue {
	struct link held;
	size_t n;
	uint64_t dropped; /* to make room for others */
};

struct held {
	struct link of_store, of_queue;
	struct held_queue *queue;
	size_t length;
	char bytes[];
};

void store_init(struct store *s);
void held_queue_init(struct held_queue *q);

/* Keeps a copy. False: the queue is full, or there is no memory. */
bool store_add(struct store *s, struct held_queue *q, const void *bytes, size_t length);

/* Forgets all of the queue. */
void store_drop(struct store *s, struct held_queue *q);

#endif
