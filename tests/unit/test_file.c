/* The pure parts of file: sets of names, globs, git's patterns. */
#include "source/file/glob.h"
#include "source/file/ignore_rules.h"
#include "source/file/names.h"
#include "tap.h"

#include <stdio.h>
#include <string.h>

static void names(void)
{
	struct names *n = NULL;
	char name[32];
	int missing = 0, seen = 0;

	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof name, "name %d", i);
		missing += names_add(&n, name, i % 2 ? 'f' : 'd') != 1;
	}
	SAME(missing, 0, "each of 5,000 names is new");
	SAME(names_add(&n, "name 7", 'f'), 0, "a name is known the second time");
	for (int i = 0; i < 5000; i += 3) {
		snprintf(name, sizeof name, "name %d", i);
		missing += !names_remove(&n, name);
	}
	SAME(missing, 0, "each name that is there can be removed");
	OK(!names_remove(&n, "name 3"), "a removed name is not there");
	for (int i = 0; i < 5000; i++) {
		const struct entry *e;

		snprintf(name, sizeof name, "name %d", i);
		e = names_find(n, name);
		missing += (e != NULL) != (i % 3 != 0) || (e && e->type != (i % 2 ? 'f' : 'd'));
	}
	SAME(missing, 0, "removal leaves all others where they are found, with their types");
	for (uint32_t at = 0; names_next(n, &at);)
		seen++;
	SAME(seen, 5000 - 1667, "a walk meets each name once");
	names_free(&n);
	OK(!names_find(n, "name 1"), "the empty set knows nothing");
}

static void globs(void)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {{"*.c", "a.c", true},    {"*.c", "a/b.c", false},  {"**/*.c", "a/b.c", true},
		     {"**/*.c", "b.c", true}, {"a/**", "a/b/c", true},  {"a/**/z", "a/z", true},
		     {"[!a-c]x", "dx", true}, {"[!a-c]x", "bx", false}, {"\\*", "*", true},
		     {"\\*", "x", false},     {"?", "/", false},        {"", "", true}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		OK(glob_matches(cases[i].pattern, cases[i].text, GLOB_ANYWHERE) == cases[i].matches,
		   "glob %s %s %s", cases[i].pattern,
		   cases[i].matches ? "matches" : "does not match", cases[i].text);
}

static void git_patterns(void)
{
	static const struct {
		const char *pattern, *path;
		bool directory, matches;
	} cases[] = {{"*.o", "a/b.o", false, true},       {"/top", "top", false, true},
		     {"/top", "n/top", false, false},     {"build/", "build", true, true},
		     {"build/", "build", false, false},   {"a/**/z", "a/z", false, true},
		     {"a/**/z", "a/b/c/z", false, true},  {"**/deep", "n/deep", false, true},
		     {"foo/**", "foo", true, false},      {"foo/**", "foo/a/b", false, true},
		     {"x**y", "xaby", false, true},       {"x/**y", "x/a/y", false, false},
		     {"[[:digit:]]n", "1n", false, true}, {"a/*", "a/b/c", false, false},
		     {"\\!x", "!x", false, true},         {"#x", "#x", false, false},
		     {"x\\", "x", false, false},          {"[a", "[a", false, false}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ignore_rules r = {0};
		char line[32];

		strcpy(line, cases[i].pattern);
		ignore_rules_add(&r, line);
		OK((ignore_rules_say(&r, cases[i].path, cases[i].directory) > 0) ==
		       cases[i].matches,
		   "git's %s %s %s", cases[i].pattern,
		   cases[i].matches ? "matches" : "does not match", cases[i].path);
		ignore_rules_free(&r);
	}
}

int main(void)
{
	names();
	globs();
	git_patterns();
	return tap_done();
}
