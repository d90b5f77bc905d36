/*
 * The rules of one file, by gitignore(5), and by what git does where the manual is silent.
 */
#include "source/file/ignore_rules.h"

#include "base/array.h"
#include "source/file/git.h"
#include "source/file/glob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Blanks at the end count only behind a backslash. Tabs are no blanks to git. */
static void trim(char *line)
{
	char *end = NULL;

	for (char *p = line; *p; p++) {
		if (*p == ' ') {
			end = end ? end : p;
			continue;
		}
		end = NULL;
		if (*p == '\\' && !*++p)
			return;
	}
	if (end)
		*end = '\0';
}

int ignore_rules_add(struct ignore_rules *r, char *line)
{
	struct ignore_pattern p = {0};
	size_t n;

	if (*line == '#')
		return 0;
	trim(line);
	p.negated = *line == '!';
	line += p.negated;
	n = strlen(line);
	p.directory = n && line[n - 1] == '/';
	if (p.directory)
		line[n - 1] = '\0';
	p.anchored = strchr(line, '/') != NULL;
	p.text = line + (*line == '/');
	p.literal = strcspn(p.text, "*?[\\");
	if (!*p.text)
		return 0;
	if (ARRAY_GROW(r->items, r->capacity, r->count + 1) < 0)
		return -1;
	r->items[r->count++] = p;
	return 0;
}

void ignore_rules_free(struct ignore_rules *r)
{
	free(r->items);
	free(r->text);
	*r = (struct ignore_rules){0};
}

int ignore_rules_read(struct ignore_rules *r, const char *path, bool follow)
{
	char *rest, *line;
	size_t n;

	r->text = git_read_file(path, follow);
	if (!r->text)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	rest = r->text;
	if (strncmp(rest, "\xef\xbb\xbf", 3) == 0)
		rest += 3;
	while ((line = strsep(&rest, "\n"))) {
		n = strlen(line);
		if (n && line[n - 1] == '\r')
			line[n - 1] = '\0';
		if (ignore_rules_add(r, line) < 0)
			return -1;
	}
	return 0;
}

/* What comes before the first wildcard is compared as it is, and the wildcard counts as the start
 * of a component then: git takes a pair of asterisks behind it for one that crosses slashes. */
static bool pattern_matches(const struct ignore_pattern *p, const char *path, const char *base)
{
	const char *text = p->anchored ? path : base;

	return strncmp(p->text, text, p->literal) == 0 &&
	       glob_matches(p->text + p->literal, text + p->literal, GLOB_AS_GIT_DOES);
}

int ignore_rules_say(const struct ignore_rules *r, const char *path, bool directory)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	for (size_t i = r->count; i-- > 0;) {
		const struct ignore_pattern *p = &r->items[i];

		if ((!p->directory || directory) && pattern_matches(p, path, base))
			return !p->negated;
	}
	return -1;
}
