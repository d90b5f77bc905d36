/* The processes below this one: all that its commands started, adopted ones included. */
#ifndef EVWATCH_PROCESS_DESCENDANTS_H
#define EVWATCH_PROCESS_DESCENDANTS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * A signal to every descendant of this process, adopted ones included, and CONT, so that
 * stopped ones handle it. Returns how many could be given it; 0 says that none is left, but for
 * those that may not be killed. Reaps those that nobody watches.
 */
int descendants_signal(int signal);

/*
 * KILL to every descendant until none is left. Blocks for as long as that takes: milliseconds, 2 s
 * with one that does not die.
 */
void descendants_end(void);

/* Are there any? A subreaper without a child has none, and need not read /proc to know it. */
bool descendants_exist(void);

/* The signal, and CONT where it is not KILL. True: it could be given. */
bool descendants_signal_one(pid_t pid, int signal);

/* Says of every descendant that is left that it is given up, and why. */
void descendants_give_up(void);

/* Says the same of one process; `rule` may be NULL, and `why` is an errno or 0. */
void process_give_up(const char *rule, pid_t pid, int why);

/* Makes this process a subreaper, for --no-guard. */
int descendants_adopt(void);

#endif
