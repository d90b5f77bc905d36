/*
 * --restart: whether a command that has ended is started again, and how long after. Of `run`, and
 * of the command of `lines --of`.
 */
#ifndef EVWATCH_SOURCE_RESTART_H
#define EVWATCH_SOURCE_RESTART_H

#include <stdbool.h>
#include <stdint.h>

enum restart { RESTART_NO, RESTART_FAILURE, RESTART_ALWAYS };

/* The words of the option, in the order of enum restart; NULL ends them. */
extern const char *const restart_words[];
/* For check: ", started again after a failure"; "" for RESTART_NO. */
extern const char *const restart_said[];

/* After an end with this status, as a shell counts it. */
bool restart_is_wanted(enum restart how, int status);

/*
 * The wait before the next start: `first`, then doubling to `most`; from `first` again after a run
 * that was longer than `most`. All in ns; *wait is that of the last time, 0 to begin with.
 */
int64_t restart_wait(int64_t *wait, int64_t ran, int64_t first, int64_t most);

#endif
