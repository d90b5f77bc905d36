/* --user: the user that evwatch becomes, and the options that exclude it. */
#ifndef EVWATCH_PRIVILEGES_H
#define EVWATCH_PRIVILEGES_H

#include <stdbool.h>

struct error;
struct process_options;
struct rules;
struct user;

/* Was this program started with more privileges than the user who started it has? */
bool privileges_are_lent(void);

/*
 * Finds the user of --user; without that option `u` stays as it is. Returns 0, or -1 with `e`:
 * there is no such user, a rule needs root while it runs, or --run-as needs root now. The caller
 * releases `u`.
 */
int privileges_find(struct user *u, const struct process_options *o, const struct rules *rules,
		    struct error *e);

#endif
