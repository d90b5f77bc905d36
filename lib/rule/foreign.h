/*
 * What users of other tools type here: their names for what has another name in evwatch, and lines
 * in their form. Only for hints: nothing of this is accepted.
 */
#ifndef EVWATCH_RULE_FOREIGN_H
#define EVWATCH_RULE_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>

struct error;
struct word;

/* Adds to `e` how this option of other tools (with its dashes) is called here, with the user's
 * value (NULL: none was given). `kind` may be NULL while it is not known. Returns 0, or -1: not
 * known. */
int foreign_option(struct error *e, const char *kind, const char *name, const char *value);

/* The same of a value: what this value of an option is called here. Returns 0, or -1: not known. */
int foreign_value(struct error *e, const char *option, const char *value);

/* Which kind does what a word in the place of a kind asks for; NULL: not known. */
const char *foreign_kind(const char *word);

/* ---- foreign_forms.c ---- */
/* The unit of durations that a word means, as the second one of "5 minutes"; NULL: none. */
const char *foreign_unit(const char *word);

/* Adds to `e` how the words would be written if they are a line of a crontab(5). Returns 0, or -1:
 * they are none. */
int foreign_cron_line(struct error *e, const struct word *words, size_t n);

/* Do the words begin with a number of lines, as `-n 10` of tail(1) and `-n1` of xargs(1)? */
bool foreign_number(const char *kind, const struct word *words, size_t n);

/* Adds to `e`, which is about an endpoint, that its port is the next word: "localhost 5432". */
void foreign_port(struct error *e, char *const *words, size_t n);

/* Is it named as a file of rules is? */
bool is_rules_file(const char *word);

/* Adds to `e` what may be wrong with too many arguments of a kind. */
void foreign_arguments(struct error *e, const char *kind, char *const *words, size_t n);

#endif
