/* The processes below this one: all that its commands started, adopted ones included. */
#ifndef EVWATCH_PROCESS_DESCENDANTS_H
#define EVWATCH_PROCESS_DESCENDANTS_H

/*
 * Ends every descendant of this process, adopted ones included: `signal` to each. Returns how many
 * processes were found; 0 says that none is left. Reaps those that nobody watches.
 */
int descendants_signal(int signal);

/* KILL to every descendant until none is left. Blocks for as long as that takes (milliseconds). */
void descendants_end(void);

/* Makes this process a subreaper, for --no-guard. */
int descendants_adopt(void);

#endif
