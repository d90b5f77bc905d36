/* One line a rule, in words: for check and --dry-run. */
#ifndef EVWATCH_DESCRIBE_H
#define EVWATCH_DESCRIBE_H

#include <stdbool.h>

struct rules;

/*
 * Reports what is wrong on this machine, too (machine.h), or says a line a rule on standard output;
 * `json`: objects, errors included, on standard output. Returns the exit status, 0 or 2.
 */
int rules_print(struct rules *rules, bool json);

/* Prints errors of rules as JSON on standard output. */
struct diagnostics;
void diagnostics_print_json(const struct diagnostics *d);

#endif
