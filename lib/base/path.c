/*
 * Paths as words.
 */
#include "base/path.h"

#include "base/buf.h"

#include <errno.h>
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

/* What is there of it, without links, and behind that the components that are missing. */
char *path_real(const char *path)
{
	char *above = strdup(path), *real = NULL, *up;
	struct buf missing = {0}, b = {0};

	while (above && !(real = realpath(above, NULL)) && (errno == ENOENT || errno == ENOTDIR)) {
		char *base = path_base(above);

		up = path_above(above);
		if (up && base && strcmp(up, above) != 0) {
			buf_printf(&b, "/%s%s", base, missing.data ? missing.data : "");
			buf_clear(&missing);
			buf_add(&missing, b.data, b.length);
			buf_clear(&b);
		} else {
			free(up);
			up = NULL;
		}
		free(base);
		free(above);
		above = up;
	}
	if (real)
		buf_printf(&b, "%s%s", real[1] || !missing.length ? real : "",
			   missing.length ? missing.data : "");
	b.failed |= !real || missing.failed;
	free(above);
	free(real);
	buf_free(&missing);
	return buf_take(&b);
}

bool path_is_in(const char *path, const char *top)
{
	size_t n = top ? strlen(top) : 0;

	return path && top && strncmp(path, top, n) == 0 && (!path[n] || path[n] == '/');
}
