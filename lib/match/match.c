/*
 * See match.h.
 *
 *	LITERAL --not there--> no
 *	   | there, or none is needed
 *	   v
 *	DECIDE ---no match---> no
 *	   | match; places asked for
 *	   v
 *	FIND ----------------> yes
 */
#include "match/match.h"

#include "base/error.h"
#include "match/decide.h"
#include "match/groups.h"
#include "match/literal.h"

#include <stdlib.h>

enum phase { LITERAL, DECIDE, FIND };

struct match {
	struct program program;
	struct literal literal;
	struct decider *decider;
	struct finder *finder;

	/* The search under way. */
	enum phase phase;
	const char *text; /* borrowed */
	size_t length, place;
	struct match_span *spans; /* borrowed */
	size_t n_spans;
};

static int build(struct match *m, struct expression *x, struct error *e)
{
	literal_find(&m->literal, x);
	if (program_new(&m->program, x, MATCH_MOST_GROUPS, e) < 0)
		return -1;
	m->decider = decider_new(&m->program);
	m->finder = finder_new(&m->program);
	return m->decider && m->finder ? 0 : error_errno(e, "cannot read the expression");
}

struct match *match_new(const char *expression, bool ignore_case, struct error *e)
{
	struct match *m = calloc(1, sizeof *m);
	struct expression x;
	int result;

	if (!m) {
		error_errno(e, "cannot read the expression");
		return NULL;
	}
	if (expression_parse(&x, expression, ignore_case, e) < 0) {
		free(m);
		return NULL;
	}
	result = build(m, &x, e);
	expression_free(&x);
	if (result == 0)
		return m;
	match_free(m);
	return NULL;
}

void match_free(struct match *m)
{
	if (!m)
		return;
	decider_free(m->decider);
	finder_free(m->finder);
	program_free(&m->program);
	free(m);
}

size_t match_groups(const struct match *m)
{
	return m->program.n_groups;
}

/* ---- searching ------------------------------------------------------------------------------- */

void match_begin(struct match *m, const char *text, size_t length, struct match_span *spans,
		 size_t n)
{
	m->phase = m->literal.length ? LITERAL : DECIDE;
	m->text = text;
	m->length = length;
	m->place = 0;
	m->spans = spans;
	m->n_spans = n;
	decider_begin(m->decider);
}

/* The expression is its literal: that is the match. */
static enum match_answer found_all(const struct match *m, size_t at)
{
	if (m->n_spans)
		m->spans[0] = (struct match_span){at, at + m->literal.length};
	return MATCH_YES;
}

static enum match_answer search_literal(struct match *m, size_t *budget)
{
	size_t left = m->length - m->place, most = *budget, start = m->place, end, at, spent;

	if (left < m->literal.length)
		return MATCH_NO;
	/* Less than the literal would be no step. */
	if (most < MOST_LITERAL)
		most = MOST_LITERAL;
	end = left < most ? m->length : m->place + most;
	at = literal_search(&m->literal, m->text, &m->place, end);
	spent = (at == SIZE_MAX ? end : at) - start;
	*budget -= spent < *budget ? spent : *budget;
	if (at == SIZE_MAX)
		return end == m->length ? MATCH_NO : MATCH_MORE;
	if (m->literal.all)
		return found_all(m, at);
	m->phase = DECIDE;
	return MATCH_MORE;
}

static enum match_answer decide(struct match *m, size_t *budget)
{
	enum match_answer answer = decider_run(m->decider, m->text, m->length, budget);

	if (answer != MATCH_YES || !m->n_spans)
		return answer;
	m->phase = FIND;
	finder_begin(m->finder);
	return MATCH_MORE;
}

static enum match_answer find(struct match *m, size_t *budget)
{
	enum match_answer answer = finder_run(m->finder, m->text, m->length, budget);

	for (size_t i = 0; answer == MATCH_YES && i < m->n_spans; i++)
		m->spans[i] = i <= m->program.n_groups
				  ? finder_span(m->finder, i)
				  : (struct match_span){MATCH_UNSET, MATCH_UNSET};
	return answer;
}

enum match_answer match_run(struct match *m, size_t *budget)
{
	enum match_answer answer = MATCH_MORE;

	while (answer == MATCH_MORE && *budget) {
		switch (m->phase) {
		case LITERAL:
			answer = search_literal(m, budget);
			break;
		case DECIDE:
			answer = decide(m, budget);
			break;
		case FIND:
			answer = find(m, budget);
			break;
		}
	}
	return answer;
}
