/* --help and --version, made from the tables. */
#ifndef EVWATCH_HELP_H
#define EVWATCH_HELP_H

#include <stdbool.h>

struct source_type;

/* One screen about everything. */
void help_print(void);

/* Arguments, options, events and examples of the kind or tool of that name; `all`: the options that
 * every kind shares, too. False: there is no such kind or tool. */
bool help_print_of(const char *name, bool all);

/* The options that every kind shares; of them those that mean something with `type`, if not NULL.
 */
void help_print_options(const struct source_type *type);

void version_print(void);

/* Kinds and tools by what one wants to do. */
void help_print_tasks(void);

#endif
