/* See scan.h. */
#include "base/scan.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *over_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

bool scan_char(const char **at, char c)
{
	const char *next = over_blanks(*at);

	if (*next != c || !c)
		return false;
	*at = next + 1;
	return true;
}

bool scan_skip(const char **at, size_t words)
{
	const char *next = *at;

	for (; words; words--) {
		size_t length;

		next = over_blanks(next);
		length = strcspn(next, " \t\n");
		if (!length)
			return false;
		next += length;
	}
	*at = next;
	return true;
}

bool scan_word(const char **at, const char *ends, char *word, size_t room)
{
	const char *next = over_blanks(*at);
	size_t length = strcspn(next, " \t\n"), shorter = strcspn(next, ends);

	if (shorter < length)
		length = shorter;
	if (!length || length >= room)
		return false;
	memcpy(word, next, length);
	word[length] = '\0';
	*at = next + length;
	return true;
}

bool scan_number(const char **at, int base, uint64_t *n)
{
	const char *next = over_blanks(*at);
	unsigned long long value;
	char *end;

	if (!isxdigit((unsigned char)*next) && *next != '-')
		return false;
	errno = 0;
	value = strtoull(next, &end, base);
	if (end == next || errno)
		return false;
	*n = value;
	*at = end;
	return true;
}

bool scan_digits(const char **at, int most, int *n)
{
	const char *next = over_blanks(*at);
	int value = 0, digits = 0;

	for (; digits < most && next[digits] >= '0' && next[digits] <= '9'; digits++)
		value = value * 10 + (next[digits] - '0');
	if (!digits)
		return false;
	*n = value;
	*at = next + digits;
	return true;
}
