/*
 * What was meant by words that are refused: kinds and options that do not exist, values in the form
 * of other tools. The cure goes into the hint of the error. Private to lib/rule.
 */
#ifndef EVWATCH_RULE_EXPLAIN_H
#define EVWATCH_RULE_EXPLAIN_H

#include <stdbool.h>

struct error;
struct option;
struct reading;
struct word;
struct written_option;

/* The word in the place of a kind is none. */
void fault_kind(struct reading *r, const struct word *word);

/* No table in reach has an option of this name, dashes included, which the word holds. */
void fault_unknown(struct reading *r, const struct word *word, const char *name);

/* A number of lines after -n, as `lines log -n 10`, which would print what the rule does and read a
 * file "10". */
void fault_number(struct reading *r, const struct word *word);

/* The value of an option is missing: adds what it may be, or what the option does with it. */
void explain_missing(const struct reading *r, const struct option *o, struct error *e);

/* The value of an option was refused: adds what was meant by it. */
void explain_value(const struct written_option *o, const char *value, struct error *e);

/* Is the unit of a duration a word of its own, "500 ms", which would be an argument? */
bool is_split_duration(const struct reading *r, const struct option *o, const char *value,
		       const struct word *next);
void fault_split_duration(struct reading *r, const char *name, const char *value,
			  const struct word *next);

#endif
