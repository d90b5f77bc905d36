/*
 * Random disturbance of PROXY headers (address/proxy_header.h), for a sanitized build.
 *
 *	proxy_header SECONDS [SEED]
 *
 * Beyond "it does not crash": what is right so far never was wrong, what is wrong stays wrong
 * whatever follows, a whole header is the same header with other bytes behind it, and what was
 * told is told again when it is written and read.
 */
#include "address/proxy_header.h"

#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

enum { ROOM = 600 };

static const struct {
	const char *bytes;
	size_t length;
} seeds[] = {
#define SEED(literal)                                                                              \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}
    SEED("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n"),
    SEED("PROXY TCP6 2001:db8::1 ::ffff:1.2.3.4 0 65535\r\n"),
    SEED("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535\r\n"),
    SEED(SIGNATURE "\x21\x11\0\x0c\1\2\3\4\5\6\7\x8\0\x50\1\xbb"),
    SEED(SIGNATURE "\x21\x11\0\x11\1\2\3\4\5\6\7\x8\0\x50\1\xbb\4\0\2xy"),
    SEED(SIGNATURE "\x21\x21\0\x24ssssssssssssssssddddddddddddddddpppp"),
    SEED(SIGNATURE "\x20\x00\0\0"),
    SEED(SIGNATURE "\x21\x31\0\xd8/run/one"),
};

struct input {
	unsigned char bytes[ROOM];
	size_t length;
};

struct reading {
	enum proxy_result result;
	struct proxy_header header;
	size_t used;
	const char *why;
};

static uint64_t state;

/* xorshift64*: the same everywhere for the same seed. */
static unsigned below(size_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (unsigned)((state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % (unsigned)n;
}

/* In a block of exactly this length, so that a byte too far is noticed. */
static struct reading read_exactly(const struct input *in, size_t length)
{
	unsigned char *copy = malloc(length ? length : 1);
	struct reading r = {0};

	memcpy(copy, in->bytes, length);
	r.result = proxy_header_read(copy, length, &r.header, &r.used, &r.why);
	free(copy);
	return r;
}

static void disturb(struct input *in)
{
	static const char telling[] = "\r\n\0 019:.fPT\x20\x21\x11\x31\xff";
	size_t at = in->length ? below(in->length) : 0, n;

	switch (below(6)) {
	case 0:
		in->bytes[at] = (unsigned char)below(256);
		break;
	case 1:
		in->bytes[at] = (unsigned char)telling[below(sizeof telling - 1)];
		break;
	case 2:
		in->bytes[at] ^= (unsigned char)(1u << below(8));
		break;
	case 3: /* a part is taken out */
		n = below(in->length - at + 1);
		memmove(in->bytes + at, in->bytes + at + n, in->length - at - n);
		in->length -= n;
		break;
	case 4: /* a part comes twice */
		n = below(in->length - at + 1);
		if (in->length + n > ROOM)
			break;
		memmove(in->bytes + at + n, in->bytes + at, in->length - at);
		in->length += n;
		break;
	default: /* more behind it */
		while (in->length < ROOM && below(8))
			in->bytes[in->length++] = (unsigned char)below(256);
	}
}

static void input_make(struct input *in)
{
	unsigned which = below(sizeof seeds / sizeof *seeds), times = below(6);

	memset(in->bytes, 0, sizeof in->bytes);
	memcpy(in->bytes, seeds[which].bytes, seeds[which].length);
	in->length = seeds[which].length;
	if (which == sizeof seeds / sizeof *seeds - 1)
		in->length = 16 + 216;
	while (times--)
		disturb(in);
}

static bool same_ends(const struct proxy_header *a, const struct proxy_header *b)
{
	return memcmp(&a->source.storage, &b->source.storage, sizeof a->source.storage) == 0 &&
	       memcmp(&a->destination.storage, &b->destination.storage,
		      sizeof a->destination.storage) == 0;
}

/* NULL, or the promise that is broken. */
static const char *broken_promise(const struct input *in)
{
	struct reading whole = read_exactly(in, in->length), part, again;
	size_t shorter = below(in->length + 1);
	struct input written;

	part = read_exactly(in, shorter);
	if (whole.result == PROXY_WRONG)
		return whole.why ? NULL : "wrong, and not told why";
	if (part.result == PROXY_WRONG)
		return "a beginning is wrong of what is not";
	if (whole.result == PROXY_PARTIAL)
		return part.result == PROXY_PARTIAL ? NULL : "whole, and with more of it partial";
	if (whole.used == 0 || whole.used > in->length)
		return "a length that cannot be";
	if ((part.result == PROXY_WHOLE) != (shorter >= whole.used))
		return "its end depends on what follows";
	if (!whole.header.has_ends ||
	    whole.header.source.any.sa_family != whole.header.destination.any.sa_family)
		return NULL;
	written.length =
	    proxy_header_write(2, &whole.header.source, &whole.header.destination, written.bytes);
	again = read_exactly(&written, written.length);
	if (again.result != PROXY_WHOLE || !same_ends(&again.header, &whole.header))
		return "written and read, it tells something else";
	return NULL;
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / (double)NS_PER_S;
}

int main(int argc, char **argv)
{
	double end = seconds_now() + (argc > 1 ? atof(argv[1]) : 5);
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL) + 1, n = 0;
	struct input in;

	printf("seed %llu\n", (unsigned long long)seed);
	state = seed;
	for (; n % 1024 || seconds_now() < end; n++) {
		const char *broken;

		input_make(&in);
		broken = broken_promise(&in);
		if (!broken)
			continue;
		printf("input %llu: %s:", (unsigned long long)n, broken);
		for (size_t i = 0; i < in.length; i++)
			printf(" %02x", in.bytes[i]);
		printf("\n");
		return 1;
	}
	printf("%llu headers, no promise broken\n", (unsigned long long)n);
	return 0;
}
