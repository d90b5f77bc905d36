/*
 * Random expressions and texts, and what the matcher must say of them: what regexec(3) says in the
 * C locale, and of the groups what backtracking would choose. For test_match.c and tests/fuzz.
 */
#ifndef EVWATCH_TESTS_MATCH_PAIRS_H
#define EVWATCH_TESTS_MATCH_PAIRS_H

#include "base/error.h"
#include "match/match.h"
#include "match/program.h"

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIR_TEXT = 64, PAIR_EXPRESSION = 256, PAIR_SPANS = MATCH_MOST_GROUPS + 1 };

struct pair {
	char expression[PAIR_EXPRESSION];
	char text[PAIR_TEXT];
	char why[400]; /* what differs */
	int repeats;   /* in the expression so far */
	int repeated_groups;
	bool regexec_errs;
};

/* ---- making ---------------------------------------------------------------------------------- */

static uint64_t pair_state = 1;

/* xorshift64*: the same everywhere for the same seed. */
static inline unsigned pair_below(size_t n)
{
	pair_state ^= pair_state >> 12;
	pair_state ^= pair_state << 25;
	pair_state ^= pair_state >> 27;
	return (unsigned)((pair_state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % (unsigned)n;
}

static inline void pair_add(struct pair *p, const char *part)
{
	if (strlen(p->expression) + strlen(part) < sizeof p->expression - 1)
		strcat(p->expression, part);
}

static inline const char *pair_one_of(const char *const *words, size_t n)
{
	return words[pair_below(n)];
}

static inline void pair_alternatives(struct pair *p, int depth);

static inline void pair_atom(struct pair *p, int depth)
{
	static const char *const atoms[] = {
	    "a",         "a",        "b",    "b",          "c",    "ab",
	    ".",         "[ab]",     "[^a]", "[a-c]",      "\\w",  "_",
	    " ",         "^",        "$",    "\\<",        "\\>",  "\\b",
	    "\\B",       "\\W",      "\\s",  "\\S",        "x",    "-",
	    "}",         "]",        "\\`",  "[[:alpha:]", "[]a]", "[^]a-]",
	    "\\.",       "[[=a=]b]", "B",    "0",          "\\'",  "[[:space:][:digit:]]",
	    "[[.a.]-c]", "[\\a]",
	};

	if (depth > 0 && pair_below(4) == 0) {
		pair_add(p, "(");
		pair_alternatives(p, depth - 1);
		pair_add(p, ")");
	} else {
		pair_add(p, pair_one_of(atoms, sizeof atoms / sizeof *atoms));
	}
}

/* Does it end with a group and its repetition? */
static inline bool pair_is_repeated_group(const struct pair *p)
{
	size_t n = strlen(p->expression), at = strcspn(p->expression, ")");

	return n > 1 && at < n - 1 && strchr("*+?}", p->expression[n - 1]);
}

/* May what it ends with be repeated? Of groups two at most: regcomp(3) takes years for more. */
static inline bool pair_may_repeat(struct pair *p)
{
	size_t n = strlen(p->expression);

	return !n || p->expression[n - 1] != ')' || p->repeated_groups++ < 2;
}

static inline void pair_branch(struct pair *p, int depth)
{
	static const char *const repeats[] = {"*", "*", "+", "+", "?", "?"};
	static const char *const intervals[] = {"{2}",   "{,2}", "{1,}", "{0,1}",
						"{1,3}", "{0}",  "{0,}", "{1,2}"};

	for (unsigned n = pair_below(4); n > 0; n--) {
		pair_atom(p, depth);
		/* regcomp(3) takes years for many repetitions inside each other. */
		while (pair_below(3) == 0 && p->repeats < 4 && !pair_is_repeated_group(p) &&
		       pair_may_repeat(p))
			if (p->repeats++ < 2 && pair_below(2))
				pair_add(p, pair_one_of(intervals, 8));
			else
				pair_add(p, pair_one_of(repeats, 6));
	}
}

static inline void pair_alternatives(struct pair *p, int depth)
{
	pair_branch(p, depth);
	while (pair_below(3) == 0) {
		pair_add(p, "|");
		pair_branch(p, depth);
	}
}

static inline void pair_make(struct pair *p)
{
	static const char letters[] = "aaaabbbbcc_ x-B0.\xff";
	size_t length = pair_below(pair_below(8) ? 12 : PAIR_TEXT - 1);

	p->expression[0] = '\0';
	p->repeats = p->repeated_groups = 0;
	pair_alternatives(p, 3);
	/* Some are spoilt: what is an error must be one. */
	if (*p->expression && pair_below(8) == 0)
		p->expression[pair_below(strlen(p->expression))] =
		    "()[]{}*\\|-:=.^,1"[pair_below(16)];
	for (size_t i = 0; i < length; i++)
		p->text[i] = letters[pair_below(sizeof letters - 1)];
	p->text[length] = '\0';
}

/* ---- backtracking ---------------------------------------------------------------------------- */

/* A way from `pc` at `at` to the end of the match: the first that is tried. */
struct pair_walk {
	const struct program *p;
	const char *text;
	size_t length, to;
	size_t slots[2 * PAIR_SPANS];
	bool *been; /* at an instruction and a place: it led nowhere, or it leads in a circle */
};

static inline bool pair_walk(struct pair_walk *w, size_t pc, size_t at)
{
	const struct instruction *i = &w->p->code[pc];
	size_t old;

	if (w->been[pc * (w->length + 1) + at])
		return false;
	w->been[pc * (w->length + 1) + at] = true;
	switch (i->op) {
	case OP_MATCH:
		return at == w->to;
	case OP_JUMP:
		return pair_walk(w, i->x, at);
	case OP_SPLIT:
		return pair_walk(w, i->x, at) || pair_walk(w, i->y, at);
	case OP_SET:
		return at < w->length &&
		       byte_set_has(&w->p->sets[i->x], (unsigned char)w->text[at]) &&
		       pair_walk(w, pc + 1, at + 1);
	case OP_ASSERT:
		return assertion_holds(
			   i->x, at ? side_of((unsigned char)w->text[at - 1]) : SIDE_EDGE,
			   at < w->length ? side_of((unsigned char)w->text[at]) : SIDE_EDGE) &&
		       pair_walk(w, pc + 1, at);
	default:
		old = w->slots[i->x];
		w->slots[i->x] = at;
		if (pair_walk(w, pc + 1, at))
			return true;
		w->slots[i->x] = old;
		return false;
	}
}

/* The program of a pair's expression. False: it has none, or memory is short. */
static inline bool pair_program(const struct pair *pair, struct program *p)
{
	struct expression x;
	struct error e;
	int result;

	if (expression_parse(&x, pair->expression, false, &e) < 0)
		return false;
	result = program_new(p, &x, MATCH_MOST_GROUPS, &e);
	expression_free(&x);
	return result == 0;
}

/* Is there a way from `from` to `to`? Its groups are in w->slots. */
static inline bool pair_leads(struct pair_walk *w, size_t from, size_t to)
{
	memset(w->been, 0, w->p->length * (w->length + 1));
	memset(w->slots, 0xff, sizeof w->slots);
	w->to = to;
	return pair_walk(w, 0, from);
}

static inline bool pair_walk_open(struct pair_walk *w, struct program *p, const struct pair *pair)
{
	*w = (struct pair_walk){.p = p, .text = pair->text, .length = strlen(pair->text)};
	if (!pair_program(pair, p))
		return false;
	w->been = calloc(p->length * (w->length + 1), sizeof *w->been);
	return w->been;
}

static inline void pair_walk_close(struct pair_walk *w, struct program *p)
{
	free(w->been);
	program_free(p);
}

static inline bool pair_groups_differ(struct pair *pair, const struct match_span *spans, size_t n)
{
	struct pair_walk w;
	struct program p;
	bool differ = !pair_walk_open(&w, &p, pair) || !pair_leads(&w, spans[0].from, spans[0].to);

	for (size_t i = 1; i <= n && !differ; i++)
		differ = spans[i].from != MATCH_UNSET &&
			 (spans[i].from != w.slots[2 * i] || spans[i].to != w.slots[2 * i + 1]);
	if (differ)
		snprintf(pair->why, sizeof pair->why, "groups are not what backtracking chooses");
	pair_walk_close(&w, &p);
	return differ;
}

/* The leftmost and longest match, by trying all; both MATCH_UNSET: there is none. */
static inline struct match_span pair_exhaustive(const struct pair *pair)
{
	struct match_span none = {MATCH_UNSET, MATCH_UNSET}, found = none;
	struct pair_walk w;
	struct program p;
	bool open = pair_walk_open(&w, &p, pair);

	for (size_t from = 0; open && from <= w.length && found.from == MATCH_UNSET; from++)
		for (size_t to = w.length + 1; to-- > from && found.from == MATCH_UNSET;)
			if (pair_leads(&w, from, to))
				found = (struct match_span){from, to};
	pair_walk_close(&w, &p);
	return found;
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* The answer, in steps of `budget`. */
static inline bool pair_search(struct match *m, const char *text, size_t length,
			       struct match_span *spans, size_t n, size_t budget)
{
	enum match_answer answer;

	match_begin(m, text, length, spans, n);
	do {
		size_t left = budget;

		answer = match_run(m, &left);
	} while (answer == MATCH_MORE);
	return answer == MATCH_YES;
}

/*
 * glibc 2.36 errs where an assertion is repeated, as in `(}|\bc){1,3}[^]a-]` and `a*{0,}\B`.
 * There trying all ways is the judge.
 */
static inline bool pair_regexec_errs(const struct pair *p, struct match_span got)
{
	static const char *const asserts[] = {"\\b", "\\B", "\\<", "\\>", "^", "$", "\\`", "\\'"};
	struct match_span right = pair_exhaustive(p);

	for (size_t i = 0; i < sizeof asserts / sizeof *asserts; i++)
		if (strstr(p->expression, asserts[i]))
			return got.from == right.from && got.to == right.to;
	return false;
}

static inline bool pair_whole_differs(struct pair *p, struct match_span got, const regex_t *re)
{
	regmatch_t whole[1] = {{-1, -1}};
	struct match_span wanted = {MATCH_UNSET, MATCH_UNSET};

	if (regexec(re, p->text, 1, whole, 0) == 0)
		wanted = (struct match_span){(size_t)whole[0].rm_so, (size_t)whole[0].rm_eo};
	if (got.from == wanted.from && got.to == wanted.to)
		return false;
	p->regexec_errs = pair_regexec_errs(p, got);
	snprintf(p->why, sizeof p->why, "%zd to %zd, but regexec says %zd to %zd", got.from, got.to,
		 wanted.from, wanted.to);
	return !p->regexec_errs;
}

static inline bool pair_answers_differ(struct pair *p, struct match *m, const regex_t *re)
{
	struct match_span spans[PAIR_SPANS], again[PAIR_SPANS];
	size_t length = strlen(p->text), n = match_groups(m);
	bool got = pair_search(m, p->text, length, spans, n + 1, MATCH_TURN);

	if (!got)
		spans[0] = (struct match_span){MATCH_UNSET, MATCH_UNSET};
	if (pair_whole_differs(p, spans[0], re))
		return true;
	if (got != pair_search(m, p->text, length, again, n + 1, 3) ||
	    got != pair_search(m, p->text, length, NULL, 0, 7) ||
	    (got && memcmp(spans, again, (n + 1) * sizeof *spans) != 0)) {
		snprintf(p->why, sizeof p->why, "in small steps it is something else");
		return true;
	}
	return got && pair_groups_differ(p, spans, n);
}

/* What regexec knows and the matcher refuses, by design. */
static inline bool pair_is_refused(const struct error *e)
{
	return strstr(e->what, "back-ref") || strstr(e->what, "too large") ||
	       strstr(e->what, "inside each other");
}

/* Does the matcher say something else than it must? `why` is filled then. */
static inline bool pair_differs(struct pair *p)
{
	struct error e;
	regex_t re;
	bool differs = false, valid = regcomp(&re, p->expression, REG_EXTENDED) == 0;
	struct match *m = match_new(p->expression, false, &e);

	p->regexec_errs = false;
	/* To glibc "\\," in an interval is a comma. */
	if (!m != !valid && !strstr(p->expression, "\\,") && (m || !pair_is_refused(&e))) {
		snprintf(p->why, sizeof p->why, "%s", m ? "regcomp refuses it" : e.what);
		differs = true;
	} else if (m && valid) {
		differs = pair_answers_differ(p, m, &re);
	}
	if (valid)
		regfree(&re);
	match_free(m);
	return differs;
}

#endif
