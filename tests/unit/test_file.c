/* The pure parts of file: globs, git's patterns. */
#include "match/glob.h"
#include "source/file/choose/ignore_rules.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

		ignore_rules_take(&r, strdup(cases[i].pattern));
		OK((ignore_rules_say(&r, cases[i].path, cases[i].directory) > 0) ==
		       cases[i].matches,
		   "git's %s %s %s", cases[i].pattern,
		   cases[i].matches ? "matches" : "does not match", cases[i].path);
		ignore_rules_free(&r);
	}
}

/* Whatever table finds them, the last pattern that matches decides. */
static void git_pattern_order(void)
{
	static const struct {
		const char *rules, *path;
		bool directory;
		int says;
	} cases[] = {{"*.o\n!keep.o\n", "keep.o", false, 0},
		     {"!keep.o\n*.o\n", "keep.o", false, 1},
		     {"a\n!a/\n", "a", false, 1},
		     {"a\n!a/\n", "a", true, 0},
		     {"*\n!*.c\n!d/\n", "x.c", false, 0},
		     {"*\n!*.c\n!d/\n", "x.h", false, 1},
		     {"!x[ab]\nxa\n", "xa", false, 1},
		     {"xa\n!x[ab]\n", "xa", false, 0},
		     {"/a/b\n!b\n", "a/b", false, 0},
		     {"!b\n/a/b\n", "a/b", false, 1},
		     {"*.tar.gz\n!*.gz\n", "f.tar.gz", false, 0},
		     {"# b\n\n", "b", false, -1}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ignore_rules r = {0};

		ignore_rules_take(&r, strdup(cases[i].rules));
		SAME(ignore_rules_say(&r, cases[i].path, cases[i].directory), cases[i].says,
		     "rules %zu say of %s", i, cases[i].path);
		ignore_rules_free(&r);
	}
}

/* 200,000 patterns are found by hash; of those with wildcards only so many are tried. */
static void git_patterns_many(void)
{
	struct ignore_rules r = {0};
	char *text = malloc(200000 * 24 + 1), *at = text;

	for (int i = 0; i < 200000; i++)
		at += sprintf(at, i % 2 ? "name%d\n" : "*.ending%d\n", i);
	ignore_rules_take(&r, text);
	SAME(r.n_wild, 0, "none of them is tried by itself");
	SAME(ignore_rules_say(&r, "d/name77777", false), 1, "the name is found");
	SAME(ignore_rules_say(&r, "d/x.ending100000", false), 1, "the ending is found");
	SAME(ignore_rules_say(&r, "d/x.ending100001", false), -1, "another is not");
	OK(!r.cut_off, "all of them count");
	ignore_rules_free(&r);
	text = malloc(20000 * 24 + 1);
	at = text;
	for (int i = 0; i < 20000; i++)
		at += sprintf(at, "a?b%d*\n", i);
	ignore_rules_take(&r, text);
	OK(r.cut_off, "too many with wildcards do not all count");
	SAME(r.n_wild, IGNORE_WILD_MOST, "the first ones do");
	ignore_rules_free(&r);
}

int main(void)
{
	git_pattern_order();
	git_patterns_many();
	globs();
	git_patterns();
	return tap_done();
}
