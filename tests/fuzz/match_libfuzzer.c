/*
 * For libFuzzer: an expression up to the first NUL, and a text behind it.
 *
 * No crash; the text's answer comes within the steps that its length and the expression's promise;
 * and where regcomp(3) is not slow itself, it is regexec's.
 */
#include "match_pairs.h"

#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MICROSECONDS = 100 }; /* for each byte of expression and kB of text; tenfold under ASan */

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Bytes of the expression with its intervals written out, at most. */
static size_t written_out(const char *expression)
{
	struct expression x;
	struct program p;
	struct error e;
	size_t length = strlen(expression);

	if (expression_parse(&x, expression, false, &e) < 0)
		return length;
	if (program_new(&p, &x, MATCH_MOST_GROUPS, &e) == 0) {
		length += p.length;
		program_free(&p);
	}
	expression_free(&x);
	return length;
}

static void check_time(const char *expression, const char *text, size_t length)
{
	struct match_span spans[PAIR_SPANS];
	int64_t start = now(), most;
	struct error e;
	struct match *m = match_new(expression, length % 2, &e);

	if (m)
		pair_search(m, text, length, spans, match_groups(m) + 1, MATCH_TURN);
	match_free(m);
	most = 10 * MICROSECONDS * (int64_t)(written_out(expression) + 1) *
	       (int64_t)(length / 1024 + 1);
	if (now() - start > most + 20000)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\0', size);
	struct pair p = {0};
	size_t length;
	char *expression;

	if (!end)
		return 0;
	length = size - (size_t)(end + 1 - data);
	expression = strdup((const char *)data);
	check_time(expression, (const char *)end + 1, length);
	if (strlen(expression) < 24 && !strchr(expression, '{')) {
		snprintf(p.expression, sizeof p.expression, "%s", expression);
		snprintf(p.text, sizeof p.text, "%.*s", (int)(length < 63 ? length : 63),
			 (const char *)end + 1);
		if (pair_differs(&p)) {
			fprintf(stderr, "%s: %s on \"%s\"\n", p.why, p.expression, p.text);
			abort();
		}
	}
	free(expression);
	return 0;
}
