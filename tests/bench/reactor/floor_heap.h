/* The timers of the floor: a 4-ary heap with the keys beside the pointers, and nothing else. */
#ifndef BENCH_REACTOR_FLOOR_HEAP_H
#define BENCH_REACTOR_FLOOR_HEAP_H

#include <stdint.h>

struct floor_timer {
	void (*call)(struct floor_timer *t);
	uint32_t place; /* in the heap + 1; 0: not armed */
};

struct floor_entry {
	int64_t key;
	struct floor_timer *timer;
};

struct floor_heap {
	struct floor_entry *entries;
	uint32_t count, room;
};

/* Arms it, or moves it when it is armed. */
void floor_heap_set(struct floor_heap *h, struct floor_timer *t, int64_t key);
void floor_heap_remove(struct floor_heap *h, struct floor_timer *t);

#endif
