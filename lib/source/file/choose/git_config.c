/*
 * The configuration of git, as far as it says what is ignored: git-config(1). Its files are read in
 * the order in which git reads them, then what stands in the environment; the last word counts.
 *
 * Includes may be conditional on the git directory or the branch. (hasconfig: is not known here,
 * and includes nothing.) Configurations belong to strangers where the tree does: how deep they
 * include each other, and how many files are read in all, is bounded.
 */
#include "base/buf.h"
#include "source/file/choose/git.h"
#include "match/glob.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { INCLUDES_DEEP = 10 /* git's limit, too */, FILES_MOST = 100, VARIABLES_MOST = 1000 };

/* A question to all of the configuration. */
struct question {
	const char *git, *top; /* `git` may be NULL */
	int files;             /* read so far */
	char *answer;          /* owned */
};

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

/* [core], or [include], or [includeIf "condition"]: kept as it is, without the brackets. */
static void take_section(struct config *c)
{
	bool quoted = false;

	buf_clear(&c->section);
	for (c->at++; *c->at && *c->at != '\n' && (quoted || *c->at != ']'); c->at++) {
		if (*c->at == '\\' && quoted && c->at[1])
			c->at++;
		else if (*c->at == '"')
			quoted = !quoted;
		buf_add_char(&c->section, *c->at);
	}
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

/* ---- conditions ------------------------------------------------------------------------------ */

static const char *home(void)
{
	const char *path = getenv("HOME");

	return path ? path : "";
}

static void lower(char *text)
{
	for (; text && *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

/* The pattern of gitdir: in full: ~/, ./ and what has no slash in front, and a slash at the end. */
static char *whole_pattern(const char *pattern, const char *directory)
{
	size_t n = strlen(pattern);
	struct buf b = {0};

	if (strncmp(pattern, "~/", 2) == 0)
		buf_printf(&b, "%s%s", home(), pattern + 1);
	else if (strncmp(pattern, "./", 2) == 0)
		buf_printf(&b, "%s%s", directory, pattern + 1);
	else
		buf_printf(&b, "%s%s", *pattern == '/' ? "" : "**/", pattern);
	if (n && pattern[n - 1] == '/')
		buf_add_text(&b, "**");
	return buf_take(&b);
}

/* The git directory is held against the pattern as it is called and as it really is. */
static bool is_git_directory(const char *git, const char *pattern, const char *directory,
			     bool any_case)
{
	char *whole = whole_pattern(pattern, directory), *called = git ? strdup(git) : NULL;
	char *real = git ? realpath(git, NULL) : NULL;
	bool is;

	if (any_case) {
		lower(whole);
		lower(called);
		lower(real);
	}
	is = whole && ((called && glob_matches(whole, called, GLOB_AS_GIT_DOES)) ||
		       (real && glob_matches(whole, real, GLOB_AS_GIT_DOES)));
	free(whole);
	free(called);
	free(real);
	return is;
}

static bool is_on_branch(const char *git, const char *pattern)
{
	static const char prefix[] = "ref: refs/heads/";
	char *path = git ? git_path_in(git, "HEAD") : NULL;
	char *head = path ? git_read_file(path, true) : NULL;
	size_t n = strlen(pattern);
	struct buf b = {0};
	bool is = false;

	buf_printf(&b, "%s%s", pattern, n && pattern[n - 1] == '/' ? "**" : "");
	if (head && !b.failed && strncmp(head, prefix, sizeof prefix - 1) == 0) {
		head[strcspn(head, "\r\n")] = '\0';
		is = glob_matches(b.data, head + sizeof prefix - 1, GLOB_AS_GIT_DOES);
	}
	buf_free(&b);
	free(head);
	free(path);
	return is;
}

/* `section` is `includeIf "CONDITION"`. */
static bool condition_holds(const struct question *q, const char *section, const char *directory)
{
	const char *quote = strchr(section, '"');
	char *condition = quote ? strdup(quote + 1) : NULL, *end, *pattern;
	bool holds = false;

	end = condition ? strrchr(condition, '"') : NULL;
	if (end)
		*end = '\0';
	pattern = end ? strchr(condition, ':') : NULL;
	if (pattern) {
		*pattern++ = '\0';
		if (strcmp(condition, "gitdir") == 0 || strcmp(condition, "gitdir/i") == 0)
			holds =
			    is_git_directory(q->git, pattern, directory, strchr(condition, '/'));
		else if (strcmp(condition, "onbranch") == 0)
			holds = is_on_branch(q->git, pattern);
	}
	free(condition);
	return holds;
}

static bool is_include(const struct question *q, const char *section, const char *directory)
{
	if (strncasecmp(section, "includeif", 9) == 0)
		return condition_holds(q, section, directory);
	return strcasecmp(section, "include") == 0;
}

/* ---- core.excludesFile ----------------------------------------------------------------------- */

/* A path that may begin with ~/, and may be relative to `directory`. */
static char *expand(const char *path, const char *directory)
{
	if (strncmp(path, "~/", 2) == 0)
		return git_path_in(home(), path + 2);
	return git_path_in(directory, path);
}

static void answer(struct question *q, const char *value)
{
	free(q->answer);
	q->answer = *value ? expand(value, q->top) : strdup("");
}

/* Looks in one file, and in what it includes. Takes over `path`; NULL: ENOMEM. */
static void look_in(struct question *q, char *path, int deep)
{
	char *text = path && q->files++ < FILES_MOST ? git_read_file(path, true) : NULL;
	char *slash = path ? strrchr(path, '/') : NULL;
	struct config c = {.at = text};

	if (slash)
		*slash = '\0'; /* `path` is the directory from here */
	while (text && next_entry(&c)) {
		const char *section = c.section.data ? c.section.data : "";
		const char *value = c.value.data ? c.value.data : "";

		if (!strcasecmp(section, "core") && !strcasecmp(c.key, "excludesfile"))
			answer(q, value);
		else if (deep < INCLUDES_DEEP && slash && !strcasecmp(c.key, "path") &&
			 is_include(q, section, path))
			look_in(q, expand(value, path), deep + 1);
	}
	buf_free(&c.section);
	buf_free(&c.value);
	free(text);
	free(path);
}

/* GIT_CONFIG_COUNT says how many pairs of GIT_CONFIG_KEY_n and GIT_CONFIG_VALUE_n there are. */
static void look_in_environment(struct question *q)
{
	const char *count = getenv("GIT_CONFIG_COUNT");
	long n = count ? strtol(count, NULL, 10) : 0;

	for (int i = 0; i < n && i < VARIABLES_MOST; i++) {
		const char *key, *value;
		char name[40];

		snprintf(name, sizeof name, "GIT_CONFIG_KEY_%d", i);
		key = getenv(name);
		snprintf(name, sizeof name, "GIT_CONFIG_VALUE_%d", i);
		value = getenv(name);
		if (key && value && strcasecmp(key, "core.excludesfile") == 0)
			answer(q, value);
	}
}

/* A file in the directory where the user keeps git's things. */
static char *users_file(const char *name)
{
	const char *xdg = getenv("XDG_CONFIG_HOME");
	char *directory, *path;

	if (xdg && *xdg)
		return git_path_in(xdg, name);
	directory = git_path_in(home(), ".config");
	path = directory ? git_path_in(directory, name) : NULL;
	free(directory);
	return path;
}

char *git_excludes_file(const char *git, const char *top)
{
	const char *system = getenv("GIT_CONFIG_SYSTEM"), *global = getenv("GIT_CONFIG_GLOBAL");
	struct question q = {.git = git, .top = top};
	char *common = git ? git_common(git) : NULL;

	if (!getenv("GIT_CONFIG_NOSYSTEM"))
		look_in(&q, strdup(system ? system : "/etc/gitconfig"), 0);
	if (global) {
		look_in(&q, strdup(global), 0);
	} else {
		look_in(&q, users_file("git/config"), 0);
		look_in(&q, git_path_in(home(), ".gitconfig"), 0);
	}
	if (common)
		look_in(&q, git_path_in(common, "config"), 0);
	look_in_environment(&q);
	free(common);
	return q.answer ? q.answer : users_file("git/ignore");
}
