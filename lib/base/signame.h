/* Names of signals: HUP, SIGHUP, 1, RTMIN+3. */
#ifndef EVWATCH_BASE_SIGNAME_H
#define EVWATCH_BASE_SIGNAME_H

#include <stddef.h>
#include <stdint.h>

struct error;

/* The signal's number, or -1 with `e` (and a hint where a name is near). */
int signal_parse(const char *word, struct error *e);

/* Writes the name without SIG: "HUP", "RTMIN+3". Returns `room`. */
char *signal_name(int number, char *out, size_t size);

/* For sets of signals: a bit each, from signal 1 on. */
static inline uint64_t signal_bit(int number)
{
	return UINT64_C(1) << (number - 1);
}

#endif
