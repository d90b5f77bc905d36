/*
 * See literal.h. The search is Horspool's: it looks at the last byte of where the literal could
 * stand, and moves on as far as that byte allows. Its worst case is the text times the literal,
 * whose length is bounded.
 */
#include "match/literal.h"

#include <string.h>

/* Bytes that follow each other in every match, as far as the tree was walked. */
struct run {
	struct literal now, best;
	bool pure; /* nothing but bytes came so far */
};

/* What comes next does not follow what came before. */
static void run_break(struct run *r)
{
	r->pure = false;
	if (r->now.length > r->best.length)
		r->best = r->now;
	r->now.length = 0;
}

static void run_add(struct run *r, unsigned char c)
{
	if (r->now.length == MOST_LITERAL)
		run_break(r);
	r->now.bytes[r->now.length++] = c;
}

static void walk(struct run *r, const struct node *n)
{
	unsigned char only = 0;

	switch (n->type) {
	case NODE_EMPTY:
		break;
	case NODE_ASSERT:
		r->pure = false;
		break;
	case NODE_SET:
		if (byte_set_count(&n->set, &only) == 1)
			run_add(r, only);
		else
			run_break(r);
		break;
	case NODE_CAT:
		for (const struct node *child = n->child; child; child = child->next)
			walk(r, child);
		break;
	case NODE_GROUP:
		r->pure = false; /* its place is asked for */
		walk(r, n->child);
		break;
	case NODE_ALT:
		run_break(r);
		break;
	case NODE_REPEAT:
		run_break(r);
		if (n->least) {
			walk(r, n->child);
			run_break(r);
		}
		break;
	}
}

void literal_find(struct literal *l, const struct expression *x)
{
	struct run r = {.pure = true};
	bool pure;

	walk(&r, x->root);
	pure = r.pure;
	run_break(&r);
	*l = r.best;
	l->all = pure && l->length && !x->n_groups;
	memset(l->skip, (int)(l->length ? l->length : 1), sizeof l->skip);
	for (size_t i = 0; i + 1 < l->length; i++)
		l->skip[l->bytes[i]] = (unsigned char)(l->length - 1 - i);
}

size_t literal_search(const struct literal *l, const char *text, size_t *from, size_t end)
{
	const unsigned char *t = (const unsigned char *)text;
	size_t last = l->length - 1, at = *from + last;
	unsigned char tail = l->bytes[last];

	if (l->length == 1) {
		const char *found = memchr(text + *from, tail, end - *from);

		*from = end;
		return found ? (size_t)(found - text) : SIZE_MAX;
	}
	while (at < end) {
		unsigned char c = t[at];

		if (c == tail && memcmp(t + at - last, l->bytes, last) == 0)
			return at - last;
		at += l->skip[c];
	}
	*from = at - last;
	return SIZE_MAX;
}
