/*
 * See decide.h.
 *
 * A state is the set of instructions at which threads wait: at SET, MATCH, or at an ASSERT whose
 * right side is not known before the next byte. So all of a state's assertions are decided when a
 * byte is taken (or the end, which is one more class), and that there is a match is known one byte
 * late: the *next* state says so. A thread begins at every byte.
 */
#include "match/decide.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	MOST_STATES = 4096,
	HASHED = 2 * MOST_STATES,
	TRANSITIONS = 256 * 1024, /* for all states together */
	MEMBERS = 256 * 1024,     /* the same; more than two states of any program need */
	COST = 4,                 /* steps that building takes for an instruction, beside a byte */
};

/* A transition: the row of the next state, or with one of these bits. */
#define UNKNOWN  UINT32_MAX
#define MATCHED  (UINT32_C(1) << 31) /* a match ended before the byte that was taken */
#define ROW_MASK (MATCHED - 1)

struct state {
	uint32_t members; /* where they begin in `members` */
	uint32_t count;
	uint32_t hash;
	enum side before;
};

struct decider {
	const struct program *p;
	size_t place; /* in the text */
	uint32_t row; /* of the state it is in */
	uint32_t start_row;
	bool has_start; /* the state of the text's start is one of those that are kept */
	bool begun;
	unsigned flushes;

	uint32_t stride; /* of rows: the classes, and the end */
	size_t most_states;
	size_t n_states, n_members;
	struct state *states;
	uint32_t *transitions;
	uint16_t *members;
	uint16_t *hashed; /* state + 1 */

	/* Of the state that is being built. */
	uint64_t *seen, *kept, *start;
	uint16_t *stack, *list;
	size_t n_list, words;
	size_t spent;
};

/* ---- sets of instructions -------------------------------------------------------------------- */

static bool test_and_set(uint64_t *bits, size_t i)
{
	uint64_t bit = UINT64_C(1) << (i & 63), *word = &bits[i >> 6];
	bool was = *word & bit;

	*word |= bit;
	return was;
}

static void clear(const struct decider *d, uint64_t *bits)
{
	memset(bits, 0, d->words * sizeof *bits);
}

/*
 * Follows a thread from `pc` to where it waits, and keeps these places. With `decided` assertions
 * are decided by what stands on both sides, else they are places to wait at.
 */
static void follow(struct decider *d, uint16_t pc, bool decided, enum side before, enum side after)
{
	size_t n = 0;

	d->stack[n++] = pc;
	while (n) {
		const struct instruction *i = &d->p->code[pc = d->stack[--n]];

		if (test_and_set(d->seen, pc))
			continue;
		d->spent += COST;
		switch (i->op) {
		case OP_SPLIT:
			d->stack[n++] = i->y;
			d->stack[n++] = i->x;
			break;
		case OP_JUMP:
			d->stack[n++] = i->x;
			break;
		case OP_SAVE:
			d->stack[n++] = (uint16_t)(pc + 1);
			break;
		case OP_ASSERT:
			if (!decided)
				test_and_set(d->kept, pc);
			else if (assertion_holds(i->x, before, after))
				d->stack[n++] = (uint16_t)(pc + 1);
			break;
		default:
			test_and_set(d->kept, pc);
		}
	}
}

/* What is kept, in order, into `list`. */
static void list_kept(struct decider *d)
{
	d->n_list = 0;
	for (size_t w = 0; w < d->words; w++)
		for (uint64_t bits = d->kept[w]; bits; bits &= bits - 1)
			d->list[d->n_list++] = (uint16_t)(w * 64 + (unsigned)__builtin_ctzll(bits));
	d->spent += d->n_list;
}

/* ---- states ---------------------------------------------------------------------------------- */

static void forget_all(struct decider *d)
{
	d->n_states = d->n_members = 0;
	d->has_start = false;
	d->flushes++;
	memset(d->hashed, 0, HASHED * sizeof *d->hashed);
}

static bool is_full(const struct decider *d)
{
	return d->n_states == d->most_states || d->n_members + d->n_list > MEMBERS;
}

static uint32_t hash_of(const struct decider *d, enum side before)
{
	uint32_t h = 2166136261u ^ (uint32_t)before;

	for (size_t i = 0; i < d->n_list; i++)
		h = (h ^ d->list[i]) * 16777619u;
	return h;
}

static bool is_state(const struct decider *d, const struct state *s, uint32_t hash,
		     enum side before)
{
	return s->hash == hash && s->count == d->n_list && s->before == before &&
	       memcmp(d->members + s->members, d->list, d->n_list * sizeof *d->list) == 0;
}

/* The row of the state whose members are in `list`. */
static uint32_t state_of_list(struct decider *d, enum side before)
{
	uint32_t hash = hash_of(d, before), at;
	struct state *s;

	for (at = hash % HASHED; d->hashed[at]; at = (at + 1) % HASHED)
		if (is_state(d, &d->states[d->hashed[at] - 1], hash, before))
			return (uint32_t)(d->hashed[at] - 1) * d->stride;
	if (is_full(d)) {
		forget_all(d);
		at = hash % HASHED;
	}
	s = &d->states[d->n_states++];
	*s = (struct state){(uint32_t)d->n_members, (uint32_t)d->n_list, hash, before};
	memcpy(d->members + d->n_members, d->list, d->n_list * sizeof *d->list);
	d->n_members += d->n_list;
	d->hashed[at] = (uint16_t)d->n_states;
	memset(d->transitions + (d->n_states - 1) * d->stride, 0xff,
	       d->stride * sizeof *d->transitions);
	d->spent += d->stride + d->n_list;
	return (uint32_t)(d->n_states - 1) * d->stride;
}

static enum side side_of_class(const struct decider *d, unsigned class)
{
	return class == d->p->n_classes ? SIDE_EDGE : side_of(d->p->member[class]);
}

/* Decides the state's assertions: what it says then is in `kept`. */
static void decide_assertions(struct decider *d, const struct state *s, enum side after)
{
	clear(d, d->seen);
	clear(d, d->kept);
	for (size_t i = 0; i < s->count; i++)
		follow(d, d->members[s->members + i], true, s->before, after);
	list_kept(d);
}

static void load_list(struct decider *d, const struct state *s)
{
	d->n_list = s->count;
	memcpy(d->list, d->members + s->members, s->count * sizeof *d->list);
}

/* Lets all threads of `list` take a byte of the class, and begins one more. True: one had matched.
 */
static bool take_class(struct decider *d, unsigned class)
{
	bool matched = false;
	unsigned char c = d->p->member[class % 256];

	clear(d, d->seen);
	memcpy(d->kept, d->start, d->words * sizeof *d->kept);
	for (size_t n = 0; n < d->n_list; n++) {
		const struct instruction *i = &d->p->code[d->list[n]];

		if (i->op == OP_MATCH)
			matched = true;
		else if (i->op == OP_SET && class < d->p->n_classes &&
			 byte_set_has(&d->p->sets[i->x], c))
			follow(d, (uint16_t)(d->list[n] + 1), false, SIDE_OTHER, SIDE_OTHER);
	}
	d->spent += d->n_list + d->words;
	return matched;
}

/* The transition of the state at `row` that was not known. The states may all be new then. */
static uint32_t build(struct decider *d, uint32_t row, unsigned class)
{
	const struct state *s = &d->states[row / d->stride];
	bool asserts = d->p->has_assertion;
	enum side side = side_of_class(d, class);
	unsigned flushes = d->flushes;
	uint32_t next;

	if (asserts)
		decide_assertions(d, s, side);
	else
		load_list(d, s);
	next = take_class(d, class) ? MATCHED : 0;
	list_kept(d);
	next |= state_of_list(d, asserts ? side : SIDE_OTHER);
	if (d->flushes == flushes)
		d->transitions[row + class] = next;
	return next;
}

/* ---- running --------------------------------------------------------------------------------- */

/* `start` is what a thread that begins waits at. */
static void find_start(struct decider *d)
{
	clear(d, d->seen);
	clear(d, d->kept);
	follow(d, 0, false, SIDE_OTHER, SIDE_OTHER);
	memcpy(d->start, d->kept, d->words * sizeof *d->start);
}

void decider_begin(struct decider *d)
{
	d->place = 0;
	d->begun = false;
}

static void enter_start(struct decider *d)
{
	if (!d->has_start) {
		memcpy(d->kept, d->start, d->words * sizeof *d->kept);
		list_kept(d);
		d->start_row = state_of_list(d, d->p->has_assertion ? SIDE_EDGE : SIDE_OTHER);
		d->has_start = true;
	}
	d->row = d->start_row;
	d->begun = true;
}

/* Takes bytes up to `end` while the transitions are known and there is no match. Returns where it
 * stopped. */
static const unsigned char *take_known(struct decider *d, const unsigned char *p,
				       const unsigned char *end)
{
	const uint32_t *transitions = d->transitions;
	const uint8_t *class_of = d->p->class_of;
	uint32_t row = d->row, next;

	for (; p < end; p++) {
		next = transitions[row + class_of[*p]];
		if (next >= MATCHED)
			break;
		row = next;
	}
	d->row = row;
	return p;
}

/* One byte, or the end, from the state it is in. */
static uint32_t take_one(struct decider *d, unsigned class, size_t *budget)
{
	uint32_t next = d->transitions[d->row + class];

	if (next != UNKNOWN)
		return next;
	d->spent = 0;
	next = build(d, d->row, class);
	*budget -= d->spent < *budget ? d->spent : *budget;
	return next;
}

enum match_answer decider_run(struct decider *d, const char *text, size_t length, size_t *budget)
{
	const unsigned char *t = (const unsigned char *)text;

	if (!d->begun)
		enter_start(d);
	while (*budget) {
		size_t left = length - d->place, most = left < *budget ? left : *budget;
		size_t taken =
		    (size_t)(take_known(d, t + d->place, t + d->place + most) - (t + d->place));
		bool ended = taken == left;
		uint32_t next;

		d->place += taken;
		*budget -= taken;
		if (!*budget && !ended)
			break;
		next = take_one(d, ended ? d->p->n_classes : d->p->class_of[t[d->place]], budget);
		if (next & MATCHED)
			return MATCH_YES;
		if (ended)
			return MATCH_NO;
		d->row = next;
		d->place++;
	}
	return MATCH_MORE;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int allocate(struct decider *d)
{
	size_t length = d->p->length;

	d->states = calloc(MOST_STATES, sizeof *d->states);
	d->transitions = malloc(TRANSITIONS * sizeof *d->transitions);
	d->members = malloc(MEMBERS * sizeof *d->members);
	d->hashed = calloc(HASHED, sizeof *d->hashed);
	d->seen = calloc(d->words, sizeof *d->seen);
	d->kept = calloc(d->words, sizeof *d->kept);
	d->start = calloc(d->words, sizeof *d->start);
	d->stack = calloc(2 * length + 2, sizeof *d->stack);
	d->list = calloc(length + 1, sizeof *d->list);
	return d->states && d->transitions && d->members && d->hashed && d->seen && d->kept &&
		       d->start && d->stack && d->list
		   ? 0
		   : -1;
}

struct decider *decider_new(const struct program *p)
{
	struct decider *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	d->p = p;
	d->words = p->length / 64 + 1;
	d->stride = p->n_classes + 1;
	d->most_states =
	    TRANSITIONS / d->stride < MOST_STATES ? TRANSITIONS / d->stride : MOST_STATES;
	if (allocate(d) < 0) {
		decider_free(d);
		errno = ENOMEM;
		return NULL;
	}
	find_start(d);
	return d;
}

void decider_free(struct decider *d)
{
	if (!d)
		return;
	free(d->states);
	free(d->transitions);
	free(d->members);
	free(d->hashed);
	free(d->seen);
	free(d->kept);
	free(d->start);
	free(d->stack);
	free(d->list);
	free(d);
}
