/*
 * A feed: the way of one rule's events to a job, its own or that of --to.
 *
 * It gathers events into batches (--debounce, --max-wait), hands them on no more often than
 * --throttle lets it, and splits them by path (--each). What happens while the command runs is the
 * job's decision. Several feeds may lead to one job: their batches stay apart.
 */
#ifndef EVWATCH_JOB_FEED_H
#define EVWATCH_JOB_FEED_H

#include "base/list.h"
#include "reactor/reactor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch;
struct event;
struct job;

struct feed_config {
	int64_t debounce; /* ns; 0: none */
	int64_t max_wait; /* ns */
	int64_t throttle; /* ns between two starts; 0: none */
	bool one_by_one;  /* each event is a batch of its own, in order; with --throttle, at its
			     pace */
	bool gathers;     /* the source merges what happens while there is no room here */
	bool each;        /* a batch for each event, by its first subject (struct batch, `key`) */
};

struct feed_host {
	/* An event of this token led to no run. */
	void (*dropped)(void *owner, void *token);
	/* feed_has_room may have changed to true, or feed_idle to true. */
	void (*room)(void *owner);
};

struct feed {
	struct reactor *reactor;
	struct feed_config config;
	struct job *job;  /* borrowed */
	const char *rule; /* for the log */
	const char *kind; /* EVWATCH_SOURCE */
	const struct feed_host *host;
	void *owner;
	struct link waiting; /* batches, in order; but for one_by_one at most one, which grows */
	size_t n_waiting;
	struct batch *parts; /* a batch that is still being handed in; NULL: none */
	size_t unstarted;    /* batches that the job has, and has not begun or dropped */
	int64_t since;       /* when the batch that grows began */
	int64_t due;         /* when it is handed on, but for --throttle */
	int64_t last_start;
	struct timer timer;
};

/* `job`, `rule`, `kind`, `host` outlive the feed. */
void feed_init(struct feed *f, struct reactor *r, const struct feed_config *config, struct job *job,
	       const char *rule, const char *kind, const struct feed_host *host, void *owner);

/* Events of one turn make one batch, unless they go one by one. Takes their connections over. */
void feed_submit(struct feed *f, const struct event *events, size_t n);

/*
 * A part of a large batch, which feed_submit ends, with events or without, in a later turn. Without
 * parts feed_submit of no event does nothing.
 */
void feed_gather(struct feed *f, const struct event *events, size_t n);

/* Past gathering and throttle: a run that is asked for by hand, or the one at the start. */
void feed_submit_now(struct feed *f, const struct event *events, size_t n);

/*
 * Another job takes the events, as a reload has replaced the old one: what waits here is handed on
 * to it, at the pace that was. What the old job has is reported as dropped.
 */
void feed_turn(struct feed *f, struct job *job);

/* Would a further event be handed on, not pile up here? */
bool feed_has_room(const struct feed *f);
bool feed_idle(const struct feed *f);

/* Drops what waits, and takes back what the job has not begun. */
void feed_stop(struct feed *f);

/* The same, and the job forgets the feed: the ends of runs that go on are reported no more. */
void feed_close(struct feed *f);

/* ---- what the job says of a feed's batches --------------------------------------------------- */

/* The first run of one starts. */
void feed_began(struct feed *f);
/* The end of its runs is not reported any more: its tokens go back now. */
void feed_part(struct batch *b);
/* The batch led to no run (skipped, stopped): its tokens go back. The reference stays. */
void feed_give_up(struct batch *b);

#endif
