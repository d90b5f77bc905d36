/*
 * An expression as a tree, read as glibc's regcomp(3) with REG_EXTENDED reads it.
 *
 * The depth of a tree is bounded, so that functions may recurse over it.
 */
#ifndef EVWATCH_MATCH_EXPRESSION_H
#define EVWATCH_MATCH_EXPRESSION_H

#include "match/byte_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/* What must hold between two bytes. */
enum assertion {
	AT_START,
	AT_END,
	WORD_START,
	WORD_END,
	WORD_EDGE,
	NO_WORD_EDGE,
};

enum node_type {
	NODE_EMPTY,
	NODE_SET,    /* one byte of `set` */
	NODE_ASSERT, /* `assertion` */
	NODE_CAT,    /* the children, one after the other */
	NODE_ALT,    /* one of the children, the first that can */
	NODE_GROUP,  /* the child, as group number `least` */
	NODE_REPEAT, /* the child, `least` to `most` times */
};

enum { REPEAT_FOREVER = -1, MOST_REPEATS = 32767 };

struct node {
	enum node_type type;
	enum assertion assertion;
	int least, most; /* REPEAT; GROUP and (by program_new) SET: `least` is a number */
	struct byte_set set;
	struct node *child; /* the first one */
	struct node *next;  /* of the same parent */
	struct node *made;  /* all nodes, for expression_free */
	unsigned depth;
	bool nullable; /* can match nothing; set by program_new */
	size_t size;   /* instructions; set by program_new */
};

struct expression {
	struct node *root;
	struct node *made;
	size_t n_groups;
};

/* Returns 0 and `x`, for expression_free, or -1 with `e`, e->column the place in it. */
int expression_parse(struct expression *x, const char *text, bool ignore_case, struct error *e);
void expression_free(struct expression *x);

/*
 * A bracket expression: *p stands behind the `[` and, on success, behind the `]`. Returns 0, or -1
 * with `e` (but for its column).
 */
int bracket_parse(struct byte_set *set, const char **p, struct error *e);

#endif
