/* What the kind does for its carriers (carrier.h). */
#ifndef EVWATCH_SOURCE_RELAY_RELAY_H
#define EVWATCH_SOURCE_RELAY_RELAY_H

#include "source/relay/state.h"

/*
 * Counts one more connection of this address. NULL without *why: it is not counted. With *why,
 * which is NULL before: it is one too many.
 */
struct peer *relay_admit(struct relay_source *s, const struct address *remote, const char **why);

/* Reports where these sockets are bound. */
void relay_report_bound(struct relay_source *s, const struct listener *l);

/* Are they of the kind that the rule relays? -1 with `e`. */
int relay_check_sockets(const struct relay_source *s, const struct listener *l, struct error *e);

/* Once it is stopped: is there nothing left that it carries? Then the rule ends. */
void relay_check_ended(struct relay_source *s);

#endif
