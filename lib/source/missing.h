/*
 * A PATH of the user that does not exist yet. It is waited for; but it may be mistyped.
 */
#ifndef EVWATCH_SOURCE_MISSING_H
#define EVWATCH_SOURCE_MISSING_H

#include <stdbool.h>

struct error;
struct source;

/* Warns that the rule waits for `path`, with what it may have been meant to be. */
void missing_warn(const struct source *s, const char *path);

/* For check: does it not exist, and was hardly meant as a path? True with `e`: that, and the cure.
 */
bool missing_doubtful(const char *path, bool has_command, struct error *e);

#endif
