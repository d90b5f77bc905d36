/*
 * Which option does a word mean? The tables in reach, in the order in which they are asked.
 */
#ifndef EVWATCH_RULE_SCOPES_H
#define EVWATCH_RULE_SCOPES_H

#include "rule/parser.h"

#include <stdbool.h>
#include <stddef.h>

struct source_type;

struct scopes {
	struct option_scope items[6];
	int count;
	const struct source_type *type; /* NULL: the kind is not known (yet) */
};

/* An option as it was written: `--name`, `--name=value`, or a letter of `-abc`. */
struct written_option {
	char name[64];               /* as the user wrote it, dashes included */
	const struct option *option; /* NULL: no table in reach has it */
	const char *inline_value;    /* behind = or behind the letter; within the word */
	size_t length; /* bytes of the word used up (a letter of a cluster: its end) */
};

void scopes_add(struct scopes *s, const struct option *table, void *config);

/* The tables that every rule has, to fill in this rule (NULL: only to find options in). */
void scopes_add_rule(struct scopes *s, const struct rule *rule);

/* Is this word an option (and not an argument such as `-`)? */
bool is_option(const struct word *w);

/*
 * Reads the option at `at` bytes into `word` (0, or further inside a cluster of letters).
 * While the kind is not known, every kind's options are in reach (none has the same name with
 * and without a value).
 */
void written_option_read(struct written_option *o, const struct scopes *s, const struct word *word,
			 size_t at);

/* Is there an option of this name (without dashes)? */
bool scopes_have(const struct scopes *s, const char *name);

/* Applies it in the first scope that has it; a flag in all of them. Returns 0, or -1 with `e`. */
int scopes_apply(const struct scopes *s, const struct option *option, const char *value,
		 struct error *e);

/* Fills `e` for an option that is not there: a near one, or the kinds that have it. `value` is what
 * the user gave it, or NULL. */
void scopes_explain_unknown(const struct scopes *s, const char *name, const char *value,
			    struct error *e);

#endif
