/*
 * Records that wait, in queues of many owners, in memory that is bounded for all of them together.
 * Where there is no room, the queue that was added to longest ago is emptied.
 */
#ifndef EVWATCH_BASE_STORE_H
#define EVWATCH_BASE_STORE_H

#include "base/buf.h"
#include "base/list.h"

#include <stdint.h>

struct store {
	struct link queues; /* that hold any, the one that was added to last behind all others */
	size_t bytes, bytes_most;
	uint32_t queue_most;
};

/* Those of one owner, in order. */
struct held_queue {
	struct link link;
	struct buf bytes; /* of each record its length (a uint32_t), and then itself */
	uint32_t n;
	uint64_t dropped; /* to make room for others */
};

/* So many bytes in all, more than any queue has of itself, and so many records in a queue. */
void store_init(struct store *s, size_t bytes_most, uint32_t queue_most);

/* Keeps a copy in a queue whose link is initialised. False: it is full, or there is no memory. */
bool store_add(struct store *s, struct held_queue *q, const void *bytes, uint32_t length);

/* Forgets all of the queue. */
void store_drop(struct store *s, struct held_queue *q);

/* The record at *at, which goes on to the next one: begins with 0. NULL: there is none. */
const char *held_next(const struct held_queue *q, size_t *at, uint32_t *length);

#endif
