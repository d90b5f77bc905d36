/*
 * Could these endpoints be opened on this machine? For check and --dry-run. What can be opened
 * stays so until the end of the trial: the kernel refuses a second rule that wants the same
 * address.
 */
#ifndef EVWATCH_NET_TRIAL_H
#define EVWATCH_NET_TRIAL_H

#include "base/option.h"
#include "net/listener.h"

/* Zeroed at first. */
struct trial {
	struct listener *opened; /* owned */
	size_t count, capacity;
	/* Endpoints that are not opened. Of a Unix socket only the directory is looked at, and an
	 * address that a running evwatch has is no fault: it may be about to be read again. */
	struct text_list words;
};

/* Returns 0, or -1 with `e`, as listener_open has it: it could not, or another rule wants it too.
 */
int trial_add(struct trial *t, const struct endpoint *ep, const struct listen_config *c,
	      struct error *e);

/* Closes what was opened. */
void trial_end(struct trial *t);

#endif
