/*
 * One call of getaddrinfo(3) in a thread of its own. The thread owns nothing but its lookup, which
 * whoever lets go of it last (thread or caller) frees: a call may take minutes, and its caller need
 * not wait for it.
 */
#ifndef EVWATCH_NET_LOOKUP_H
#define EVWATCH_NET_LOOKUP_H

#include "address/endpoint.h"

enum { LOOKUP_MOST = 64 }; /* addresses; those beyond are left out */

struct lookup {
	int error; /* of getaddrinfo; 0: there is an answer */
	int want;  /* of descriptors: an errno, or 0 */
	int n;
	struct address addresses[LOOKUP_MOST]; /* the families take turns */
	/* Private. */
	int holders, done;
	uint16_t port;
	char host[];
};

/*
 * Asks for the addresses of `host`. `done`, the writing end of a pipe, is the lookup's from then
 * on, and written to when the answer is there: nothing of it may be read before. NULL with errno,
 * and `done` stays the caller's.
 */
struct lookup *lookup_start(const char *host, uint16_t port, int done);

/* The answer is needed, or waited for, no longer. NULL is none. */
void lookup_release(struct lookup *l);

#endif
