/*
 * What signal handlers leave for one reader: a ring without locks, for a handler may interrupt
 * another, the reader, and handlers of other threads.
 */
#ifndef EVWATCH_BASE_SIGNAL_RING_H
#define EVWATCH_BASE_SIGNAL_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* The part of siginfo_t that is of use (sigaction(2)). */
struct signal_info {
	int number;
	int code;  /* si_code */
	pid_t pid; /* sender, or 0 */
	uid_t uid;
	int value; /* sigqueue(3) */
};

enum { SIGNAL_RING = 2048 };

struct signal_ring {
	atomic_uint written, read; /* how many ever were: they wrap around */
	struct {
		struct signal_info info;
		atomic_bool filled; /* a writer may be interrupted once it has its place */
	} places[SIGNAL_RING];
};

/*
 * For handlers. Returns how many are unread now; one that finds no room is lost, but nothing else:
 * it takes no place.
 */
unsigned signal_ring_put(struct signal_ring *r, const struct signal_info *info);

/* For the one reader. */
bool signal_ring_take(struct signal_ring *r, struct signal_info *info);

#endif
