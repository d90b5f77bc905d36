/* One direction of a relayed connection. */
#ifndef EVWATCH_SOURCE_RELAY_STREAM_FLOW_H
#define EVWATCH_SOURCE_RELAY_STREAM_FLOW_H

#include "source/relay/stream/state.h"

/* Something is held back because the destination does not take it. */
static inline bool flow_is_blocked(const struct flow *f)
{
	return f->left || (f->pipe && f->pipe->held);
}

/* The source sends no more. */
static inline bool flow_has_ended(const struct flow *f)
{
	return f->state >= FLOW_ENDED;
}

enum flow_result {
	FLOW_FINE,
	FLOW_READ_FAILED,  /* the end it comes from was reset, or failed: errno */
	FLOW_WRITE_FAILED, /* the other one */
};

/* Moves what can be moved from `from` to its counterpart. */
enum flow_result flow_run(struct pair *p, struct end *from);
/* Holds these bytes instead of what it held, to be passed on first. Returns 0, or -1 with ENOMEM.
 */
int flow_hold(struct flow *f, const char *bytes, size_t length);
/* Accounts what was read from this end and is not counted yet: --rate, --dump. */
void flow_account(struct pair *p, const struct end *from, const void *bytes, size_t length);
/* ns for which reading from this end is to wait for the sake of --rate; 0: it may go on. */
int64_t flow_wait(const struct pair *p, const struct end *from);
void flow_close(struct streams *t, struct flow *f);
void pipes_close(struct streams *t);

#endif
