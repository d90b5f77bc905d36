/* Sets of bytes, of the C locale. */
#ifndef EVWATCH_MATCH_BYTE_SET_H
#define EVWATCH_MATCH_BYTE_SET_H

#include <stdbool.h>
#include <stdint.h>

struct byte_set {
	uint64_t bits[4];
};

static inline void byte_set_add(struct byte_set *s, unsigned char c)
{
	s->bits[c >> 6] |= UINT64_C(1) << (c & 63);
}

static inline bool byte_set_has(const struct byte_set *s, unsigned char c)
{
	return s->bits[c >> 6] >> (c & 63) & 1;
}

/* How many bytes are in it; 1: *only is that one. */
unsigned byte_set_count(const struct byte_set *s, unsigned char *only);

/* Adds the other case of each letter in it. */
void byte_set_ignore_case(struct byte_set *s);

/* All bytes that are, or (negated) are not, of the class. */
struct byte_set byte_set_of(bool (*class)(unsigned char c), bool negated);

/* [[:alnum:]_], which \w names, and [[:space:]], which \s names. */
bool is_word_byte(unsigned char c);
bool is_space_byte(unsigned char c);

#endif
