/*
 * The parser: words to rules.
 *
 * An option belongs to the first table that has it: the kind's own, the command's (job.h), the
 * printer's (rule.h), and on command lines the process's. A flag that several tables have (-0) is
 * set in all of them.
 */
#ifndef EVWATCH_RULE_PARSER_H
#define EVWATCH_RULE_PARSER_H

#include "rule/rule.h"

struct command;
struct option;
struct reading;

/* Options that rules take over unless they say otherwise: `set`, or given beside -e and -f. */
struct defaults {
	const struct script *script;
	struct words words;
};

/* Options of the caller, on command lines: a table and the struct that it fills. */
struct option_scope {
	const struct option *table;
	void *config;
	const char *const *tools; /* further first words, for "did you mean"; may be NULL */
};

/*
 * At most one rule from command-line words: [OPTION]... [KIND ARG...] [OPTION]... [-- COMMAND...].
 * Options of `process` are applied on the way; rule options go to the KIND's rule, and all of them
 * into `defaults` too, for the rules of -e and -f.
 * Returns 0, or -1 with rules->diagnostics grown.
 */
int rules_parse_command_line(struct rules *rules, const struct script *script,
			     const struct words *words, const struct option_scope *process,
			     struct defaults *defaults);

/* Rules as text, of a file or of -e. Returns 0, or -1 as above (the good rules are there). */
int rules_parse_text(struct rules *rules, const struct script *script,
		     const struct defaults *defaults);

/* Gives every rule a name and checks that names are unique. Returns 0 or -1 as above. */
int rules_finish(struct rules *rules);

/*
 * For parse_text.c: reads the words (reading.h) as one rule and keeps it; takes over `name` and
 * what `command` owns. Returns 0, or -1 with diagnostics.
 */
int read_rule(struct reading *r, size_t kind, char *name, struct command *command,
	      const struct defaults *defaults);

/* The kind, or one of `tools` (may be NULL), that a mistyped word may have meant; or NULL. */
const char *kind_near(const char *word, const char *const *tools);

#endif
