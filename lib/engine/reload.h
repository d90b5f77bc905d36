/*
 * Reload: the rules are read again, on HUP and by `evwatch reload`.
 *
 * A rule whose text is the same goes on undisturbed. A changed rule is opened before the one that
 * it replaces is stopped: so an error changes nothing, and both can share a listening socket. A
 * rule that leaves is stopped as at the end of evwatch; the command of its successor waits for
 *that.
 *
 *	(running) --reload without it--> LEAVING --all new ones are open--> RETIRED --idle--> freed
 *	    ^                               |
 *	    +-- a new one cannot be opened -+
 *
 * New rules that are long in opening (`file`: a tree is read) are opened first, and armed a piece a
 * turn, while the old ones go on; the others are opened in the turn in which all is settled. Who
 * asks for a reload meanwhile gets the next one: it reads the rules again when this one is over.
 */
#ifndef EVWATCH_ENGINE_RELOAD_H
#define EVWATCH_ENGINE_RELOAD_H

#include "base/buf.h"
#include "reactor/reactor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct reload;

/* How it ended. */
struct reload_outcome {
	bool changed; /* else the rules are as they were, and why was logged */
	size_t unchanged, added, removed;
	struct buf why; /* what is wrong, lines for people */
};

/* Who asked, and is answered when it is over. */
struct reload_asker {
	void (*over)(struct engine *e, uint64_t ticket, const struct reload_outcome *outcome);
	uint64_t ticket; /* the asker's own */
};

/* Of an engine; private but for `now`. */
struct reloads {
	struct reload *now;          /* NULL: none is under way */
	struct reload_asker *askers; /* of that, then those of the next */
	size_t n_askers, n_now, capacity;
	struct timer turn;
};

void reload_open(struct engine *e);
void reload_close(struct engine *e);

/* Reads the rules again; the asker is answered in this call or later. */
void engine_reload(struct engine *e, struct reload_asker asker);

#endif
