/*
 * A signal to all processes that carry a run's mark, beside the loop.
 *
 * Commands of one run are known by a variable of their environment, which is handed down. To find
 * who carries it, all descendants are read from /proc (family.h), and a command may have left
 * thousands behind: so this is done in pieces of 2 ms, the rest in the next turns.
 */
#ifndef EVWATCH_PROCESS_SWEEP_H
#define EVWATCH_PROCESS_SWEEP_H

#include "process/family.h"
#include "reactor/reactor.h"

#define MARK "EVWATCH_RUN" /* MARK=value */

struct sweep;

/* `found` could be given the signal. May start the sweep again, or free what it is embedded in. */
typedef void sweep_call(struct sweep *s, int signal, size_t found);

struct sweep {
	struct reactor *reactor;
	struct timer turn;
	struct family_walk walk;
	size_t next; /* the relative that is looked at next, once the walk is over */
	size_t found;
	char *variable; /* owned; NULL: no sweep is going on */
	char *text;     /* owned; room for an environment */
	pid_t group;
	int signal;
	sweep_call *call;
};

void sweep_init(struct sweep *s, struct reactor *r, sweep_call *call);

/*
 * Gives the signal (0: none, they are only counted) to every descendant that carries this mark, or
 * comes without any from one that does, but for the process group `group`. What belongs to another
 * rule or another evwatch is left alone. One that cleared its environment and lost its parent is
 * not found. Calls back once that is done: before this returns where it takes less than 2 ms, or
 * memory is short. A sweep that is going on is begun anew.
 */
void sweep_start(struct sweep *s, const char *value, pid_t group, int signal);

/* No call comes any more. */
void sweep_stop(struct sweep *s);
bool sweep_active(const struct sweep *s);

#endif
