/*
 * Pipes that splice(2) moves bytes through, without copying them. Each is two descriptors and
 * memory of the kernel: so one is lent to who moves bytes, and given back when there are no more.
 */
#ifndef EVWATCH_BASE_PIPES_H
#define EVWATCH_BASE_PIPES_H

#include <stddef.h>

enum { PIPES_KEPT = 64, PIPE_SIZE = 1024 * 1024 };

struct pipe {
	int read_end, write_end; /* non-blocking, close-on-exec */
	size_t held;             /* bytes in it: whoever moves them counts them */
};

/* Zeroed: there is none yet. */
struct pipes {
	struct pipe *kept[PIPES_KEPT]; /* owned; empty ones */
	size_t n;
};

/* An empty pipe, of PIPE_SIZE bytes where the kernel allows that. NULL with errno. */
struct pipe *pipes_lend(struct pipes *all);
/* Takes it back, with what it holds. NULL is none. */
void pipes_give_back(struct pipes *all, struct pipe *p);
/* Closes those that are not lent. */
void pipes_close(struct pipes *all);

#endif
