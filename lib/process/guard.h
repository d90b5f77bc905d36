/*
 * The guardian: nothing that a command started outlives evwatch.
 *
 * The process that the user started becomes the guardian, an ancestor of every command; it forks
 * the process that runs the loop, and hands signals with their sender on to it over a socket pair.
 * Both are subreapers (prctl(2), PR_SET_CHILD_SUBREAPER) and each watches the other's end of the
 * pair: whichever dies, the other ends every descendant.
 */
#ifndef EVWATCH_PROCESS_GUARD_H
#define EVWATCH_PROCESS_GUARD_H

#include <stdbool.h>

struct error;
struct guard;
struct reactor;

/*
 * Call first, with one thread and no descriptors of value open. Forks; returns in the child, which
 * runs the loop. The calling process stays behind as the guardian, never returns, and ends as the
 * child ended (same status, same signal). NULL with `e` when it cannot fork.
 */
struct guard *guard_start(struct error *e);

/* Lets the guardian's signals reach the reactor's watchers; `lost` is called when it is gone. */
int guard_attach(struct guard *g, struct reactor *r, void (*lost)(void *context), void *context,
		 struct error *e);
void guard_detach(struct guard *g);

/* Frees what stands for the guardian here; it stays itself until this process ends. */
void guard_free(struct guard *g);

#endif
