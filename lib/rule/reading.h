/*
 * A reading: words of a script on their way to one rule. Shared by the files of the parser.
 *
 * It knows where every word stands, which option tables are in reach, and whether anything was at
 * fault so far; faults go to the rules' diagnostics at once.
 */
#ifndef EVWATCH_RULE_READING_H
#define EVWATCH_RULE_READING_H

#include "rule/parser.h"
#include "rule/scopes.h"

#include <stdbool.h>
#include <stddef.h>

struct reading {
	struct rules *rules;
	const struct script *script;
	const struct word *words; /* up to the separator */
	size_t count;
	struct scopes scopes;
	struct text_list *given;            /* of the rule (rule.h); NULL: it is not made yet */
	struct defaults *collect;           /* rule options are noted here; may be NULL */
	const struct option_scope *process; /* of command lines; else NULL */
	bool failed;
	struct buf identity; /* of the rule, so far (rule.h) */
};

/* Adds a word to the identity. */
void identify(struct reading *r, const char *word);

/* Notes what is wrong at an offset of the script, or at e->column of a word. */
void fault_at(struct reading *r, size_t offset, const struct error *e);
void fault(struct reading *r, const struct word *w, const struct error *e);
/* The same of a rule as a whole: at the last word of the option that the error begins with, if any.
 */
void fault_of_rule(struct reading *r, const struct word *kind, const struct error *e);
void fault_memory(struct reading *r);

/* Where the option stands that is at fault: its last word; else the kind's. */
size_t offset_of_rule(const struct reading *r, const struct word *kind, const struct error *e);

/* Notes what the rule, which is valid, says that was hardly meant. */
void note_doubts(struct reading *r, const struct rule *rule, const struct word *kind);

/* Reads the option word at *i, a cluster of letters whole; *i moves to its last word. */
void read_option(struct reading *r, size_t *i);

/* The next option that there is, from word *i on; *i is its last word then. */
bool next_option(const struct reading *r, size_t *i, struct written_option *o);

/* The options that the rule's own words give must have an effect; those of `set` need not. */
void check_options(struct reading *r, const struct rule *rule);

/* `set`: notes every option of the words in r->collect without applying it. */
void read_set(struct reading *r);

/* Applies noted options that this rule's tables have; others are passed over. */
void apply_defaults(struct reading *r, const struct defaults *d);

/* The first word that is neither an option nor an option's value; `count` when there is none. */
size_t find_kind(const struct reading *r);

#endif
