/*
 * The guardian: nothing that a command started outlives evwatch.
 *
 * The process that the user started becomes the guardian, an ancestor of every command; it forks
 * the process that runs the loop, and hands signals with their sender on to it over a socket pair.
 * Both are subreapers (prctl(2), PR_SET_CHILD_SUBREAPER) and each watches the other's end of the
 * pair: whichever dies, the other ends every descendant. The guardian also kills a loop that takes
 * no signal any more (guardian.h), and leaves the terminal as it was.
 */
#ifndef EVWATCH_PROCESS_GUARD_H
#define EVWATCH_PROCESS_GUARD_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct guard;
struct reactor;
struct user;

/*
 * Call first, with one thread and no descriptors of value open. Forks; returns in the child, which
 * runs the loop. The calling process stays behind as the guardian, never returns, and ends as the
 * child ended (same status, same signal). `claimed`: signals that rules watch, a bit each from
 * signal 1 on. `user`: who the guardian becomes with guard_drop; may be NULL. NULL with `e` when it
 * cannot fork.
 */
struct guard *guard_start(uint64_t claimed, const struct user *user, struct error *e);

/* This process has dropped its privileges: so does the guardian. */
void guard_drop(struct guard *g);

/* Lets the guardian's signals reach the reactor's watchers; `lost` is called when it is gone. */
int guard_attach(struct guard *g, struct reactor *r, void (*lost)(void *context), void *context,
		 struct error *e);
void guard_detach(struct guard *g);
/* Before guard_attach, which then finds what has come: the next of `signals` (a bit each from
 * signal 1 on) among what the guardian has sent since the last call, or 0. */
int guard_glance(struct guard *g, uint64_t signals);

/*
 * The signals of job control (TSTP, TTIN, TTOU, CONT) act on the guardian as on any process, but
 * those that the reactor's watchers wait for. To be called when these have changed.
 */
void guard_claim(struct guard *g);

/* The terminal has a scroll region, or has none any more: the guardian ends one that is left. */
void guard_screen(struct guard *g, bool has_region);

/* The guardian sends this to the service manager (process/notify.h); 127 bytes are the most. */
void guard_notify(struct guard *g, const char *text);

/* Frees what stands for the guardian here; it stays itself until this process ends. */
void guard_free(struct guard *g);

#endif
