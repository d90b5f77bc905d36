/* lib/output/spool: first in, first out, with bounded memory. */
#include "output/spool.h"

#include "tap.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { LIMIT = 1000 };

/* The byte at a place of the stream that goes in. */
static char byte_at(uint64_t place)
{
	return (char)(place * 7 + place / 251);
}

static int add(struct spool *s, uint64_t *in, size_t length)
{
	char *bytes = malloc(length);
	int result;

	for (size_t i = 0; i < length; i++)
		bytes[i] = byte_at(*in + i);
	result = spool_add(s, bytes, length);
	free(bytes);
	*in += length;
	return result;
}

/* Takes at most `most`; false when a byte is not the one that went in there. */
static bool take(struct spool *s, uint64_t *out, size_t most)
{
	while (most > 0) {
		size_t length;
		const char *bytes = spool_peek(s, &length);

		if (!length)
			return true;
		if (length > most)
			length = most;
		for (size_t i = 0; i < length; i++)
			if (bytes[i] != byte_at(*out + i))
				return false;
		*out += length;
		most -= length;
		spool_take(s, length);
	}
	return true;
}

static void test_order(void)
{
	struct spool s;
	uint64_t in = 0, out = 0;
	bool same = true, bounded = true;
	size_t length;

	spool_init(&s, LIMIT, NULL);
	srandom(7);
	for (int i = 0; i < 2000; i++) {
		add(&s, &in, 1 + (size_t)random() % 3000);
		same = same && take(&s, &out, (size_t)random() % 3100);
		same = same && spool_length(&s) == in - out;
		bounded = bounded && s.memory.capacity <= 2 * (LIMIT + 65536);
	}
	OK(same, "%llu bytes come out as they went in", (unsigned long long)out);
	OK(bounded, "in bounded memory");
	OK(take(&s, &out, SIZE_MAX) && out == in, "to the last one");
	spool_peek(&s, &length);
	SAME(length, 0, "then nothing is left");
	OK(s.fd < 0 && !s.memory.data, "an empty spool holds neither memory nor file");
	spool_free(&s);
}

/* What a limit leaves no room for on disk stays in memory. */
static void test_limited(int resource, rlim_t limit, const char *what)
{
	struct rlimit before, tight;
	struct spool s;
	uint64_t in = 0, out = 0;
	int failures = 0;

	getrlimit(resource, &before);
	tight = (struct rlimit){limit, before.rlim_max};
	setrlimit(resource, &tight);
	spool_init(&s, LIMIT, NULL);
	for (int i = 0; i < 20; i++)
		failures += add(&s, &in, 777) < 0;
	setrlimit(resource, &before);
	SAME(failures, 0, "%s loses nothing", what);
	OK(take(&s, &out, SIZE_MAX) && out == in, "and keeps the order");
	spool_free(&s);
}

int main(void)
{
	test_order();
	signal(SIGXFSZ, SIG_IGN);
	test_limited(RLIMIT_FSIZE, 4096, "a full disk");
	test_limited(RLIMIT_NOFILE, 0, "a full descriptor table");
	return tap_done();
}
