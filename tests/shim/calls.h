/*
 * Counts what the library calls (system calls of the C library, and its allocator), and lets one of
 * them fail. Linked in with --wrap (see the Makefile), so it works under sanitizers and valgrind.
 * Calls of the C library's own are not seen.
 */
#ifndef EVWATCH_TESTS_CALLS_H
#define EVWATCH_TESTS_CALLS_H

#include <stdbool.h>

/* What can be counted and failed: the names of the functions, and of some calls by syscall(2). */
const char *const *calls_names(void);

/* All counts are 0 again, and nothing fails. */
void calls_reset(void);

/* How often the function was called since. */
long calls_count(const char *name);
/* malloc, calloc and realloc together. */
long calls_of_the_allocator(void);

/* The `nth` call (from 1) of `name` fails with `error`; `for_good`: and all after it. */
void calls_fail(const char *name, long nth, int error, bool for_good);
/* The first `n` calls of `name` fail with `error`. */
void calls_fail_first(const char *name, long n, int error);
/* Did it? */
bool calls_failed(void);

#endif
