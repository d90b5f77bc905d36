/*
 * A digest of bytes, 64 bits, that come in pieces: SipHash-2-4 (Aumasson and Bernstein, 2012).
 *
 * It stands for the content of a file, so two contents must not have the same one, even if somebody
 * wants them to: who may write to a file could else change it unnoticed. SipHash is made for that,
 * with a key that nobody outside knows, and takes about a second for two gigabytes. The kernel
 * offers nothing better by a plain system call.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_DIGEST_H
#define EVWATCH_SOURCE_FILE_OBSERVE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

struct digest {
	uint64_t v[4];
	unsigned char tail[8]; /* bytes that do not fill a word yet */
	uint64_t length;
};

void digest_begin(struct digest *d, const uint64_t key[2]);
void digest_add(struct digest *d, const void *bytes, size_t length);
uint64_t digest_end(struct digest *d);

#endif
