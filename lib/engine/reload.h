/*
 * Reload: the rules are read again, on HUP and by `evwatch reload`.
 *
 * A rule whose text is the same goes on undisturbed. A changed rule is opened before the one that
 * it replaces is stopped: so an error changes nothing, and both can share a listening socket. A
 *rule that leaves is stopped as at the end of evwatch; the command of its successor waits for that.
 *
 *	(running) --reload without it--> LEAVING --all new ones are open--> RETIRED --idle--> freed
 *	    ^                               |
 *	    +-- a new one cannot be opened -+
 */
#ifndef EVWATCH_ENGINE_RELOAD_H
#define EVWATCH_ENGINE_RELOAD_H

#include "base/buf.h"

#include <stddef.h>

struct engine;

struct reload_counts {
	size_t unchanged, added, removed;
};

/*
 * Reads the rules again. Returns 0, or -1 with what is wrong appended to `why`, lines for people;
 * it was logged and nothing has changed.
 */
int engine_reload(struct engine *e, struct reload_counts *counts, struct buf *why);

#endif
