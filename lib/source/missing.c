/* See missing.h. */
#include "source/missing.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "source/source.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_program_in(const char *directory, size_t length, const char *name)
{
	struct buf b = {0};
	struct stat st;
	bool is;

	buf_add(&b, directory, length);
	buf_printf(&b, "/%s", name);
	is =
	    !b.failed && access(b.data, X_OK) == 0 && stat(b.data, &st) == 0 && S_ISREG(st.st_mode);
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

/* What a path that does not exist was meant to be, and its cure; NULL: nothing else. */
static const char *reason(const char *path, bool has_command)
{
	if (strncmp(path, "~/", 2) == 0 || strchr(path, '$'))
		return "only a shell expands ~ and $NAME, and nothing does in a rule: write the "
		       "path out";
	if (strpbrk(path, "*?["))
		return "it is a path, not a pattern: give the directory, and --match 'PATTERN'";
	if (*path && strlen(path) < 3 && !path[strspn(path, "<>|&")])
		return "only a shell knows it, and a command comes after --";
	if (strcmp(path, "-") == 0)
		return "--paths-from - reads paths from standard input";
	if (*path && path[strlen(path) - 1] == ';')
		return "a rule ends with its line, or its -e: write a second one";
	if (!has_command && is_command(path))
		return "if it is the command, write -- before it";
	return NULL;
}

void missing_warn(const struct source *s, const char *path)
{
	const char *why = reason(path, s->has_command);

	log_warn(s->rule, "%s does not exist: waiting for it%s%s", path, why ? "; " : "",
		 why ? why : "");
}

bool missing_doubtful(const char *path, bool has_command, struct error *e)
{
	const char *why = reason(path, has_command);

	if (!why || access(path, F_OK) == 0)
		return false;
	error_set(e, "%s does not exist", path);
	error_hint(e, "%s", why);
	return true;
}
