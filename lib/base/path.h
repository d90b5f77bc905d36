/*
 * Paths as words: what stands before the last slash and behind it. But for path_real no file is
 * looked at.
 */
#ifndef EVWATCH_BASE_PATH_H
#define EVWATCH_BASE_PATH_H

#include <stdbool.h>

/* The path of the directory above: "a/b" gives "a", "a" gives ".", "/a" gives "/". Owned; NULL with
 * ENOMEM. */
char *path_above(const char *path);

/* The last component without slashes; "/" gives "". Owned; NULL with ENOMEM. */
char *path_base(const char *path);

/* The real path of what `path` names, or will name when it comes. Owned; NULL with errno. */
char *path_real(const char *path);

/* Is it `top`, or below it? NULL is nowhere, and nothing is below it. */
bool path_is_in(const char *path, const char *top);

#endif
