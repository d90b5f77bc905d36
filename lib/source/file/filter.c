/*
 * Which paths count: --match and --ignore.
 *
 * A pattern with a slash in it is held against the path as it is reported and against what follows
 * the root; one without is held against the last component. `*` stops at a slash, `**` does not.
 */
#include "source/file/file.h"

#include <string.h>

/* [abc], [a-z], [!x]: *pattern stands behind the bracket afterwards; false also when it is open. */
static bool set_matches(const char **pattern, char c)
{
	const char *p = *pattern;
	bool negated = *p == '!' || *p == '^', found = false;

	if (negated)
		p++;
	for (bool first = true; *p && (*p != ']' || first); first = false) {
		char low = *p == '\\' && p[1] ? *++p : *p, high = low;

		p++;
		if (*p == '-' && p[1] && p[1] != ']') {
			high = p[1];
			p += 2;
		}
		found |= low <= c && c <= high;
	}
	if (*p != ']')
		return false;
	*pattern = p + 1;
	return found != negated && c != '/';
}

/* What follows `**` may match at every place; behind `**` + slash only at component starts. */
static bool stars_match(const char *pattern, const char *text)
{
	bool components = *pattern == '/';

	if (components)
		pattern++;
	if (!*pattern)
		return true;
	for (const char *t = text;; t++) {
		if ((!components || t == text || t[-1] == '/') && glob_matches(pattern, t))
			return true;
		if (!*t)
			return false;
	}
}

static bool star_matches(const char *pattern, const char *text)
{
	for (;; text++) {
		if (glob_matches(pattern, text))
			return true;
		if (!*text || *text == '/')
			return false;
	}
}

bool glob_matches(const char *pattern, const char *text)
{
	while (*pattern) {
		if (pattern[0] == '*' && pattern[1] == '*')
			return stars_match(pattern + 2, text);
		if (*pattern == '*')
			return star_matches(pattern + 1, text);
		if (!*text)
			return false;
		if (*pattern == '[') {
			pattern++;
			if (!set_matches(&pattern, *text++))
				return false;
			continue;
		}
		if (*pattern == '?'                  ? *text == '/'
		    : *pattern == '\\' && pattern[1] ? *++pattern != *text
						     : *pattern != *text)
			return false;
		pattern++;
		text++;
	}
	return !*text;
}

static bool pattern_matches(const char *pattern, const char *path, const char *relative)
{
	const char *base = strrchr(path, '/');

	if (!strchr(pattern, '/'))
		return glob_matches(pattern, base && base[1] ? base + 1 : path);
	if (strncmp(pattern, "./", 2) == 0)
		pattern += 2;
	while (strncmp(path, "./", 2) == 0)
		path += 2;
	return glob_matches(pattern, path) || glob_matches(pattern, relative);
}

static bool any_matches(const struct text_list *patterns, const char *path, const char *relative)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (pattern_matches(patterns->items[i], path, relative))
			return true;
	return false;
}

bool filter_ignores(const struct file_config *c, const char *path, const char *relative)
{
	return any_matches(&c->ignore, path, relative);
}

bool filter_matches(const struct file_config *c, const char *path, const char *relative)
{
	if (c->match.count && !any_matches(&c->match, path, relative))
		return false;
	return !filter_ignores(c, path, relative);
}
