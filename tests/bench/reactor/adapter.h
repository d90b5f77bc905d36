/*
 * One interface for every loop that is measured: a floor by hand, ours, and the peers.
 *
 * An adapter only speaks its loop's language, a native callback for each reaction; the work, the
 * clock and the figures are the cases'. Every measurement is a process of its own, so nothing is
 * ever closed or freed.
 */
#ifndef BENCH_REACTOR_ADAPTER_H
#define BENCH_REACTOR_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

/* What the callback of a descriptor does. */
enum reaction {
	REACT_COUNT,   /* nothing: the loop's own cost */
	REACT_RESTART, /* stops and starts its watcher */
	REACT_PASS_ON, /* reads a byte, and writes one to the next pair of the chain */
	REACT_BATCH,   /* calls tally.batch, so that it runs inside of the loop */
};

/* All that callbacks touch, and all that is looked at after a turn. */
struct tally {
	unsigned long calls, until; /* turns go on until `calls` is that */
	int *from, *to;             /* chain: pair i is read from from[i], written to to[i] */
	int pairs;
	long writes; /* left */
	void (*batch)(void);
};
extern struct tally tally;

static inline void count(void)
{
	tally.calls++;
}

static inline void pass_on(int i)
{
	char byte;

	tally.calls += read(tally.from[i], &byte, 1) == 1;
	if (tally.writes > 0 && write(tally.to[i + 1 < tally.pairs ? i + 1 : 0], "e", 1) == 1)
		tally.writes--;
}

struct loop; /* each adapter's own */

/* Without one of the kinds, its verbs are NULL and the case is left out. */
struct verbs {
	/* `option` is the backend of ours. NULL: not to be had here. */
	struct loop *(*open)(const char *option);
	/* One iteration, which waits until something happened. */
	void (*turn)(struct loop *l);

	/* How many priorities there are, watcher i having i modulo those; before io_open. */
	void (*io_prioritize)(struct loop *l, int priorities);
	/* Descriptors: watchers 0 to n - 1, for reading. */
	void (*io_open)(struct loop *l, const int *fds, int n, enum reaction reaction);
	void (*io_start)(struct loop *l, int from, int to);
	void (*io_stop)(struct loop *l, int from, int to);
	void (*io_flip)(struct loop *l, int n,
			bool write); /* started ones: to writing or reading */

	/* Timers 0 to n - 1, which count; `after` is in ns from the loop's own idea of now. */
	void (*timer_open)(struct loop *l, int n);
	void (*timer_start)(struct loop *l, const uint32_t *which, const int64_t *after, int n);
	void (*timer_stop)(struct loop *l, const uint32_t *which, int n);
	/* Timer 0 at a time of CLOCK_MONOTONIC, as exactly as the loop can. */
	void (*timer_at)(struct loop *l, int64_t deadline);

	void (*signal_open)(struct loop *l, int number); /* counts */
	void (*waker_open)(struct loop *l);              /* counts */
	void (*wake)(struct loop *l);                    /* from another thread */
	/* `any`: waits for any child, as the peers always do; otherwise each by its pidfd. */
	void (*child_open)(struct loop *l, int n, bool any);
	/* Starts `path` and counts its end, once it is reaped. `slot` is below n and free. */
	void (*child_start)(struct loop *l, int slot, const char *path);

	size_t io_bytes, timer_bytes; /* of a watcher, with what a table keeps for it */
};

extern const struct verbs floor_verbs, evwatch_verbs, libevent_verbs, libev_verbs, libuv_verbs;

/* ---- what several adapters need ---- */
/* posix_spawn of `path`; ends the process when that fails. */
pid_t start_program(const char *path);
/* calloc that ends the process instead of failing. */
void *take(size_t count, size_t size);
/* Tells what failed, by errno, and ends the process. */
_Noreturn void fail(const char *what);
/* Ends the process unless `result` is 0 or more; returns it. */
static inline int must(int result, const char *what)
{
	if (result < 0)
		fail(what);
	return result;
}
int64_t nanoseconds_now(void);

#endif
