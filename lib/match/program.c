/* Tree to instructions. See program.h. */
#include "match/program.h"

#include "base/error.h"

#include <stdlib.h>

bool assertion_holds(enum assertion assertion, enum side before, enum side after)
{
	bool word_before = before == SIDE_WORD, word_after = after == SIDE_WORD;

	switch (assertion) {
	case AT_START:
		return before == SIDE_EDGE;
	case AT_END:
		return after == SIDE_EDGE;
	case WORD_START:
		return !word_before && word_after;
	case WORD_END:
		return word_before && !word_after;
	case WORD_EDGE:
		return word_before != word_after;
	case NO_WORD_EDGE:
		return word_before == word_after;
	}
	return false;
}

/* ---- sizes ----------------------------------------------------------------------------------- */

/* What is larger is refused: sizes stop there, and cannot overflow. */
enum { TOO_LARGE = 1 << 20 };

static size_t capped(size_t size)
{
	return size < TOO_LARGE ? size : TOO_LARGE;
}

/* Instructions of a repetition whose child has `n`; 1 at least, as emitting it takes time. */
static size_t repeat_size(const struct node *r, size_t n)
{
	size_t least = (size_t)r->least, copies;

	n = n ? n : 1;
	if (r->most == REPEAT_FOREVER)
		return capped(least ? capped(least * n) + 1 : n + 3);
	copies = (size_t)(r->most - r->least);
	return capped(capped(least * n) + copies * (n + 1));
}

static void measure(struct node *n, size_t most_groups)
{
	bool all = true, any = false;
	size_t sum = 0;

	for (struct node *child = n->child; child; child = child->next) {
		measure(child, most_groups);
		all &= child->nullable;
		any |= child->nullable;
		sum = capped(sum + child->size + (n->type == NODE_ALT && child->next ? 2 : 0));
	}
	n->nullable = n->type == NODE_ALT ? any : n->type == NODE_SET ? false : all;
	n->size = sum;
	if (n->type == NODE_SET || n->type == NODE_ASSERT)
		n->size = 1;
	else if (n->type == NODE_GROUP && (size_t)n->least <= most_groups)
		n->size = capped(sum + 2);
	else if (n->type == NODE_REPEAT) {
		n->nullable |= n->least == 0;
		n->size = repeat_size(n, sum);
	}
}

/* ---- emitting -------------------------------------------------------------------------------- */

static uint16_t here(const struct program *p)
{
	return (uint16_t)p->length;
}

static struct instruction *add(struct program *p, enum operation op, uint16_t x)
{
	struct instruction *i = &p->code[p->length++];

	*i = (struct instruction){.op = (uint8_t)op, .x = x};
	return i;
}

static void emit(struct program *p, const struct node *n);

/* Each alternative but the last: SPLIT to it, or to the next; JUMP behind all. */
static void emit_alternatives(struct program *p, const struct node *n)
{
	struct instruction *jump = NULL, *next_jump;

	for (const struct node *child = n->child; child; child = child->next) {
		struct instruction *split = NULL;

		if (child->next) {
			split = add(p, OP_SPLIT, 0);
			split->x = here(p);
		}
		emit(p, child);
		if (!split)
			break;
		/* Jumps are chained through `x` until it is known where they go. */
		next_jump = add(p, OP_JUMP, jump ? (uint16_t)(jump - p->code) : UINT16_MAX);
		jump = next_jump;
		split->y = here(p);
	}
	while (jump) {
		uint16_t before = jump->x;

		jump->x = here(p);
		jump = before == UINT16_MAX ? NULL : &p->code[before];
	}
}

/* The child once or more: it, and back to its start. */
static void emit_plus(struct program *p, const struct node *child)
{
	uint16_t start = here(p);
	struct instruction *split;

	emit(p, child);
	split = add(p, OP_SPLIT, start);
	split->y = here(p);
}

/*
 * The child any number of times. Where it can match nothing this is (child+)?, so that a group in
 * it is set to that nothing, as backtracking sets it.
 */
static void emit_star(struct program *p, const struct node *child)
{
	struct instruction *split = add(p, OP_SPLIT, 0);
	uint16_t start = (uint16_t)(split - p->code);

	split->x = here(p);
	if (child->nullable) {
		emit_plus(p, child);
	} else {
		emit(p, child);
		add(p, OP_JUMP, start);
	}
	split->y = here(p);
}

/* Up to `n` times: each copy may be the end of it. */
static void emit_optional(struct program *p, const struct node *child, int n)
{
	size_t first = p->length, step;

	for (int i = 0; i < n; i++) {
		struct instruction *split = add(p, OP_SPLIT, 0);

		split->x = here(p);
		emit(p, child);
	}
	step = n ? (p->length - first) / (size_t)n : 0;
	for (int i = 0; i < n; i++)
		p->code[first + (size_t)i * step].y = here(p);
}

static void emit_repeat(struct program *p, const struct node *n)
{
	bool forever = n->most == REPEAT_FOREVER;

	for (int i = 0; i < n->least - forever; i++)
		emit(p, n->child);
	if (!forever)
		emit_optional(p, n->child, n->most - n->least);
	else if (n->least)
		emit_plus(p, n->child);
	else
		emit_star(p, n->child);
}

static void emit(struct program *p, const struct node *n)
{
	bool saved = n->type == NODE_GROUP && (size_t)n->least <= p->n_groups;

	switch (n->type) {
	case NODE_EMPTY:
		break;
	case NODE_SET:
		add(p, OP_SET, (uint16_t)n->least);
		break;
	case NODE_ASSERT:
		add(p, OP_ASSERT, (uint16_t)n->assertion);
		p->has_assertion = true;
		break;
	case NODE_CAT:
		for (const struct node *child = n->child; child; child = child->next)
			emit(p, child);
		break;
	case NODE_ALT:
		emit_alternatives(p, n);
		break;
	case NODE_GROUP:
		if (saved)
			add(p, OP_SAVE, (uint16_t)(2 * n->least));
		emit(p, n->child);
		if (saved)
			add(p, OP_SAVE, (uint16_t)(2 * n->least + 1));
		break;
	case NODE_REPEAT:
		emit_repeat(p, n);
		break;
	}
}

/* ---- sets and classes ------------------------------------------------------------------------ */

/* Numbers the sets of the leaves (in `least`); the single bytes, which are most, each once. */
static void number_sets(struct program *p, struct expression *x)
{
	int single[256] = {0}; /* its number + 1 */

	for (struct node *n = x->made; n; n = n->made) {
		unsigned char only = 0;

		if (n->type != NODE_SET)
			continue;
		if (byte_set_count(&n->set, &only) == 1) {
			if (single[only]) {
				n->least = single[only] - 1;
				continue;
			}
			single[only] = (int)p->n_sets + 1;
		}
		n->least = (int)p->n_sets;
		p->sets[p->n_sets++] = n->set;
	}
}

/* Splits each class into the bytes that are in `set` and those that are not. */
static void refine(struct program *p, const struct byte_set *set)
{
	int outside[256];
	bool inside[256] = {false};
	unsigned n = p->n_classes;

	for (unsigned i = 0; i < n; i++)
		outside[i] = -1;
	for (unsigned c = 0; c < 256; c++)
		inside[p->class_of[c]] |= byte_set_has(set, (unsigned char)c);
	for (unsigned c = 0; c < 256; c++) {
		unsigned class = p->class_of[c];

		if (byte_set_has(set, (unsigned char)c) || !inside[class])
			continue;
		if (outside[class] < 0)
			outside[class] = (int)p->n_classes++;
		p->class_of[c] = (uint8_t)outside[class];
	}
}

/* A class all of whose bytes went to a new one leaves a gap, so they are numbered again. */
static void number_classes(struct program *p)
{
	int number[256];

	for (unsigned i = 0; i < 256; i++)
		number[i] = -1;
	p->n_classes = 0;
	for (unsigned c = 0; c < 256; c++) {
		int *n = &number[p->class_of[c]];

		if (*n < 0) {
			*n = (int)p->n_classes++;
			p->member[*n] = (unsigned char)c;
		}
		p->class_of[c] = (uint8_t)*n;
	}
}

static void find_classes(struct program *p)
{
	struct byte_set word = {0};

	for (unsigned c = 0; c < 256; c++)
		if (is_word_byte((unsigned char)c))
			byte_set_add(&word, (unsigned char)c);
	p->n_classes = 1;
	for (size_t i = 0; i < p->n_sets; i++)
		refine(p, &p->sets[i]);
	if (p->has_assertion)
		refine(p, &word);
	number_classes(p);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int check_size(const struct node *root, struct error *e)
{
	if (root->size < MOST_INSTRUCTIONS - 1)
		return 0;
	error_set(e, "the expression is too large");
	return error_hint(e, "intervals count as written out, and %d characters are the most",
			  MOST_INSTRUCTIONS);
}

static size_t count_nodes(const struct expression *x)
{
	size_t count = 0;

	for (const struct node *n = x->made; n; n = n->made)
		count++;
	return count;
}

int program_new(struct program *p, struct expression *x, size_t most_groups, struct error *e)
{
	*p = (struct program){.n_groups = x->n_groups < most_groups ? x->n_groups : most_groups};
	measure(x->root, p->n_groups);
	if (check_size(x->root, e) < 0)
		return -1;
	p->code = calloc(x->root->size + 1, sizeof *p->code);
	p->sets = calloc(count_nodes(x) + 1, sizeof *p->sets);
	if (!p->code || !p->sets) {
		program_free(p);
		return error_errno(e, "cannot read the expression");
	}
	number_sets(p, x);
	emit(p, x->root);
	add(p, OP_MATCH, 0);
	find_classes(p);
	return 0;
}

void program_free(struct program *p)
{
	free(p->code);
	free(p->sets);
	*p = (struct program){0};
}
