/*
 * A run: one execution of the rule's command, from its launch to its end.
 *
 *	WAITING --launch--> RUNNING --ended--> (over)
 *	 ^    |                |  \--stop, timeout--> STOPPING --ended, group gone--> (over)
 *	 |    |                |  failed, retries left
 *	 +----|--- BACKOFF <---+
 *	 |    |
 *	 +----+--- no means for a process: the job puts it back into its queue
 *	      +--- it cannot be executed --> FAILED --next turn--> (over)
 *
 * Of a start that was not waited for, both are known when its child ends; until then it is RUNNING.
 *
 * Its owner, the job, is told when it is over.
 */
#ifndef EVWATCH_JOB_RUN_H
#define EVWATCH_JOB_RUN_H

#include "base/list.h"
#include "job/batch.h"
#include "job/job.h"
#include "output/output.h"
#include "process/terminal.h"
#include "reactor/reactor.h"

struct job;
struct start;

enum run_state { RUN_WAITING, RUN_RUNNING, RUN_STOPPING, RUN_BACKOFF, RUN_FAILED };

struct run {
	struct link link; /* in the job's queue, or among its runs */
	struct job *job;
	struct batch *batch;
	size_t from, to; /* its share of the batch's subjects */
	bool last_share; /* the batch ends with it */
	enum run_state state;
	uint64_t ordinal;
	pid_t pid;
	int status;        /* as a shell counts it */
	int forced_status; /* 124 after a timeout; -1: none */
	bool unwanted;     /* stopped on purpose: no retry */
	bool told;         /* that it began */
	uint64_t attempts;
	int64_t started, backoff;
	struct start *start; /* that nobody waits for; NULL: its command is known to be executed */
	struct child_watcher child;
	struct timer timeout; /* --timeout, then --stop-timeout, then glances at the group */
	struct timer again;   /* the end of a backoff */
	struct timer over;    /* the end of one that could not be started */
	int64_t kill_at;
	struct output output;
	struct terminal terminal;
};

/* One share of a batch. NULL with ENOMEM; the batch gets a reference. */
struct run *run_new(struct job *j, struct batch *b, size_t from, size_t to);
void run_free(struct run *run);

/* Starts it. Whatever happens, job_run_over is called in the end, in a later turn. */
void run_launch(struct run *run);

/* Stop signal to its group, KILL after --stop-timeout. */
void run_stop(struct run *run);
void run_kill(struct run *run);

/* A signal to its group. */
void run_signal(const struct run *run, int number);

#endif
