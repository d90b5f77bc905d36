/* SipHash-2-4; see digest.h. */
#include "source/file/observe/digest.h"

#include <string.h>

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void mix(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* A word of the message, the first byte lowest. */
static uint64_t word_of(const unsigned char *bytes)
{
	uint64_t word = 0;

	for (unsigned i = 8; i-- > 0;)
		word = word << 8 | bytes[i];
	return word;
}

static void add_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	mix(v);
	mix(v);
	v[0] ^= word;
}

void digest_begin(struct digest *d, const uint64_t key[2])
{
	/* "somepseudorandomlygeneratedbytes" */
	*d = (struct digest){
	    .v = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
		  key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)}};
}

void digest_add(struct digest *d, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	size_t in_tail = d->length % 8;

	d->length += length;
	for (; in_tail && length; length--) {
		d->tail[in_tail++] = *at++;
		if (in_tail == 8) {
			add_word(d->v, word_of(d->tail));
			in_tail = 0;
		}
	}
	for (; length >= 8; at += 8, length -= 8)
		add_word(d->v, word_of(at));
	if (length)
		memcpy(d->tail, at, length);
}

uint64_t digest_end(struct digest *d)
{
	size_t in_tail = d->length % 8;

	memset(d->tail + in_tail, 0, 8 - in_tail);
	d->tail[7] = (unsigned char)d->length;
	add_word(d->v, word_of(d->tail));
	d->v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		mix(d->v);
	return d->v[0] ^ d->v[1] ^ d->v[2] ^ d->v[3];
}
