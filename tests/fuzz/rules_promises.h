/*
 * What holds for every text of rules (rule/parser.h), random or not: it fails when, and only when,
 * something is told; what is told has a place in the text and no control characters; each rule is
 * described in one line; and a text that is read again gives the same rules and the same errors.
 */
#ifndef EVWATCH_TESTS_RULES_PROMISES_H
#define EVWATCH_TESTS_RULES_PROMISES_H

#include "rule/parser.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* All that a reading gives, as text. */
struct answer {
	struct buf told, described;
	const char *broken; /* a promise, or NULL */
};

static const char *check_told(const struct diagnostic *d, const char *line, size_t length)
{
	if (d->script && d->offset > d->script->length)
		return "an error stands behind the text";
	if (!length || line[length - 1] != '\n')
		return "what is told is no whole line";
	for (size_t i = 0; i < length; i++)
		if (iscntrl((unsigned char)line[i]) && line[i] != '\n' && line[i] != '\t')
			return "what is told has a control character";
	return NULL;
}

static void tell_all(struct answer *a, const struct rules *rules)
{
	for (size_t i = 0; i < rules->diagnostics.count; i++) {
		size_t from = a->told.length;
		const char *broken;

		diagnostic_print(&rules->diagnostics.items[i], &a->told);
		broken = check_told(&rules->diagnostics.items[i], a->told.data + from,
				    a->told.length - from);
		a->broken = broken ? broken : a->broken;
	}
	for (size_t i = 0; i < rules->count; i++) {
		size_t from = a->described.length;
		const char *line;

		rule_describe(rules->items[i], &a->described);
		line = a->described.data ? strchr(a->described.data + from, '\n') : NULL;
		if (line && line[1])
			a->broken = "a rule is described in more than one line";
		buf_add_char(&a->described, '\n');
	}
}

static struct answer answer_to(const char *text, size_t length)
{
	struct rules rules = {0};
	struct defaults defaults = {0};
	struct answer a = {0};
	struct error e;
	const struct script *script = rules_keep(&rules, script_new("-e", text, length), &e);
	bool failed = !script || rules_parse_text(&rules, script, &defaults) < 0;

	failed |= rules_finish(&rules) < 0;
	if (failed != (rules.diagnostics.count > 0))
		a.broken = "it failed and told nothing, or the other way round";
	tell_all(&a, &rules);
	words_free(&defaults.words);
	rules_free(&rules);
	return a;
}

static bool same(const struct buf *a, const struct buf *b)
{
	return a->length == b->length && (!a->length || memcmp(a->data, b->data, a->length) == 0);
}

/* NULL, or the promise that is broken. */
static inline const char *broken_promise(const char *text, size_t length)
{
	struct answer first = answer_to(text, length), again = answer_to(text, length);
	const char *broken = first.broken;

	if (!same(&first.told, &again.told) || !same(&first.described, &again.described))
		broken = "read again it is something else";
	buf_free(&first.told);
	buf_free(&first.described);
	buf_free(&again.told);
	buf_free(&again.described);
	return broken;
}

#endif
