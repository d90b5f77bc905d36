/*
 * In the order of hashes the names of a directory are walked, and hashes are seeded by what the
 * kernel gives a process at random: here it is the test that gives it, so that a seed's history is
 * the same in each process.
 */
#ifndef EVWATCH_TESTS_FIXED_HASHES_H
#define EVWATCH_TESTS_FIXED_HASHES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

/* Before anything is hashed. */
static void fix_hashes(const char *number)
{
	uint64_t seed = strtoull(number, NULL, 10);
	void *random = (void *)getauxval(AT_RANDOM);

	if (random)
		memcpy(random, &seed, sizeof seed);
}

#endif
