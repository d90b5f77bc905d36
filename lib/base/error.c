/* See error.h. */
#include "base/error.h"

#include "base/path.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void error_clear(struct error *e)
{
	memset(e, 0, sizeof *e);
	e->word = -1;
}

int error_set(struct error *e, const char *format, ...)
{
	int saved = errno;
	va_list ap;

	error_clear(e);
	va_start(ap, format);
	vsnprintf(e->what, sizeof e->what, format, ap);
	va_end(ap);
	errno = saved;
	return -1;
}

int error_errno(struct error *e, const char *format, ...)
{
	int saved = errno;
	va_list ap;
	size_t n;

	error_clear(e);
	va_start(ap, format);
	vsnprintf(e->what, sizeof e->what, format, ap);
	va_end(ap);
	n = strlen(e->what);
	snprintf(e->what + n, sizeof e->what - n, ": %s", strerror(saved));
	if (saved == EMFILE || saved == ENFILE)
		error_hint(e, "raise the limit of open files (ulimit -n)");
	errno = saved;
	return -1;
}

int error_hint(struct error *e, const char *format, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, format);
	vsnprintf(e->hint, sizeof e->hint, format, ap);
	va_end(ap);
	errno = saved;
	return -1;
}

void error_hint_place(struct error *e, const char *path)
{
	int why = errno;
	char *above = path_above(path);

	if (above && why == ENOENT && access(above, F_OK) < 0)
		error_hint(e, "the directory %s does not exist: make it first", above);
	else if (above && why == ENOENT)
		error_hint(e, "no file can be made in %s", above);
	else if (above && why == EACCES)
		error_hint(e, "the directory %s must be writable", above);
	free(above);
	errno = why;
}

int error_option(struct error *e, const char *name, const char *format, ...)
{
	va_list ap;
	size_t n;

	error_set(e, "--%s%s", name, *format == ':' ? "" : " ");
	n = strlen(e->what);
	va_start(ap, format);
	vsnprintf(e->what + n, sizeof e->what - n, format, ap);
	va_end(ap);
	e->option = name;
	return -1;
}

/* Does the text go on from a subject: "has no effect", "must be at least 1"? */
static bool is_predicate(const char *text)
{
	return strncmp(text, "has ", 4) == 0 || strncmp(text, "must ", 5) == 0 ||
	       strncmp(text, "cannot be used ", 15) == 0;
}

int error_of_option(struct error *e, const char *name)
{
	const char *join = is_predicate(e->what) ? " " : ": ";
	size_t length = strlen(name), n = length + 2 + strlen(join);

	e->option = name;
	if (strlen(e->what) + n >= sizeof e->what)
		return -1;
	memmove(e->what + n, e->what, strlen(e->what) + 1);
	memcpy(e->what, "--", 2);
	memcpy(e->what + 2, name, length);
	memcpy(e->what + 2 + length, join, strlen(join));
	return -1;
}

int error_at(struct error *e, int word, int column)
{
	e->word = word;
	e->column = column;
	return -1;
}

int error_in_word(struct error *e, const char *word, const char *at, const char *why)
{
	error_set(e, "\"%s\": %s", word, why);
	return error_at(e, -1, (int)(at - word));
}
