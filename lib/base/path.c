/*
 * Paths as words.
 */
#include "base/path.h"

#include <stdlib.h>
#include <string.h>

char *path_above(const char *path)
{
	char *copy = strdup(path), *slash;
	size_t n;

	if (!copy)
		return NULL;
	n = strlen(copy);
	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	slash = strrchr(copy, '/');
	if (!slash)
		strcpy(copy, "."); /* no path is shorter than that, but the empty one */
	else if (slash == copy)
		slash[1] = '\0';
	else
		*slash = '\0';
	return copy;
}

char *path_base(const char *path)
{
	size_t n = strlen(path), start;

	while (n > 1 && path[n - 1] == '/')
		n--;
	for (start = n; start > 0 && path[start - 1] != '/'; start--)
		;
	return strndup(path + start, n - start);
}

bool path_is_in(const char *path, const char *top)
{
	size_t n = top ? strlen(top) : 0;

	return path && top && strncmp(path, top, n) == 0 && (!path[n] || path[n] == '/');
}
