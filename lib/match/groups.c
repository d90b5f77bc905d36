/*
 * See groups.h.
 *
 * The order of threads is their preference: one that began earlier comes first, and of one start
 * the one that backtracking would try first. Two threads at one instruction have the same future,
 * so the later one is dropped. A match drops those that began after it; the others go on, for a
 * longer one.
 */
#include "match/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { COST = 4 }; /* steps that an instruction takes, beside a byte of the automaton */

/* Threads that wait at a SET or MATCH, most preferred first. */
struct threads {
	uint16_t *pc;
	size_t *slots; /* `n_slots` of each */
	size_t count;
};

/* What is still to be followed, or a slot to be put back when all from there was followed. */
struct pending {
	uint16_t pc; /* RESTORE: it is the latter */
	uint16_t slot;
	size_t value;
};
#define RESTORE UINT16_MAX

struct finder {
	const struct program *p;
	size_t place, n_slots;
	struct threads now, next;
	struct pending *stack;
	size_t *slots; /* of the thread that is followed */
	size_t *best;  /* of the match */
	bool matched, begun;
	uint32_t *seen; /* at which place each instruction was followed last, by `round` */
	uint32_t round;
	bool skips; /* a match begins with a byte of `first` */
	struct byte_set first;
};

static void new_round(struct finder *f)
{
	if (++f->round == 0) {
		memset(f->seen, 0, f->p->length * sizeof *f->seen);
		f->round = 1;
	}
}

static void add_thread(struct finder *f, struct threads *threads, uint16_t pc)
{
	memcpy(threads->slots + threads->count * f->n_slots, f->slots,
	       f->n_slots * sizeof *f->slots);
	threads->pc[threads->count++] = pc;
}

/* Two sides of the place that threads arrive at. */
struct sides {
	enum side before, after;
};

static struct sides sides_at(const char *text, size_t length, size_t place)
{
	return (struct sides){
	    place ? side_of((unsigned char)text[place - 1]) : SIDE_EDGE,
	    place < length ? side_of((unsigned char)text[place]) : SIDE_EDGE,
	};
}

/* Follows the thread with `slots` from `pc` to where it waits at `place`. Returns its cost. */
static size_t follow(struct finder *f, struct threads *threads, uint16_t from, size_t place,
		     struct sides sides)
{
	size_t n = 0, cost = 0;

	f->stack[n++] = (struct pending){.pc = from};
	while (n) {
		struct pending top = f->stack[--n];
		const struct instruction *i;

		if (top.pc == RESTORE) {
			f->slots[top.slot] = top.value;
			continue;
		}
		if (f->seen[top.pc] == f->round)
			continue;
		f->seen[top.pc] = f->round;
		cost += COST;
		i = &f->p->code[top.pc];
		switch (i->op) {
		case OP_SPLIT:
			f->stack[n++] = (struct pending){.pc = i->y};
			f->stack[n++] = (struct pending){.pc = i->x};
			break;
		case OP_JUMP:
			f->stack[n++] = (struct pending){.pc = i->x};
			break;
		case OP_SAVE:
			f->stack[n++] = (struct pending){RESTORE, i->x, f->slots[i->x]};
			f->slots[i->x] = place;
			f->stack[n++] = (struct pending){.pc = (uint16_t)(top.pc + 1)};
			break;
		case OP_ASSERT:
			if (assertion_holds(i->x, sides.before, sides.after))
				f->stack[n++] = (struct pending){.pc = (uint16_t)(top.pc + 1)};
			break;
		default:
			add_thread(f, threads, top.pc);
			cost += f->n_slots;
		}
	}
	return cost;
}

/* A thread of its own begins here, after all others. */
static size_t begin_thread(struct finder *f, const char *text, size_t length)
{
	for (size_t i = 0; i < f->n_slots; i++)
		f->slots[i] = MATCH_UNSET;
	f->slots[0] = f->place;
	return follow(f, &f->now, 0, f->place, sides_at(text, length, f->place));
}

/* All threads take the byte at the place, in order. Returns the cost. */
static size_t step(struct finder *f, const char *text, size_t length)
{
	struct sides sides = {SIDE_EDGE, SIDE_EDGE};
	struct threads taken = f->now;
	size_t cost = 1;

	if (f->place < length)
		sides = sides_at(text, length, f->place + 1);
	f->next.count = 0;
	new_round(f);
	for (size_t i = 0; i < f->now.count; i++) {
		const struct instruction *at = &f->p->code[f->now.pc[i]];
		const size_t *slots = f->now.slots + i * f->n_slots;

		cost++;
		if (f->matched && slots[0] > f->best[0])
			break;
		if (at->op == OP_MATCH) {
			memcpy(f->best, slots, f->n_slots * sizeof *slots);
			f->best[1] = f->place;
			f->matched = true;
		} else if (f->place < length &&
			   byte_set_has(&f->p->sets[at->x], (unsigned char)text[f->place])) {
			memcpy(f->slots, slots, f->n_slots * sizeof *slots);
			cost +=
			    follow(f, &f->next, (uint16_t)(f->now.pc[i] + 1), f->place + 1, sides);
		}
	}
	f->now = f->next;
	f->next = taken;
	return cost;
}

/* The first place from here on at which a match can begin. */
static void skip_to_first(struct finder *f, const char *text, size_t length, size_t *budget)
{
	size_t end = length - f->place < *budget ? length : f->place + *budget, start = f->place;

	while (f->place < end && !byte_set_has(&f->first, (unsigned char)text[f->place]))
		f->place++;
	*budget -= f->place - start;
}

void finder_begin(struct finder *f)
{
	f->place = 0;
	f->matched = false;
	f->now.count = 0;
	new_round(f);
}

enum match_answer finder_run(struct finder *f, const char *text, size_t length, size_t *budget)
{
	while (*budget) {
		size_t cost = 0;

		if (!f->now.count && f->matched)
			return MATCH_YES;
		if (!f->now.count && f->skips) {
			skip_to_first(f, text, length, budget);
			if (!*budget)
				break;
		}
		if (!f->matched)
			cost = begin_thread(f, text, length);
		cost += step(f, text, length);
		if (f->place == length)
			return f->matched ? MATCH_YES : MATCH_NO;
		f->place++;
		*budget -= cost < *budget ? cost : *budget;
	}
	return MATCH_MORE;
}

struct match_span finder_span(const struct finder *f, size_t i)
{
	struct match_span s = {f->best[2 * i], f->best[2 * i + 1]};

	/* A loop may have entered the group again without an end. */
	if (s.from == MATCH_UNSET || s.to == MATCH_UNSET)
		s.from = s.to = MATCH_UNSET;
	return s;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Which bytes can a match begin with? None is skipped where it may be empty or asks for a side. */
static void find_first(struct finder *f)
{
	const struct sides sides = {SIDE_OTHER, SIDE_OTHER};

	if (f->p->has_assertion)
		return;
	new_round(f);
	follow(f, &f->now, 0, 0, sides);
	f->skips = true;
	for (size_t i = 0; i < f->now.count; i++) {
		const struct instruction *at = &f->p->code[f->now.pc[i]];

		if (at->op == OP_MATCH)
			f->skips = false;
		else
			for (size_t w = 0; w < 4; w++)
				f->first.bits[w] |= f->p->sets[at->x].bits[w];
	}
}

static int threads_allocate(struct threads *t, size_t most, size_t n_slots)
{
	t->pc = calloc(most + 1, sizeof *t->pc);
	t->slots = calloc(most + 1, n_slots * sizeof *t->slots);
	return t->pc && t->slots ? 0 : -1;
}

/* Instructions that threads wait at. */
static size_t count_waiting(const struct program *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->length; i++)
		n += p->code[i].op == OP_SET || p->code[i].op == OP_MATCH;
	return n;
}

struct finder *finder_new(const struct program *p)
{
	struct finder *f = calloc(1, sizeof *f);
	size_t most = count_waiting(p);

	if (!f)
		return NULL;
	f->p = p;
	f->n_slots = 2 + 2 * p->n_groups;
	f->stack = calloc(2 * p->length + 2, sizeof *f->stack);
	f->slots = calloc(f->n_slots, sizeof *f->slots);
	f->best = calloc(f->n_slots, sizeof *f->best);
	f->seen = calloc(p->length, sizeof *f->seen);
	if (threads_allocate(&f->now, most, f->n_slots) < 0 ||
	    threads_allocate(&f->next, most, f->n_slots) < 0 || !f->stack || !f->slots ||
	    !f->best || !f->seen) {
		finder_free(f);
		errno = ENOMEM;
		return NULL;
	}
	find_first(f);
	return f;
}

void finder_free(struct finder *f)
{
	if (!f)
		return;
	free(f->now.pc);
	free(f->now.slots);
	free(f->next.pc);
	free(f->next.slots);
	free(f->stack);
	free(f->slots);
	free(f->best);
	free(f->seen);
	free(f);
}
