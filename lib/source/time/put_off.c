/* See time.h: jitter. */
#include "source/time/time.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/fd.h"

/* FNV-1a: spreads names evenly, which is all that is asked of it. */
static uint64_t hash_add(uint64_t hash, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* What tells this host from others: machine-id(5), else its name. */
static uint64_t hash_host(uint64_t hash)
{
	char id[256];
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, id, sizeof id);

	fd_close(&fd);
	if (n <= 0) {
		memset(id, 0, sizeof id);
		gethostname(id, sizeof id - 1);
		n = (ssize_t)strlen(id);
	}
	return hash_add(hash, id, (size_t)n);
}

/* The low bits of the product are poor; mixed once more. */
static int64_t below(uint64_t hash, int64_t limit)
{
	hash ^= hash >> 32;
	hash *= UINT64_C(0x9e3779b97f4a7c15);
	hash ^= hash >> 29;
	return (int64_t)(hash % (uint64_t)limit);
}

int64_t put_off(const struct time_config *c, const char *rule)
{
	int64_t sum = 0;

	if (c->fixed_jitter) {
		uint64_t hash = hash_host(UINT64_C(0xcbf29ce484222325));

		sum += below(hash_add(hash, rule, strlen(rule)), c->fixed_jitter);
	}
	if (c->jitter) {
		uint64_t random = (uint64_t)clock_read(CLOCK_OF_LOOP);

		/* Without entropy yet, the clock has to do: jitter guards no secret. */
		if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
			random *= UINT64_C(0x9e3779b97f4a7c15);
		sum += below(random, c->jitter);
	}
	return sum;
}
