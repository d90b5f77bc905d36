/*
 * Globs, by git's rules: `[a-z]`, `[!x]`, `[[:digit:]]`, `\` takes the next character as it is; a
 * bracket that is not closed matches nothing.
 *
 * The hard part is to go back without going back everywhere: patterns come from files that
 * strangers wrote. When the text stops matching, only the last `*` may eat one more character, and
 * where that is a slash, the last `**`: what came before either has matched as early as it could.
 */
#include "match/glob.h"

#include "base/array.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

/* ---- one character --------------------------------------------------------------------------- */

/* 1, 0; -1: there is no such class. */
static int class_matches(const char *name, size_t length, unsigned char c)
{
	static const struct {
		const char *name;
		int (*is)(int);
	} classes[] = {{"alnum", isalnum}, {"alpha", isalpha},   {"digit", isdigit},
		       {"lower", islower}, {"upper", isupper},   {"space", isspace},
		       {"punct", ispunct}, {"xdigit", isxdigit}, {"cntrl", iscntrl},
		       {"graph", isgraph}, {"print", isprint},   {"blank", isblank}};

	for (size_t i = 0; i < ARRAY_LENGTH(classes); i++)
		if (strlen(classes[i].name) == length && memcmp(classes[i].name, name, length) == 0)
			return classes[i].is(c) != 0;
	return -1;
}

/* `p` stands at "[:". Returns where the name ends (at ":]"), or NULL: it is no class. */
static const char *class_end(const char *p)
{
	const char *end = strchr(p + 2, ']');

	return end && end > p + 2 && end[-1] == ':' ? end - 1 : NULL;
}

/* One character of a set, which may be escaped. False: the pattern ends here. */
static bool take_literal(const char **p, unsigned char *c)
{
	if (**p == '\\')
		(*p)++;
	if (!**p)
		return false;
	*c = (unsigned char)*(*p)++;
	return true;
}

/* *pattern stands behind the opening bracket, and behind the closing one afterwards. -1: it has
 * none. */
static int set_matches(const char **pattern, unsigned char c)
{
	const char *p = *pattern, *end;
	bool negated = *p == '!' || *p == '^', found = false;
	unsigned char low, high;

	p += negated;
	for (bool first = true; *p != ']' || first; first = false) {
		if (p[0] == '[' && p[1] == ':' && (end = class_end(p))) {
			int is = class_matches(p + 2, (size_t)(end - p) - 2, c);

			if (is < 0)
				return -1;
			found |= is;
			p = end + 2;
			continue;
		}
		if (!take_literal(&p, &low))
			return -1;
		high = low;
		if (p[0] == '-' && p[1] && p[1] != ']') {
			p++;
			if (!take_literal(&p, &high))
				return -1;
		}
		found |= low <= c && c <= high;
	}
	*pattern = p + 1;
	return found != negated && c != '/';
}

/* One character against one of the pattern; *p stands behind it afterwards. -1: nothing matches. */
static int one_matches(const char **p, unsigned char c)
{
	unsigned char expected;

	if (!**p || !c)
		return 0;
	switch (**p) {
	case '?':
		(*p)++;
		return c != '/';
	case '[':
		(*p)++;
		return set_matches(p, c);
	default:
		return take_literal(p, &expected) ? expected == c : -1;
	}
}

/* ---- stars ----------------------------------------------------------------------------------- */

/* Where to go on when what follows a star does not match: with more text eaten by it. */
struct star {
	const char *pattern; /* behind the star; NULL: there was none */
	const char *text;
	bool components; /* it eats whole ones */
};

/* Two asterisks or more, from `start` to `end`, in a pattern that begins at `first`: do they cross
 * slashes? */
static bool is_deep(const char *first, const char *start, const char *end, enum glob_style style)
{
	if (end - start < 2)
		return false;
	return style == GLOB_ANYWHERE || ((start == first || start[-1] == '/') &&
					  (!*end || *end == '/' || strncmp(end, "\\/", 2) == 0));
}

/* Lets the star eat a little more. False: it cannot. */
static bool eat_more(struct star *star, bool deep)
{
	if (!star->pattern || !*star->text || (!deep && *star->text == '/'))
		return false;
	if (star->components) {
		const char *slash = strchr(star->text, '/');

		star->text = slash ? slash + 1 : NULL;
		return slash;
	}
	star->text++;
	return true;
}

bool glob_matches(const char *pattern, const char *text, enum glob_style style)
{
	const char *p = pattern, *t = text;
	struct star star = {0}, deep = {0};

	for (;;) {
		if (*p == '*') {
			const char *end = p + strspn(p, "*");
			bool crosses = is_deep(pattern, p, end, style);
			/* The slash behind belongs to what is eaten: `**` + slash may eat nothing.
			 */
			bool components = crosses && *end == '/' && (p == pattern || p[-1] == '/');

			p = end + components;
			star = (struct star){crosses ? NULL : p, t, false};
			if (crosses)
				deep = (struct star){p, t, components};
			continue;
		}
		if (!*p && !*t)
			return true;
		switch (one_matches(&p, (unsigned char)*t)) {
		case 1:
			t++;
			continue;
		case -1:
			return false;
		}
		if (eat_more(&star, false)) {
			p = star.pattern;
			t = star.text;
		} else if (eat_more(&deep, true)) {
			p = deep.pattern;
			t = deep.text;
			star.pattern = NULL;
		} else {
			return false;
		}
	}
}

bool glob_valid(const char *pattern)
{
	const char *p = pattern;

	while (*p)
		if (*p == '*')
			p++;
		else if (one_matches(&p, 'x') < 0)
			return false;
	return *pattern;
}
