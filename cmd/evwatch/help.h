/* --help and --version, made from the tables. */
#ifndef EVWATCH_HELP_H
#define EVWATCH_HELP_H

#include <stdbool.h>

/* One screen about everything. */
void help_print(void);

/* Arguments, options, events and examples of the kind or tool of that name. False: there is none.
 */
bool help_print_of(const char *name);

void version_print(void);

#endif
