/*
 * A sieve: which of a rule's events go on, to a command or to the printer.
 *
 *	events -> --quiet-for -> --times -> --unique -> passed
 *
 * Each stage is a file: a stage looks at one event and passes it or drops it. --quiet-for drops
 * every event and makes its own when none has come for a while. What a stage remembers of subjects
 * is bounded (subjects.h).
 */
#ifndef EVWATCH_SIEVE_SIEVE_H
#define EVWATCH_SIEVE_SIEVE_H

#include "base/option.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct event;
struct sieve;
struct reactor;

/* What a rule says. Filled through sieve_options; all zero: every event passes. */
struct sieve_config {
	int64_t quiet_for; /* ns; 0: not given */
	uint64_t times;    /* --times N/DUR; 0: not given */
	int64_t times_within;
	uint64_t by;    /* the subject that counts, from 1; 0: the first */
	int64_t unique; /* ns; 0: not given */
};

/* Ends with a NULL name. Offsets are into struct sieve_config. */
extern const struct option sieve_options[];

bool sieve_is_needed(const struct sieve_config *c);

/* Appends what the sieve does, in words for `check`: "; only the 5th time within 10m". */
void sieve_describe(const struct sieve_config *c, struct buf *out);

struct sieve_host {
	/* These events go on; lent, as to sieve_submit. */
	void (*passed)(void *owner, struct event *events, size_t n);
	/* This event does not pass. The owner closes its connection. */
	void (*dropped)(void *owner, const struct event *event);
};

/* NULL with ENOMEM. `c`, `rule` and `host` outlive the sieve. */
struct sieve *sieve_new(struct reactor *r, const struct sieve_config *c, const char *rule,
			const struct sieve_host *host, void *owner);

/* The silence of --quiet-for begins. Returns 0, or -1 with ENOMEM. */
int sieve_start(struct sieve *f);

/* Hands events in. Their order is kept; the array is used as room. */
void sieve_submit(struct sieve *f, struct event *events, size_t n);

/* Do events only end a silence? Then they need no room behind the sieve. */
bool sieve_swallows(const struct sieve *f);

/* No more events will come, nor silences. */
void sieve_stop(struct sieve *f);
void sieve_free(struct sieve *f);

#endif
