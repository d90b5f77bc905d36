/*
 * The matcher against regexec(3), in the C locale: so many random pairs of an expression and a
 *text.
 *
 *	match COUNT [SEED]
 */
#include "match_pairs.h"

#include <time.h>

int main(int argc, char **argv)
{
	long count = argc > 1 ? atol(argv[1]) : 1000000, differ = 0, errs = 0;

	pair_state =
	    argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL) * 2654435761u + 1;
	setlinebuf(stdout);
	printf("seed %llu\n", (unsigned long long)pair_state);
	for (long i = 0; i < count; i++) {
		struct pair p;

		pair_make(&p);
		if (pair_differs(&p) && ++differ <= 20)
			printf("%s\n  expression: %s\n  text:       \"%s\"\n", p.why, p.expression,
			       p.text);
		errs += p.regexec_errs;
	}
	printf("%ld pairs, %ld differ; regexec errs in %ld more\n", count, differ, errs);
	return differ != 0;
}
