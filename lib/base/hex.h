/* Bytes in hex and as text, for people, as hexdump(1) -C shows them. */
#ifndef EVWATCH_BASE_HEX_H
#define EVWATCH_BASE_HEX_H

#include "base/buf.h"

#include <stdint.h>

/*
 * Appends lines of 16 bytes each, the first of which stands at `offset` of what the reader sees:
 *
 *	00000000  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 0a           |Hello, world.|
 */
void hex_dump(struct buf *out, uint64_t offset, const void *bytes, size_t length);

#endif
