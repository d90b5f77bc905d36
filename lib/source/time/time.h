/*
 * every, after, at, cron, calendar: ticks of a clock. Private to lib/source/time.
 *
 * All five are one thing: a series of due times on one clock (series.c) that is served tick by tick
 * (ticks.c). kinds.c reads their words; put_off.c is jitter, record.c what --catch-up remembers.
 */
#ifndef EVWATCH_SOURCE_TIME_TIME_H
#define EVWATCH_SOURCE_TIME_TIME_H

#include "calendar/calendar.h"
#include "reactor/reactor.h"
#include "source/source.h"

struct zone;

enum missed { MISSED_ONE, MISSED_ALL, MISSED_NONE };

struct time_config {
	int64_t period;            /* every, after, at now+DUR: ns */
	struct calendar *calendar; /* owned; the others, and every --align; NULL: `period` */
	const struct zone *zone;   /* of the rules' set */
	char *text;                /* owned: the expression, for describe */
	bool once;                 /* after, at */
	/* options */
	bool align;
	char *tz;
	int64_t jitter, fixed_jitter;
	char *catch_up;
	int missed;   /* enum missed */
	int64_t late; /* ns: a tick that is noticed later was missed */
	int gap, fold;
};

/* ---- series ---------------------------------------------------------------------------------- */

/* The clock that the due times are on. */
enum clock series_clock(const struct time_config *c);

/*
 * The first due time strictly after `after`, of a rule started at `start` (both on series_clock).
 * False when there is none.
 */
bool series_next(const struct time_config *c, int64_t start, int64_t after,
		 struct calendar_time *due);

/*
 * How many due times lie in (after, until], and the last of them. Of a calendar at most
 * SERIES_COUNTED are counted.
 */
enum { SERIES_COUNTED = 10000 };
int64_t series_count(const struct time_config *c, int64_t start, int64_t after, int64_t until,
		     int64_t *last);

/*
 * Where the last `most` due times of (after, until] begin: of (*from, until] at most so many lie in
 * there. A long past is not counted through: the answer takes about 50 `most` steps at worst.
 */
int64_t series_tail(const struct time_config *c, int64_t start, int64_t after, int64_t until,
		    int64_t most);

/* ---- jitter ---------------------------------------------------------------------------------- */

/* How long a tick of this rule is put off: random for --jitter, the same always for
 * --fixed-jitter. */
int64_t put_off(const struct time_config *c, const char *rule);

/* ---- what was run last ----------------------------------------------------------------------- */

/* A file in the directory of --catch-up: DIR/RULE.last, beside it the lock. */
struct record {
	char *path; /* owned; NULL: nothing is remembered */
	int lock;
	int64_t last; /* due time of the last run, ns since the epoch; 0: none was recorded */
};

/* Takes the lock, and reads. Makes the directory where it is missing. Returns 0, or -1 with `e`. */
int record_open(struct record *r, struct source *s, const char *directory, struct error *e);

/* Remembers that the tick due at `at` has run. Returns 0, or -1 with `e`; r->last is set anyway. */
int record_write(struct record *r, int64_t at, struct error *e);

void record_close(struct record *r);

/* ---- the source ------------------------------------------------------------------------------ */

struct time_source {
	struct source base;
	struct timer timer;
	int64_t start;          /* of the series */
	int64_t reported;       /* due time of the last tick that was reported or dropped */
	int64_t due;            /* of the tick that is armed, or that waits for a run to end */
	int64_t put_off;        /* how long that one is put off */
	int64_t each_until;     /* --missed all: ticks up to here are owed a run each */
	int64_t skipped;        /* ticks without a run since the last one */
	int64_t emitted_missed; /* what the last tick said in EVWATCH_MISSED */
	int64_t begun;          /* due time (wall) of the last tick whose run began */
	size_t running;
	bool stopped;
	struct record record;
};

int time_open(struct source *s, struct error *e);
void time_start(struct source *s);
void time_stop(struct source *s);
void time_close(struct source *s);
int time_record_lock(const struct source *s);
void time_run_began(struct source *s, void *token);
void time_run_ended(struct source *s, void *token, const struct run_outcome *outcome);
void time_clock_changed(struct source *s);
bool time_due_in(const struct source *s, int64_t *left);

#endif
