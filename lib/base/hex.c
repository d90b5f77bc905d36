/* See hex.h. */
#include "base/hex.h"

#include <string.h>

enum { IN_LINE = 16, LINE_ROOM = 100 };

static char *hex_add(char *to, uint64_t n, int digits)
{
	for (int i = digits - 1; i >= 0; i--, n >>= 4)
		to[i] = "0123456789abcdef"[n & 15];
	return to + digits;
}

/* One line; `n` is at most IN_LINE. */
static void line_add(struct buf *out, uint64_t offset, const unsigned char *bytes, size_t n)
{
	char line[LINE_ROOM], *at = hex_add(line, offset, offset >> 32 ? 16 : 8);

	*at++ = ' ';
	for (size_t i = 0; i < IN_LINE; i++) {
		memset(at, ' ', 4);
		at += i % 8 ? 1 : 1 + (i > 0);
		if (i < n)
			hex_add(at, bytes[i], 2);
		at += 2;
	}
	memcpy(at, "  |", 3);
	at += 3;
	for (size_t i = 0; i < n; i++)
		*at++ = (char)(bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '.');
	*at++ = '|';
	*at++ = '\n';
	buf_add(out, line, (size_t)(at - line));
}

void hex_dump(struct buf *out, uint64_t offset, const void *bytes, size_t length)
{
	for (size_t i = 0; i < length; i += IN_LINE)
		line_add(out, offset + i, (const unsigned char *)bytes + i,
			 length - i < IN_LINE ? length - i : IN_LINE);
}
