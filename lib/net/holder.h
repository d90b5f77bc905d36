/* Which process holds an address that is in use, as far as /proc tells (proc(5)). */
#ifndef EVWATCH_NET_HOLDER_H
#define EVWATCH_NET_HOLDER_H

#include <stdbool.h>

struct address;
struct error;

/* The hint where this process holds it. */
#define HOLDER_IS_US "another rule of this evwatch listens there"

/*
 * Adds it as a hint: its pid and program; or, when nobody is found or it belongs to somebody else,
 * the command that shows it. Reads all of /proc, but works for 100 ms at most. Returns -1.
 */
int holder_hint(struct error *e, const struct address *a, bool datagram);

#endif
