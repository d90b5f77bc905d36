/* One line a rule, in words: for check and --dry-run. */
#ifndef EVWATCH_DESCRIBE_H
#define EVWATCH_DESCRIBE_H

struct rules;

/* Prints on standard output. */
void rules_tell(const struct rules *rules);

#endif
