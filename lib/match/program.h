/*
 * An expression as instructions for threads: the form that both automata run.
 *
 * A thread stands at an instruction. It goes on without a byte through SPLIT (first `x`, then `y`),
 * JUMP, SAVE and, where it holds, ASSERT; it waits at SET for a byte of the set.
 */
#ifndef EVWATCH_MATCH_PROGRAM_H
#define EVWATCH_MATCH_PROGRAM_H

#include "match/expression.h"

enum operation { OP_SET, OP_SPLIT, OP_JUMP, OP_SAVE, OP_ASSERT, OP_MATCH };

/* An expression that needs more is refused. */
enum { MOST_INSTRUCTIONS = 32768 };

struct instruction {
	uint8_t op;
	uint16_t x; /* SPLIT, JUMP: where to; SET: which set; SAVE: which slot; ASSERT: which */
	uint16_t y; /* SPLIT */
};

struct program {
	struct instruction *code; /* owned */
	size_t length;
	struct byte_set *sets; /* owned */
	size_t n_sets;
	size_t n_groups; /* that have SAVE instructions: slots 2, 3 are of the first one */
	bool has_assertion;
	/* Bytes that no instruction tells apart are of one class. */
	uint8_t class_of[256];
	unsigned n_classes;
	unsigned char member[256]; /* of each class: one of its bytes */
};

/* What stands on a side of a place between two bytes. */
enum side { SIDE_EDGE, SIDE_WORD, SIDE_OTHER };

static inline enum side side_of(unsigned char c)
{
	return is_word_byte(c) ? SIDE_WORD : SIDE_OTHER;
}

bool assertion_holds(enum assertion assertion, enum side before, enum side after);

/* Returns 0 and `p`, for program_free, or -1 with `e`. The tree's sizes are filled in. */
int program_new(struct program *p, struct expression *x, size_t most_groups, struct error *e);
void program_free(struct program *p);

#endif
