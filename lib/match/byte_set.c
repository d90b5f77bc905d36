/* See byte_set.h. */
#include "match/byte_set.h"

unsigned byte_set_count(const struct byte_set *s, unsigned char *only)
{
	unsigned n = 0;

	for (unsigned c = 0; c < 256; c++)
		if (byte_set_has(s, (unsigned char)c)) {
			*only = (unsigned char)c;
			n++;
		}
	return n;
}

bool is_word_byte(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '_';
}

bool is_space_byte(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

void byte_set_ignore_case(struct byte_set *s)
{
	for (unsigned letter = 'a'; letter <= 'z'; letter++) {
		unsigned char c = (unsigned char)letter, upper = (unsigned char)(c - 'a' + 'A');

		if (byte_set_has(s, c))
			byte_set_add(s, upper);
		else if (byte_set_has(s, upper))
			byte_set_add(s, c);
	}
}

struct byte_set byte_set_of(bool (*class)(unsigned char c), bool negated)
{
	struct byte_set set = {0};

	for (unsigned c = 0; c < 256; c++)
		if (class((unsigned char)c) != negated)
			byte_set_add(&set, (unsigned char)c);
	return set;
}
