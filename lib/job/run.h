/*
 * A run: one execution of the rule's command, from its launch to its end. Its states, and what
 * leads from one to the next (run_become in run.c is the only place that changes them):
 *
 *	WAITING   launched: RUNNING; not executable: FAILED; no means for it: WAITING again
 *	RUNNING   its command ended: BACKOFF or OVER, or CLEARING where the kind wants nothing left
 *	          behind; stop or timeout: STOPPING; its start, which was not waited for
 *	          (`start`), failed: FAILED or WAITING
 *	STOPPING  its command ended: CLEARING
 *	CLEARING  all that it started is gone: BACKOFF or OVER
 *	BACKOFF   launched again, after a failure: as from WAITING; stop: OVER
 *	FAILED    in the next turn of the loop: BACKOFF or OVER
 *	OVER      its owner frees it
 *
 * The owner is the job, which a run does not know: it calls back through struct run_host, in
 * run_setup.h.
 */
#ifndef EVWATCH_JOB_RUN_H
#define EVWATCH_JOB_RUN_H

#include "base/list.h"
#include "job/batch.h"
#include "output/output.h"
#include "process/sweep.h"
#include "process/terminal.h"
#include "reactor/reactor.h"

struct run_setup;
struct start;

enum run_state {
	RUN_WAITING,
	RUN_RUNNING,
	RUN_STOPPING,
	RUN_CLEARING,
	RUN_BACKOFF,
	RUN_FAILED,
	RUN_OVER,
};

struct run {
	struct link link; /* the owner's */
	struct run_setup *setup;
	struct share share;
	enum run_state state;
	uint64_t ordinal; /* the owner sets it before the first launch */
	pid_t pid;
	int status;        /* as a shell counts it */
	int signal;        /* that ended the command; 0: none */
	int forced_status; /* 124 after a timeout; -1: none */
	bool unwanted;     /* stopped on purpose: no retry */
	bool announced;    /* its start was logged */
	bool gave_connection;
	uint64_t attempts;
	int64_t started, backoff;
	struct start *start; /* that is not waited for; NULL: its command was executed */
	struct child_watcher child;
	struct timer timeout; /* --timeout, then --stop-timeout, then glances at the group */
	struct timer again;   /* the end of a backoff */
	struct timer over;    /* the end of one that could not be started */
	int64_t kill_at;      /* when it and all that it started get KILL */
	int64_t last_at;      /* when it is given up after that; 0: KILL was not sent yet */
	int64_t glance;       /* the wait between two looks */
	char mark[48];        /* where a restart ends all that it started; else empty */
	struct sweep sweep;   /* for what carries the mark */
	struct output output;
	struct terminal terminal;
};

/* One share of a batch. NULL with ENOMEM; the batch gets a reference. */
struct run *run_new(struct run_setup *setup, struct batch *b, size_t from, size_t to);
void run_free(struct run *run);

/* Starts it. Whatever happens, host->over is called in the end, in a later turn. */
void run_launch(struct run *run);

/* Stop signal to its group, KILL after --stop-timeout. */
void run_stop(struct run *run);
void run_kill(struct run *run);

/* A signal to its group. */
void run_signal(const struct run *run, int number);

/* ---- between run.c and run_start.c ---- */
/* Leads to the next state; into OVER the run may be freed. */
void run_become(struct run *run, enum run_state next);
/* It is over, or is launched again after a failure. */
void run_end(struct run *run);
/* Waits for the end of its command. Returns 0, or -1 with errno. */
int run_watch(struct run *run);
/* `step` did not work: later again, where means are short, or else its end in the next turn. */
void run_start_failed(struct run *run, const char *step, int why);

#endif
