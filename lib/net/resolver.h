/*
 * Names to addresses, off the loop: getaddrinfo(3) blocks, so it runs in a thread of its own that
 * wakes the loop when it has an answer. Answers are kept for a while.
 *
 * The last good answer outlives that while: where no server answers now (an error that may pass, or
 * none within half a second), it is served on, which is logged once. That a name does not exist is
 * an answer like any other.
 */
#ifndef EVWATCH_NET_RESOLVER_H
#define EVWATCH_NET_RESOLVER_H

#include "address/endpoint.h"

#include <stddef.h>

struct reactor;
struct resolver;

/*
 * In getaddrinfo's order (RFC 6724), the families taking turns (RFC 8305, section 4), 64 at most.
 * `why` is NULL on success, else what went wrong (static). Where that was a want of
 * descriptors, errno tells so (fd_is_short), else it is 0.
 */
typedef void resolved_call(void *context, const struct address *addresses, int n, const char *why);

/* Answers are kept for `ttl` ns; `rule` is for the log. NULL with ENOMEM. */
struct resolver *resolver_new(struct reactor *r, int64_t ttl, const char *rule);

/* Questions under way are let go: their calls do not come any more. */
void resolver_free(struct resolver *v);

/*
 * Asks for the stream addresses of an endpoint. The call comes at once when none need be asked for
 * (literals, Unix sockets, answers kept), else later. Returns 0, or -1 with errno and no call.
 */
int resolver_ask(struct resolver *v, const struct endpoint *ep, resolved_call *call, void *context);

/* How many wait for an answer. */
size_t resolver_waiting(const struct resolver *v);
/* The call comes after those who waited for an answer got it. */
void resolver_on_answer(struct resolver *v, void (*call)(void *context), void *context);

/* The asker is gone: no call for this context. */
void resolver_forget(struct resolver *v, void *context);

#endif
