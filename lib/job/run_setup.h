/* What all runs of one rule share, and the calls back to its owner. The job owns it; it outlives
 * the runs.
 */
#ifndef EVWATCH_JOB_RUN_SETUP_H
#define EVWATCH_JOB_RUN_SETUP_H

#include "job/config.h"
#include "job/failure.h"
#include "output/output.h"
#include "process/launch.h"

struct buf;
struct event;
struct reactor;
struct run;
struct sink;

/* What a run asks and tells its owner. */
struct run_host {
	/* Its first attempt has started. */
	void (*began)(struct run *run);
	/* A process could be made, and its command was executed. */
	void (*executed)(struct run *run);
	/*
	 * There are no means to start it (memory, processes, descriptors): it is WAITING again, and
	 * the owner launches it anew. -1: it cannot be put off.
	 */
	int (*postponed)(struct run *run, const char *step, int why);
	/* It is over. Frees the run. */
	void (*over)(struct run *run);
	/* Appends an event of the run of this ordinal as one line of JSON, for --stdin json. */
	void (*event_json)(void *owner, struct buf *out, const struct event *event,
			   const char *kind, uint64_t ordinal);
};

struct run_setup {
	/* The owner fills these. */
	struct reactor *reactor;
	const struct job_config *config;
	const struct command *command;
	const char *rule;
	const struct inherited *inherited;
	const struct passed *passed; /* sockets for the command; NULL: none */
	const struct run_host *host;
	void *owner;
	int null; /* /dev/null, for input */

	/* run_setup_open fills these. */
	struct surroundings around;
	struct program program;
	struct output_plan output;
	struct starts starts; /* where several may run at once */
	struct failures failures;
	bool logged_cut; /* that an argument was cut */
};

/* `out` and `err` are where --tag and --output group write. Returns 0, or -1 with `e`. */
int run_setup_open(struct run_setup *s, struct sink *out, struct sink *err, struct error *e);
void run_setup_close(struct run_setup *s);

#endif
