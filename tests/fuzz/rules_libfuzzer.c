/*
 * libFuzzer writes a text of rules. Beyond "it does not crash" there are the promises of
 * rules_promises.h, and the answer comes within 100 µs a byte (tenfold under ASan).
 */
#include "rules_promises.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MICROSECONDS = 10 * 100, START = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t start = now();
	const char *broken = broken_promise((const char *)data, size);

	if (broken) {
		fprintf(stderr, "%s\n", broken);
		abort();
	}
	if (now() - start > MICROSECONDS * (int64_t)size + START)
		abort();
	return 0;
}
