/*
 * Rules on their way out after a reload: what they hand on to their successors, and how they are
 * freed once they are idle, with the last of their generation the text that they came from.
 */
#ifndef EVWATCH_ENGINE_RETIRED_H
#define EVWATCH_ENGINE_RETIRED_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>

struct endpoint;
struct engine;
struct listener;
struct rules;

/* Rules that were read together; kept as long as one of them is at work. */
struct generation {
	struct link link; /* in engine->generations */
	struct rules *rules;
	bool owned; /* else main's */
	size_t alive;
};

/* The generation of these rules, first in the engine's list. NULL with ENOMEM. */
struct generation *generation_new(struct engine *e, struct rules *rules, bool owned);
/* A rule of this generation is no longer at work. */
void generation_release(struct generation *g);

/* The listener of a rule that is leaving. */
struct listener *leaving_listener(const struct engine *e, const struct endpoint *ep);
/* The lock on the record of the rule of this name that is leaving, or -1. */
int leaving_record(const struct engine *e, const char *rule);

/* A retired rule may have become idle. */
void retired_review(struct engine *e);

void retired_open(struct engine *e);
void retired_close(struct engine *e);

#endif
