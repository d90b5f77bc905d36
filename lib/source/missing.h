/*
 * A PATH of the user that does not exist yet. It is waited for; but it may be mistyped.
 */
#ifndef EVWATCH_SOURCE_MISSING_H
#define EVWATCH_SOURCE_MISSING_H

struct source;

/* Warns that the rule waits for `path`, with what it may have been meant to be. */
void missing_warn(const struct source *s, const char *path);

#endif
