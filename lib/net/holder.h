/* Which process holds an address that is in use, as far as /proc tells (proc(5)). */
#ifndef EVWATCH_NET_HOLDER_H
#define EVWATCH_NET_HOLDER_H

#include <stdbool.h>
#include <sys/types.h>

struct address;
struct error;

struct holder {
	pid_t pid;
	char program[64];
};

/*
 * False: nobody is found, or whoever it is belongs to somebody else. Reads all of /proc, for 100 ms
 * at most.
 */
bool holder_find(const struct address *a, bool datagram, struct holder *h);

/* Adds the holder as a hint. Returns -1. */
int holder_hint(struct error *e, const struct holder *h);

#endif
