/*
 * The words and numbers of a line, one after the other: what the kernel says, and what we wrote.
 *
 * Each function steps over blanks, and leaves *at behind what it read, or where it was at if that
 * is not there. None goes beyond the end of the line. (scanf(3) would do, but is not told when a
 * number is out of range, and is 10 kB of a static binary.)
 */
#ifndef EVWATCH_BASE_SCAN_H
#define EVWATCH_BASE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* This character is next. */
bool scan_char(const char **at, char c);

/* Steps over so many words. */
bool scan_skip(const char **at, size_t words);

/* A word, which ends at a blank or at one of `ends`. False: none, or one that has no room. */
bool scan_word(const char **at, const char *ends, char *word, size_t room);

/* A number to this base; what is negative wraps, as in strtoull(3), which sets errno. */
bool scan_number(const char **at, int base, uint64_t *n);

/* The same, decimal, of at most so many digits: what is behind them is left. */
bool scan_digits(const char **at, int most, int *n);

#endif
