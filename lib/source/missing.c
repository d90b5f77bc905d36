/* See missing.h. */
#include "source/missing.h"

#include "base/buf.h"
#include "base/log.h"
#include "source/source.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_program_in(const char *directory, size_t length, const char *name)
{
	struct buf b = {0};
	bool is;

	buf_add(&b, directory, length);
	buf_printf(&b, "/%s", name);
	is = !b.failed && access(b.data, X_OK) == 0;
	buf_free(&b);
	return is;
}

/* A word that the shell would run, were it the first of a command. */
static bool is_program(const char *name)
{
	const char *path = getenv("PATH");

	if (!*name || strchr(name, '/'))
		return false;
	while (path && *path) {
		size_t length = strcspn(path, ":");

		if (length && is_program_in(path, length, name))
			return true;
		path += length + (path[length] == ':');
	}
	return false;
}

/* "make" or "make all". */
static bool is_command(const char *text)
{
	char *first = strndup(text, strcspn(text, " "));
	bool is = first && is_program(first);

	free(first);
	return is;
}

static const char *what_is_wrong(const struct source *s, const char *path)
{
	if (strncmp(path, "~/", 2) == 0 || strchr(path, '$'))
		return "; only a shell expands ~ and $NAME, and nothing does in a rule: write the "
		       "path out";
	if (strpbrk(path, "*?["))
		return "; it is a path, not a pattern: give the directory, and --match 'PATTERN'";
	if (strcmp(path, "-") == 0)
		return "; --paths-from - reads paths from standard input";
	if (!s->has_command && is_command(path))
		return "; if it is the command, write -- before it";
	return "";
}

void missing_warn(const struct source *s, const char *path)
{
	log_warn(s->rule, "%s does not exist: waiting for it%s", path, what_is_wrong(s, path));
}
