/* lib/match: regular expressions against regexec(3) and by hand, their bounds, and globs. */
#include "match/glob.h"
#include "match_pairs.h"
#include "tap.h"

#include <time.h>

enum { PAIRS = 30000 };

/* The groups as "from-to" words, `none`, or the error. */
static const char *answer(const char *expression, const char *text, bool ignore_case)
{
	static char out[500];
	struct match_span spans[PAIR_SPANS];
	struct error e;
	struct match *m = match_new(expression, ignore_case, &e);
	size_t length = 0;

	if (!m) {
		snprintf(out, sizeof out, "%d: %s", e.column, e.what);
		return out;
	}
	snprintf(out, sizeof out, "none");
	if (pair_search(m, text, strlen(text), spans, match_groups(m) + 1, MATCH_TURN))
		for (size_t i = 0; i <= match_groups(m); i++)
			length += (size_t)snprintf(out + length, sizeof out - length, "%s%zd-%zd",
						   i ? " " : "", spans[i].from, spans[i].to);
	match_free(m);
	return out;
}

static void test_places(void)
{
	SAME_TEXT(answer("b|abc|ab", "xabc", false), "1-4",
		  "the leftmost match, and of these the longest");
	SAME_TEXT(answer("(a|ab)(c|bcd)(d*)", "abcd", false), "0-4 0-1 1-4 4-4",
		  "groups are what backtracking chooses first for the longest match");
	SAME_TEXT(answer("(a*)*", "b", false), "0-0 0-0", "a loop over nothing sets its group");
	SAME_TEXT(answer("(a)|(b)", "b", false), "0-1 -1--1 0-1",
		  "a group that took no part is unset");
	SAME_TEXT(answer("(a|(b))*", "ba", false), "0-2 1-2 0-1",
		  "a group keeps what an earlier round of its loop found");
	SAME_TEXT(
	    answer("Failed .* from ([0-9.]+)", "x Failed password for \xff from 1.2.3.4 p", false),
	    "2-36 29-36", "a byte that is no UTF-8 is a byte");
	SAME_TEXT(answer("\\<w[[:alnum:]]*\\>", "a-was_now waS", false), "10-13",
		  "words have edges");
	SAME_TEXT(answer("FROM [a-c]", "x from B", true), "2-8", "case can be ignored");
	SAME_TEXT(answer("needle", "hayneedlehay", false), "3-9", "a literal alone has its place");
	SAME_TEXT(answer("(){0}a", "xa", false), "1-2 -1--1", "a group that is left out is unset");
}

static void test_refusals(void)
{
	SAME_TEXT(answer("(a)\\1", "aa", false), "3: back-references are not supported",
		  "a back-reference is refused, with its place");
	SAME_TEXT(answer("ab(", "", false), "2: this ( is never closed", "an open group is named");
	SAME_TEXT(answer("*.log", "", false), "0: * has nothing to repeat",
		  "a glob is no expression");
	SAME_TEXT(answer("a{2,1}", "", false),
		  "1: the first number of the interval is greater than the second",
		  "an interval is in order");
	SAME_TEXT(answer("[[:digits:]]", "", false), "0: there is no class [:digits:]",
		  "a class that does not exist is named");
	SAME_TEXT(answer("(((a{300}){300}){300}){300}", "", false),
		  "0: the expression is too large", "intervals are written out, and bounded");
	SAME_TEXT(answer("((((){32767}){32767}){32767}){32767}", "", false),
		  "0: the expression is too large", "even of nothing");
}

static void test_depth(void)
{
	static char deep[100001];
	struct error e;

	memset(deep, '(', sizeof deep - 1);
	OK(!match_new(deep, false, &e), "100,000 open groups are refused");
	memset(deep, '*', sizeof deep - 1);
	deep[0] = 'a';
	SAME_TEXT(answer(deep, "aa", false), "0-2", "a hundred thousand stars are one");
}

static void test_pairs(void)
{
	int differ = 0;

	pair_state = 20;
	for (int i = 0; i < PAIRS; i++) {
		struct pair p;

		pair_make(&p);
		if (pair_differs(&p) && ++differ < 10)
			printf("# %s: %s on \"%s\"\n", p.why, p.expression, p.text);
	}
	SAME(differ, 0, "%d random pairs: what regexec says, and groups as backtracking has them",
	     PAIRS);
}

/* Steps that a search takes: what it costs on any machine. */
static size_t steps(const char *expression, const char *part, size_t times, bool *found)
{
	size_t n = strlen(part), spent = 0;
	struct match_span spans[PAIR_SPANS];
	enum match_answer answer = MATCH_MORE;
	char *text = malloc(n * times + 1);
	struct error e;
	struct match *m = match_new(expression, false, &e);

	if (!text || !m)
		abort();
	for (size_t i = 0; i < times; i++)
		memcpy(text + i * n, part, n);
	match_begin(m, text, n * times, spans, match_groups(m) + 1);
	while (answer == MATCH_MORE) {
		size_t left = 1000;

		answer = match_run(m, &left);
		spent += 1000 - left;
	}
	*found = answer == MATCH_YES;
	match_free(m);
	free(text);
	return spent;
}

static void test_linear(const char *expression, const char *part)
{
	bool found;
	size_t small = steps(expression, part, 2000, &found);
	size_t large = steps(expression, part, 20000, &found);

	OK(large <= 11 * small, "%s takes ten times as long for ten times the text (%zu, %zu)",
	   expression, small, large);
	OK(large / (strlen(part) * 20000) <= 40 * strlen(expression),
	   "%s takes no more than text times expression", expression);
}

static void test_doubts(void)
{
	static const char *const doubtful[] = {
	    "from \\d+", "a\\tb",   "[\\w.]+", "[^\\]]*x",     "[:digit:]", "[A-z]", "\"(.*?)\"",
	    "[0-9]++",   "cost $5", "a^b",     "[error|warn]", "x*",        "a||b",  "\\0",
	};
	static const char *const plain[] = {
	    "Failed .* from ([0-9.]+)",
	    "^a|b$",
	    "(^| )x( |$)",
	    "[]\\]",
	    "[a|]",
	    "\\.\\[\\]",
	    "\\bword\\b",
	    "^$",
	    "a{2}b?",
	    "[[:digit:]]",
	    "[^]\\]",
	    "[[:alpha:]-]",
	    "(a|b)*c",
	    "[+-]?[0-9]",
	    "a\\+?",
	};
	struct error e;

	for (size_t i = 0; i < sizeof doubtful / sizeof *doubtful; i++)
		OK(match_doubtful(doubtful[i], &e) && *e.hint, "%s is hardly meant", doubtful[i]);
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		OK(!match_doubtful(plain[i], &e), "%s may be meant (%s)", plain[i], e.what);
}

static void test_globs(void)
{
	char text[2001];
	clock_t start = clock();

	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	OK(!glob_matches("**a**a**a**a**a**a**a**a**a**a**b", text, GLOB_ANYWHERE) &&
	       !glob_matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text, GLOB_ANYWHERE),
	   "a glob of many stars matches not");
	OK(clock() - start < CLOCKS_PER_SEC, "and says so at once");
}

int main(void)
{
	test_places();
	test_refusals();
	test_depth();
	test_pairs();
	test_linear("Failed .* from ([0-9.]+)", "Failed ");
	test_linear("(.*): (.*): (.*) end", "a: b: ");
	test_linear("(a|aa)*(a|b)*[cd]$", "a");
	test_linear("(x+x+)+[yz]", "x");
	test_linear("((x|xx)*(x)*)+", "x");
	test_linear("(.*)(.*)(.*)(x|y)", "x");
	test_linear("([ab]*a[ab]{12})[xz]", "abaabbabaaabbb");
	test_doubts();
	test_globs();
	return tap_done();
}
