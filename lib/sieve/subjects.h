/*
 * Subjects that were seen, each by its hash: a bounded memory of 100,000 of them. When it is full,
 * the subject that was silent longest is forgotten, which is logged once. Subjects that have been
 * silent for longer than the time that counts are forgotten as others come.
 */
#ifndef EVWATCH_SIEVE_SUBJECTS_H
#define EVWATCH_SIEVE_SUBJECTS_H

#include "base/list.h"
#include "base/table.h"

#include <stdint.h>

struct event;

struct subject {
	struct link link; /* from the one seen last to the one silent longest */
	uint64_t hash;
	int64_t seen;   /* when an event of it came last */
	int64_t passed; /* when one passed; 0: none did */
	int64_t *times; /* owned: when it came, the oldest first */
	size_t n_times, capacity;
};

struct subjects {
	struct table table;
	struct link order;
	const char *rule, *option; /* for the message */
	int64_t keep;              /* ns: what is silent for longer means nothing any more */
	bool warned;
};

void subjects_init(struct subjects *s, const char *rule, const char *option, int64_t keep);

/* The subject number `by` (from 1) of an event at `now`. NULL: out of memory. */
struct subject *subjects_see(struct subjects *s, const struct event *event, uint64_t by,
			     int64_t now);

void subjects_free(struct subjects *s);

#endif
