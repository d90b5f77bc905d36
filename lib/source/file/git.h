/*
 * What git says of itself: where a work tree's repository is, and which file has the user's own
 * rules. See git.c; ignore_rules.c has the rules.
 */
#ifndef EVWATCH_SOURCE_FILE_GIT_H
#define EVWATCH_SOURCE_FILE_GIT_H

#include <stdbool.h>

/*
 * The bytes of a regular file and a NUL behind them; owned. NULL with errno. `follow`: it may be a
 * symbolic link.
 */
char *git_read_file(const char *path, bool follow);

/* The repository of the work tree whose top is this directory; NULL: it is no such top. Owned. */
char *git_repository(const char *directory);

/* The file named by core.excludesFile, or git's default for it; NULL: none. Owned. `repository` may
 * be NULL; `top` is what a relative name is relative to. */
char *git_excludes_file(const char *repository, const char *top);

#endif
