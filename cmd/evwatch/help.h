/* --help and --version, made from the tables. */
#ifndef EVWATCH_HELP_H
#define EVWATCH_HELP_H

struct source_type;

/* One screen about everything. */
void help_print(void);

/* A kind's arguments, options, events and examples. */
void help_print_kind(const struct source_type *type);

void version_print(void);

#endif
