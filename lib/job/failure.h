/*
 * Commands that cannot be started. The first failure is logged at once; equal ones
 * are counted, and logged as a number once a second: a queue of 100,000 is no log of 100,000 lines.
 */
#ifndef EVWATCH_JOB_FAILURE_H
#define EVWATCH_JOB_FAILURE_H

#include "reactor/reactor.h"

#include <stdint.h>

struct program;
struct surroundings;

struct failures {
	struct reactor *reactor;
	const char *rule;
	const struct program *program;
	const struct surroundings *around;
	struct timer second; /* active: the last one was logged less than a second ago */
	const char *step;    /* that one; a literal */
	int why;
	uint64_t unlogged; /* equal ones since */
};

/* All of these outlive it. */
void failures_init(struct failures *f, struct reactor *r, const char *rule,
		   const struct program *program, const struct surroundings *around);

/* The command could not be started: this step (launch_start) failed with this errno. */
void failures_add(struct failures *f, const char *step, int why);

/* Logs the number of failures that were only counted. */
void failures_close(struct failures *f);

#endif
