/* The digest of what a file holds. */
#include "source/file/observe/digest.h"

#include "tap.h"

static uint64_t digest_of(const unsigned char *bytes, size_t length, size_t piece)
{
	static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	struct digest d;

	digest_begin(&d, key);
	for (size_t at = 0; at < length; at += piece)
		digest_add(&d, bytes + at, length - at < piece ? length - at : piece);
	return digest_end(&d);
}

int main(void)
{
	unsigned char bytes[64];
	bool same = true;

	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)i;
	/* The example of the paper's appendix. */
	OK(digest_of(bytes, 15, 15) == UINT64_C(0xa129ca6149be45e5),
	   "the digest is that of the published example");
	for (size_t length = 0; length <= sizeof bytes; length++)
		for (size_t piece = 1; piece <= length; piece++)
			same &= digest_of(bytes, length, piece) == digest_of(bytes, length, length);
	OK(same, "it is the same in pieces of any size");
	OK(digest_of(bytes, 8, 8) != digest_of(bytes, 9, 9), "a zero more at the end is another");
	return tap_done();
}
