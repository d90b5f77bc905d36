/*
 * git's files, as far as they say what is ignored: gitrepository-layout(5), and the configuration
 * of git-config(1) in the order in which git reads it; the last word counts. Conditional includes
 * are not followed.
 */
#include "source/file/git.h"

#include "base/buf.h"
#include "base/fd.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INCLUDES = 10 }; /* within includes; git's limit, too */

/* ---- files ----------------------------------------------------------------------------------- */

static char *read_all(int fd)
{
	struct buf b = {0};
	ssize_t n;

	do {
		n = buf_reserve(&b, 4096) < 0 ? -1 : read(fd, b.data + b.length, 4096);
		b.length += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	buf_add_char(&b, '\0');
	if (n == 0)
		return buf_take(&b);
	buf_free(&b);
	return NULL;
}

char *git_read_file(const char *path, bool follow)
{
	int fd =
	    open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW));
	struct stat st;
	char *text = NULL;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	else
		text = read_all(fd);
	fd_close(&fd);
	return text;
}

/* `path`, or if it is relative, what it is in `directory`. Owned; NULL: ENOMEM. */
static char *path_in(const char *directory, const char *path)
{
	struct buf b = {0};

	if (*path != '/')
		buf_printf(&b, "%s/", directory);
	buf_add_text(&b, path);
	return buf_take(&b);
}

/* The path in the one line of a file, behind `prefix`. Owned; NULL: there is none. */
static char *path_told_by(const char *path, const char *prefix, const char *directory)
{
	char *text = path ? git_read_file(path, true) : NULL, *found = NULL;
	size_t n = strlen(prefix);

	if (text && strncmp(text, prefix, n) == 0) {
		text[n + strcspn(text + n, "\r\n")] = '\0';
		found = path_in(directory, text + n);
	}
	free(text);
	return found;
}

/* In a linked work tree or a submodule `.git` is a file that says where it is; what all work trees
 * share may be somewhere else again. */
char *git_repository(const char *directory)
{
	char *git = path_in(directory, ".git"), *told = NULL, *common, *shared;
	struct stat st;

	if (!git || stat(git, &st) < 0) {
		free(git);
		return NULL;
	}
	if (!S_ISDIR(st.st_mode)) {
		told = path_told_by(git, "gitdir: ", directory);
		free(git);
		git = told;
	}
	common = git ? path_in(git, "commondir") : NULL;
	shared = path_told_by(common, "", git ? git : "");
	free(common);
	if (!shared)
		return git;
	free(git);
	return shared;
}

/* ---- the form of a configuration ------------------------------------------------------------- */

struct config {
	const char *at;
	struct buf section, value;
	char key[32];
};

static void skip_line(struct config *c)
{
	c->at += strcspn(c->at, "\n");
}

/* [core], or [include], or [section "of something"]: names are the same in capitals. */
static void take_section(struct config *c)
{
	size_t n = strcspn(c->at + 1, "]\n");

	buf_clear(&c->section);
	buf_add(&c->section, c->at + 1, n);
	c->at += 1 + n;
	c->at += *c->at == ']';
}

/* What a backslash makes of a character; none at the end of a line, which goes on in the next. */
static void take_escape(struct config *c)
{
	switch (*++c->at) {
	case '\n':
		return;
	case 'n':
		buf_add_char(&c->value, '\n');
		return;
	case 't':
		buf_add_char(&c->value, '\t');
		return;
	default:
		if (*c->at)
			buf_add_char(&c->value, *c->at);
	}
}

/* Blanks around it do not count, in quotes all do; a comment ends it. */
static void take_value(struct config *c)
{
	bool quoted = false;
	size_t length = 0; /* without the blanks at the end */

	buf_clear(&c->value);
	for (; *c->at && *c->at != '\n' && (quoted || !strchr("#;", *c->at)); c->at++) {
		if (*c->at == '"') {
			quoted = !quoted;
		} else if (*c->at == '\\') {
			take_escape(c);
			if (!*c->at)
				break;
		} else if (quoted || c->value.length || !isblank((unsigned char)*c->at)) {
			buf_add_char(&c->value, *c->at);
		}
		if (quoted || !isspace((unsigned char)*c->at))
			length = c->value.length;
	}
	skip_line(c);
	if (c->value.data)
		c->value.data[c->value.length = length] = '\0';
}

/* The next key that has a value. False: that was all. */
static bool next_entry(struct config *c)
{
	size_t n;

	for (;;) {
		c->at += strspn(c->at, " \t\r\n");
		if (!*c->at)
			return false;
		if (*c->at == '[') {
			take_section(c);
			continue;
		}
		n = strcspn(c->at, " \t\r\n=#;");
		memcpy(c->key, c->at, n < sizeof c->key ? n : 0);
		c->key[n < sizeof c->key ? n : 0] = '\0';
		c->at += n;
		c->at += strspn(c->at, " \t");
		if (*c->at == '=') {
			c->at++;
			take_value(c);
			return true;
		}
		skip_line(c);
	}
}

/* ---- core.excludesFile ----------------------------------------------------------------------- */

static const char *home(void)
{
	const char *path = getenv("HOME");

	return path ? path : "";
}

/* A path that may begin with ~/, and may be relative to `directory`. */
static char *expand(const char *path, const char *directory)
{
	if (strncmp(path, "~/", 2) == 0)
		return path_in(home(), path + 2);
	return path_in(directory, path);
}

/* Looks for it in one file, and what that includes; *found (owned) is replaced. */
static void look_in(char *path, const char *top, char **found, int includes)
{
	char *text = path ? git_read_file(path, true) : NULL, *slash;
	struct config c = {.at = text};

	while (text && next_entry(&c)) {
		const char *section = c.section.data ? c.section.data : "";
		const char *value = c.value.data ? c.value.data : "";

		if (!strcasecmp(section, "core") && !strcasecmp(c.key, "excludesfile")) {
			free(*found);
			*found = *value ? expand(value, top) : strdup("");
		} else if (includes < INCLUDES && !strcasecmp(section, "include") &&
			   !strcasecmp(c.key, "path") && (slash = strrchr(path, '/'))) {
			*slash = '\0';
			look_in(expand(value, path), top, found, includes + 1);
			*slash = '/';
		}
	}
	buf_free(&c.section);
	buf_free(&c.value);
	free(text);
	free(path);
}

/* A file in the directory where the user keeps git's things. Owned. */
static char *users_file(const char *name)
{
	const char *xdg = getenv("XDG_CONFIG_HOME");
	char *directory, *path;

	if (xdg && *xdg)
		return path_in(xdg, name);
	directory = path_in(home(), ".config");
	path = directory ? path_in(directory, name) : NULL;
	free(directory);
	return path;
}

char *git_excludes_file(const char *repository, const char *top)
{
	const char *system = getenv("GIT_CONFIG_SYSTEM"), *global = getenv("GIT_CONFIG_GLOBAL");
	char *found = NULL;

	if (!getenv("GIT_CONFIG_NOSYSTEM"))
		look_in(strdup(system ? system : "/etc/gitconfig"), top, &found, 0);
	if (global) {
		look_in(strdup(global), top, &found, 0);
	} else {
		look_in(users_file("git/config"), top, &found, 0);
		look_in(path_in(home(), ".gitconfig"), top, &found, 0);
	}
	if (repository)
		look_in(path_in(repository, "config"), top, &found, 0);
	return found ? found : users_file("git/ignore");
}
