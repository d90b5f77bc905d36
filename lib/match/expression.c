/* Text to tree. See expression.h. */
#include "match/expression.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* Of nodes: groups and repetitions inside each other. */
enum { MOST_DEPTH = 500 };

struct parser {
	struct expression *x;
	const char *text, *p;
	bool ignore_case;
	unsigned open; /* groups */
	struct error *e;
};

/* ---- nodes ----------------------------------------------------------------------------------- */

/* NULL with the error: memory is short. */
static struct node *node_new(struct parser *p, enum node_type type)
{
	struct node *n = calloc(1, sizeof *n);

	if (!n) {
		error_errno(p->e, "cannot read the expression");
		return NULL;
	}
	n->type = type;
	n->made = p->x->made;
	p->x->made = n;
	return n;
}

/* `child` may be NULL: then so is the result. */
static struct node *node_above(struct parser *p, enum node_type type, struct node *child)
{
	struct node *n;

	if (!child)
		return NULL;
	if (child->depth >= MOST_DEPTH) {
		error_set(p->e, "more than %d groups and repetitions inside each other",
			  MOST_DEPTH);
		return NULL;
	}
	n = node_new(p, type);
	if (!n)
		return NULL;
	n->child = child;
	n->depth = child->depth + 1;
	return n;
}

static struct node *set_node(struct parser *p, struct byte_set set)
{
	struct node *n = node_new(p, NODE_SET);

	if (!n)
		return NULL;
	if (p->ignore_case)
		byte_set_ignore_case(&set);
	n->set = set;
	return n;
}

static struct node *byte_node(struct parser *p, char c)
{
	struct byte_set set = {0};

	byte_set_add(&set, (unsigned char)c);
	return set_node(p, set);
}

static struct node *assertion_node(struct parser *p, enum assertion assertion)
{
	struct node *n = node_new(p, NODE_ASSERT);

	if (n)
		n->assertion = assertion;
	return n;
}

/* ---- atoms ----------------------------------------------------------------------------------- */

static struct node *fail(struct parser *p, const char *what, const char *hint)
{
	error_set(p->e, "%s", what);
	if (hint)
		error_hint(p->e, "%s", hint);
	return NULL;
}

/* *p stands behind the backslash. */
static struct node *escaped(struct parser *p)
{
	char c = *p->p;

	if (!c)
		return fail(p, "a \\ at the end", "\\\\ is the character \\");
	if (c >= '1' && c <= '9') {
		p->p--;
		return fail(p, "back-references are not supported",
			    "make each a group, and compare \"$2\" and \"$3\" in the command");
	}
	p->p++;
	switch (c) {
	case '<':
		return assertion_node(p, WORD_START);
	case '>':
		return assertion_node(p, WORD_END);
	case 'b':
		return assertion_node(p, WORD_EDGE);
	case 'B':
		return assertion_node(p, NO_WORD_EDGE);
	case '`':
		return assertion_node(p, AT_START);
	case '\'':
		return assertion_node(p, AT_END);
	case 'w':
	case 'W':
		return set_node(p, byte_set_of(is_word_byte, c == 'W'));
	case 's':
	case 'S':
		return set_node(p, byte_set_of(is_space_byte, c == 'S'));
	default:
		return byte_node(p, c);
	}
}

static struct node *bracket(struct parser *p)
{
	const char *start = p->p - 1;
	struct byte_set set;

	if (bracket_parse(&set, &p->p, p->e) == 0)
		return set_node(p, set);
	p->p = start;
	return NULL;
}

static struct node *alternatives(struct parser *p);

/* *p stands behind the `(`. */
static struct node *group(struct parser *p)
{
	const char *start = p->p - 1;
	size_t number = ++p->x->n_groups;
	struct node *n;

	if (*p->p == '?')
		return fail(p, "(? is not of these expressions",
			    "extended regular expressions have only ( ), which is always a group");
	if (p->open >= MOST_DEPTH / 2)
		return fail(p, "too many groups inside each other", NULL);
	p->open++;
	n = alternatives(p);
	if (!n)
		return NULL;
	if (*p->p != ')') {
		p->p = start;
		return fail(p, "this ( is never closed", "for a plain ( write \\(");
	}
	p->p++;
	p->open--;
	n = node_above(p, NODE_GROUP, n);
	if (n)
		n->least = (int)number;
	return n;
}

static struct node *any_byte(struct parser *p)
{
	struct byte_set all = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};

	return set_node(p, all);
}

static struct node *nothing_to_repeat(struct parser *p)
{
	p->p--;
	if (*p->p == '*' && p->p == p->text)
		return fail(p, "* has nothing to repeat", "any text is .*");
	return fail(p, "there is nothing to repeat here", "a \\ makes it a plain character");
}

static struct node *atom(struct parser *p)
{
	char c = *p->p++;

	switch (c) {
	case '(':
		return group(p);
	case '[':
		return bracket(p);
	case '\\':
		return escaped(p);
	case '.':
		return any_byte(p);
	case '^':
		return assertion_node(p, AT_START);
	case '$':
		return assertion_node(p, AT_END);
	case '*':
	case '+':
	case '?':
	case '{':
		return nothing_to_repeat(p);
	default:
		return byte_node(p, c);
	}
}

/* ---- repetition ------------------------------------------------------------------------------ */

/* A number, as large as MOST_REPEATS + 1 at most; -1: there is none. */
static int number(struct parser *p)
{
	int n = -1;

	for (; *p->p >= '0' && *p->p <= '9'; p->p++) {
		n = (n < 0 ? 0 : n * 10) + (*p->p - '0');
		if (n > MOST_REPEATS)
			n = MOST_REPEATS + 1;
	}
	return n;
}

/* *p stands behind the `{`. Returns 0 or -1. */
static int interval(struct parser *p, int *least, int *most)
{
	const char *start = p->p - 1;

	*least = *most = number(p);
	if (*p->p == ',') {
		p->p++;
		*most = number(p); /* none is -1: REPEAT_FOREVER */
		*least = *least < 0 ? 0 : *least;
	}
	if (*p->p == '}' && *most >= 0 && *most < *least) {
		p->p = start;
		fail(p, "the first number of the interval is greater than the second",
		     "for a plain { write \\{");
		return -1;
	}
	if (*p->p++ == '}' && *least >= 0) {
		if (*least <= MOST_REPEATS && *most <= MOST_REPEATS)
			return 0;
		p->p = start;
		error_set(p->e, "more than %d times", MOST_REPEATS);
		return -1;
	}
	p->p = start;
	fail(p, "this is no interval",
	     "an interval is {3}, {3,} or {3,5}; for a plain { write \\{");
	return -1;
}

/* `*`, `+`, `?` or `{`: *p stands behind it. Returns 0 or -1. */
static int times(struct parser *p, int *least, int *most)
{
	char c = p->p[-1];

	*least = c == '+';
	*most = c == '?' ? 1 : REPEAT_FOREVER;
	return c == '{' ? interval(p, least, most) : 0;
}

static struct node *repeat(struct parser *p, struct node *n, int least, int most)
{
	if (!n || (least == 1 && most == 1))
		return n;
	if (most == 0)
		return node_new(p, NODE_EMPTY);
	/* More stars say nothing new, and must not make the tree deep. */
	if (n->type == NODE_REPEAT && n->least == 0 && n->most == REPEAT_FOREVER && least <= 1)
		return n;
	n = node_above(p, NODE_REPEAT, n);
	if (n) {
		n->least = least;
		n->most = most;
	}
	return n;
}

/* An atom, and how often. An assertion is never repeated. */
static struct node *piece(struct parser *p)
{
	struct node *n = atom(p);

	while (n && n->type != NODE_ASSERT && *p->p && strchr("*+?{", *p->p)) {
		int least, most;

		p->p++;
		if (times(p, &least, &most) < 0)
			return NULL;
		n = repeat(p, n, least, most);
	}
	return n;
}

/* ---- branches -------------------------------------------------------------------------------- */

static bool branch_ends(const struct parser *p)
{
	return !*p->p || *p->p == '|' || (*p->p == ')' && p->open);
}

/* Puts `n` behind the last child. */
static void append(struct node *above, struct node **last, struct node *n)
{
	if (*last)
		(*last)->next = n;
	else
		above->child = n;
	*last = n;
	if (above->depth <= n->depth)
		above->depth = n->depth + 1;
}

static struct node *branch(struct parser *p)
{
	struct node *n = node_new(p, NODE_CAT), *last = NULL;

	while (n && !branch_ends(p)) {
		struct node *part = piece(p);

		if (!part)
			return NULL;
		append(n, &last, part);
	}
	return n && n->child && !n->child->next ? n->child : n;
}

static struct node *alternatives(struct parser *p)
{
	struct node *first = branch(p), *n, *last = NULL;

	if (!first || *p->p != '|')
		return first;
	n = node_new(p, NODE_ALT);
	if (!n)
		return NULL;
	append(n, &last, first);
	while (*p->p == '|') {
		struct node *other;

		p->p++;
		other = branch(p);
		if (!other)
			return NULL;
		append(n, &last, other);
	}
	return n;
}

int expression_parse(struct expression *x, const char *text, bool ignore_case, struct error *e)
{
	struct parser p = {.x = x, .text = text, .p = text, .ignore_case = ignore_case, .e = e};

	*x = (struct expression){0};
	error_clear(e);
	x->root = alternatives(&p);
	if (x->root)
		return 0;
	e->column = (int)(p.p - text);
	expression_free(x);
	return -1;
}

void expression_free(struct expression *x)
{
	for (struct node *n = x->made, *next; n; n = next) {
		next = n->made;
		free(n);
	}
	*x = (struct expression){0};
}
