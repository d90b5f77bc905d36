/* The bytes that every match contains: what lacks them needs no automaton. */
#ifndef EVWATCH_MATCH_LITERAL_H
#define EVWATCH_MATCH_LITERAL_H

#include "match/expression.h"

enum { MOST_LITERAL = 64 };

struct literal {
	unsigned char bytes[MOST_LITERAL];
	size_t length;           /* 0: there is none */
	bool all;                /* the expression matches just these bytes, anywhere */
	unsigned char skip[256]; /* how far its end may move on from this byte */
};

/* The longest one of the expression. */
void literal_find(struct literal *l, const struct expression *x);

/*
 * Where it is in `text` at or after *from; SIZE_MAX: not in the bytes before `end`, and *from is
 * where to go on when `end` is not yet the text's.
 */
size_t literal_search(const struct literal *l, const char *text, size_t *from, size_t end);

#endif
