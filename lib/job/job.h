/*
 * A job: a rule's right half. It turns batches of events into runs of the rule's command.
 *
 * It owns the queue of batches that wait, the runs that go on, and what to do when both meet
 * (--on-busy). Batches come from feeds (feed.h): the rule's own, and those of rules with --to.
 */
#ifndef EVWATCH_JOB_JOB_H
#define EVWATCH_JOB_JOB_H

#include "event/event.h"
#include "base/histogram.h"
#include "job/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch;
struct buf;
struct error;
struct feed;
struct job;
struct reactor;
struct sink;

/* How one run ended. */
struct run_result {
	uint64_t ordinal; /* EVWATCH_COUNT */
	int status;       /* as a shell counts it: 0 to 255, 124 timeout, 126, 127, 128 + signal */
	int signal;       /* that ended the command; 0: none */
	pid_t pid;        /* 0: it could not be started */
	int64_t duration; /* ns, of its last attempt */
	bool timed_out;   /* --timeout stopped it */
	bool stopped;     /* evwatch stopped it on purpose */
	uint64_t attempts;
	void *sender; /* the owner of the feed that its events came from; NULL: that is closed */
	void *token;  /* of its batch's first event; NULL: other runs of the batch go on */
	/* With the batch's last run: what the batch came to. Else NULL. */
	const struct batch *batch;
	int64_t batch_duration;
	const char *output; /* captured (event.capture), else NULL */
	size_t output_length;
};

/* What a job asks and tells its owner. Any of them may be followed by job_free in a later turn
 * only. */
struct job_host {
	/* May a further run start? It is asked again when one has ended. */
	bool (*may_start)(void *owner);
	/* `sender` as in run_result. */
	void (*began)(void *owner, uint64_t ordinal, pid_t pid, void *sender, void *token);
	void (*ended)(void *owner, const struct run_result *result);
	/* The run of an event with a ticket is over; `result` NULL: it led to no run. */
	void (*ticket)(void *owner, uint64_t ticket, const struct run_result *result);
	/* job_has_room may have changed to true, or job_idle to true. */
	void (*room)(void *owner);
	/* Appends an event of this run as one line of JSON, for --stdin json. */
	void (*event_json)(void *owner, struct buf *out, const struct event *event,
			   const char *kind, uint64_t ordinal);
};

struct job_setup {
	struct reactor *reactor;
	const struct job_config *config;   /* outlives the job */
	const struct command *command;     /* outlives the job */
	const char *rule;                  /* EVWATCH_RULE */
	const struct inherited *inherited; /* outlives the job */
	const struct passed *passed;       /* the same; NULL: no --socket */
	int null;                          /* /dev/null, for input; outlives the job */
	struct sink *out, *err; /* where --tag and --output group write; outlive the job */
	const struct job_host *host;
	void *owner;
};

/* A job with its defaults resolved (no -1 and 0 left in on_busy and jobs). NULL with `e`. */
struct job *job_new(const struct job_setup *setup, struct error *e);

/* Events of one batch make one run, if their subjects fit. Takes the reference over. */
void job_submit(struct job *j, struct batch *b);

/* While it is paused every event waits, or is treated, as behind a busy command. */
void job_pause(struct job *j, bool paused);

/* While it is held no run starts, and events that --on-busy would drop wait, too. */
void job_hold(struct job *j, bool held);

/* Stops what runs now, with all retries; what waits goes on. Returns how many runs. */
size_t job_stop_runs(struct job *j);

/* Would an event be run at once? While false, sources that can wait are paused. */
bool job_has_room(const struct job *j);

/* With --each: is an event of this subject to wait, for the end of the run that it has, or (where
 * the owner is not paused while there is no room) for a free place? NULL: one that has no run. */
bool job_is_busy(const struct job *j, const char *subject);

/* Drops what it has not begun of this feed. */
void job_withdraw(struct job *j, const struct feed *f);

/* The same, and runs that go on no longer belong to this feed. */
void job_forget(struct job *j, const struct feed *f);

/* The same, and their tokens go back (feed_part). */
void job_hand_back(struct job *j, const struct feed *f);

/* Nothing queued or running. */
bool job_idle(const struct job *j);

/* No new runs: drops what waits, stop signal to what runs, KILL after --stop-timeout. */
void job_stop(struct job *j);

/* No new runs and KILL at once. */
void job_kill(struct job *j);

/* Opens the file of --output anew, as after a rotation; what fails is logged. */
void job_reopen_output(struct job *j);
/* Its rule has another name now, at the same place in memory. */
void job_renamed(struct job *j);

/* The job must be idle. */
void job_free(struct job *j);

struct job_stats {
	uint64_t runs, failures, skipped;
	size_t running, queued;
	int last_status;   /* -1: no run ended yet */
	bool last_stopped; /* by evwatch: it did not fail, whatever its status */
	int64_t last_duration;
	int64_t last_end; /* wall clock, ns */
	int last_failure_status;
	int64_t last_failure; /* wall clock, ns; 0: none failed yet */
};
void job_stats(const struct job *j, struct job_stats *stats);

/* How long its runs took. */
const struct histogram *job_durations(const struct job *j);

#endif
