/*
 * What the options of a rule say about its command: a plain structure, filled through job_options.
 */
#ifndef EVWATCH_JOB_CONFIG_H
#define EVWATCH_JOB_CONFIG_H

#include "base/option.h"
#include "output/output.h"
#include "process/launch.h"

#include <stdbool.h>
#include <stdint.h>

enum on_busy { BUSY_QUEUE, BUSY_SKIP, BUSY_RESTART, BUSY_SIGNAL, BUSY_PARALLEL };
enum job_stdin { STDIN_NULL, STDIN_PATHS, STDIN_JSON, STDIN_INHERIT };

struct job_config {
	int on_busy;      /* enum on_busy; -1: the kind's default */
	int signal;       /* --signal, for BUSY_SIGNAL; default HUP */
	bool ends_whole;  /* the kind's: what a command started and left is stopped at its end */
	uint64_t jobs;    /* 0: the kind's default */
	int64_t debounce; /* ns; -1: the kind's default */
	bool debounce_auto;
	int64_t max_wait; /* ns; -1: 2 s, or ten times the debounce where that is longer */
	int64_t throttle; /* ns; 0: none */
	bool each;
	bool initial;
	int64_t timeout;              /* ns; 0: none */
	int stop_signal;              /* default TERM */
	int64_t stop_timeout;         /* ns; default 10 s */
	uint64_t retry;               /* RETRY_FOREVER: no end */
	int64_t backoff, backoff_max; /* ns; default 1 s, 1 min */
	uint64_t priority;            /* 0 to 7; default 4 */
	int stdin_mode;               /* enum job_stdin */
	bool nul;                     /* -0: --stdin paths ends each with NUL */
	struct surroundings_config around;
	struct output_config output;
};

/* Ends with a NULL name. Offsets are into struct job_config. */
extern const struct option job_options[];

void job_config_init(struct job_config *c);

#define RETRY_FOREVER UINT64_MAX

/* What --max-wait and --debounce come to; ns. */
int64_t job_max_wait(const struct job_config *c);

#endif
