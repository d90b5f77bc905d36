/*
 * Reload: the rules are read again, on HUP and by `evwatch reload`.
 *
 * A rule whose text is the same goes on undisturbed. A changed rule is opened before the one that
 *it replaces is stopped: so an error changes nothing, and both can share a listening socket. A rule
 * that leaves is stopped as at the end of evwatch; the command of its successor waits for that.
 *
 *	(running) --reload without it--> LEAVING --all new ones are open--> RETIRED --idle--> freed
 *	    ^                               |
 *	    +-- a new one cannot be opened -+
 */
#ifndef EVWATCH_ENGINE_RELOAD_H
#define EVWATCH_ENGINE_RELOAD_H

#include "base/buf.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>

struct armed_rule;
struct endpoint;
struct engine;
struct error;
struct listener;
struct rules;

/* Rules that were read together; kept as long as one of them is at work. */
struct generation {
	struct link link; /* in engine->generations */
	struct rules *rules;
	bool owned; /* else main's */
	size_t alive;
};

struct reload_counts {
	size_t unchanged, added, removed;
};

/* The generation of these rules, first in the engine's list. NULL with ENOMEM. */
struct generation *generation_new(struct engine *e, struct rules *rules, bool owned);
/* One rule less of it is at work. */
void generation_release(struct generation *g);

/*
 * Reads the rules again. Returns 0, or -1 with what is wrong appended to `why`, lines for people;
 * it was logged and nothing has changed.
 */
int engine_reload(struct engine *e, struct reload_counts *counts, struct buf *why);

/* The listener of a rule that is leaving. */
struct listener *reload_kept(const struct engine *e, const struct endpoint *ep);
/* The lock on the record of the rule of this name that is leaving, or -1. */
int reload_kept_record(const struct engine *e, const char *rule);

/* A retired rule may have become idle. */
void reload_review(struct engine *e);

void reload_open(struct engine *e);
void reload_close(struct engine *e);

#endif
