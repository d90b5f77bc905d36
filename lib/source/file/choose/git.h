/*
 * What git says of itself: gitrepository-layout(5), as far as it says what is ignored. All paths
 * that are returned are owned by the caller; NULL says that there is none, or ENOMEM.
 */
#ifndef EVWATCH_SOURCE_FILE_CHOOSE_GIT_H
#define EVWATCH_SOURCE_FILE_CHOOSE_GIT_H

#include <stdbool.h>

enum { GIT_FILE_MOST = 8 << 20 }; /* bytes: what is larger holds no rules that somebody wrote */

/*
 * The bytes of a regular file and a NUL behind them; owned. NULL with errno: EFBIG beyond
 * GIT_FILE_MOST, EINVAL for what is no regular file, ELOOP for a symbolic link without `follow`.
 */
char *git_read_file(const char *path, bool follow);

/* `path`, or if it is relative, what it is in `directory`. Owned; NULL: ENOMEM. */
char *git_path_in(const char *directory, const char *path);

/* The git directory of the work tree whose top is `directory`: its .git, or where that leads. */
char *git_directory(const char *directory);

/* What all work trees of a git directory share: its configuration and info/exclude. */
char *git_common(const char *git);

/*
 * The file named by core.excludesFile, or git's default for it. `git` is the git directory, or NULL
 * outside of all; `top` is what a relative name is relative to. See git_config.c.
 */
char *git_excludes_file(const char *git, const char *top);

#endif
