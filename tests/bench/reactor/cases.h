/* The cases: each is the same work through an adapter's verbs, and a row of the table. */
#ifndef BENCH_REACTOR_CASES_H
#define BENCH_REACTOR_CASES_H

#include "adapter.h"

enum { FIGURES = 4 };

/* One measurement. */
struct bench {
	const struct verbs *verbs;
	struct loop *loop;
	int n;       /* descriptors, timers */
	int active;  /* chain: how many at once; timers: how often they fire; children: any */
	long repeat; /* how often, in the unit of the case */
	const char *program; /* that children run */
};

/* Where a figure must not be above `most`. */
enum limit {
	NO_LIMIT,
	OF_FLOOR /* times the floor's */,
	IN_UNITS,
	OF_EPOLL /* on io_uring, times epoll's */,
	OF_PEERS /* times the best peer's */
};

struct figure {
	const char *name, *unit;
	enum limit limit;
	double most;
};

struct row {
	const char *name;
	void (*run)(struct bench *b, double *figures);
	int n, active;
	long repeat;
	int rounds;
	bool any_backend; /* the same on each of ours: measured on epoll alone */
	struct figure figures[FIGURES];
};

extern const struct row rows[]; /* the last has no name */

/* ---- timer_cases.c, event_cases.c ---- */
void run_timers(struct bench *b, double *figures);
void run_idle(struct bench *b, double *figures);
void run_lone_timer(struct bench *b, double *figures);
void run_signals(struct bench *b, double *figures);
void run_signals_with_values(struct bench *b, double *figures);
void run_signals_waiting(struct bench *b, double *figures);
void run_wake(struct bench *b, double *figures);
void run_children(struct bench *b, double *figures);

/* ---- what they share: cases.c ---- */
/* Eventfds: `n` that never become readable, then `ready` that always are. */
int *eventfds(int n, int ready);
/* Turns until `calls` more callbacks ran. Returns how long that took. */
int64_t turns_for(struct bench *b, unsigned long calls);

#endif
