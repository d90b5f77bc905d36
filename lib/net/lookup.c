/* See lookup.h. */
#include "net/lookup.h"

#include "base/fd.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STACK = 256 * 1024 }; /* bytes, for getaddrinfo */

void lookup_release(struct lookup *l)
{
	if (l && __atomic_sub_fetch(&l->holders, 1, __ATOMIC_ACQ_REL) == 0)
		free(l);
}

/* The next one of this family from `at` on (`same`), or of another. */
static const struct addrinfo *next_of(const struct addrinfo *at, int family, bool same)
{
	while (at && (at->ai_family == family) != same)
		at = at->ai_next;
	return at;
}

static void put(struct lookup *l, const struct addrinfo *from)
{
	struct address *a = &l->addresses[l->n++];

	memcpy(&a->any, from->ai_addr, from->ai_addrlen);
	a->length = from->ai_addrlen;
}

/* The first one's family and the other one take turns: none of them is cut off by the limit. */
static void take_addresses(struct lookup *l, const struct addrinfo *list)
{
	int family = list ? list->ai_family : 0;
	const struct addrinfo *next[2] = {list, next_of(list, family, false)};

	for (int turn = 0; l->n < LOOKUP_MOST && (next[0] || next[1]); turn = !turn) {
		if (!next[turn])
			continue;
		put(l, next[turn]);
		next[turn] = next_of(next[turn]->ai_next, family, turn == 0);
	}
}

/*
 * Is there no descriptor to be had? An errno, or 0. What getaddrinfo(3) says without one is not to
 * be relied upon: that there is no such name, for one.
 */
static int want_of_descriptors(const struct lookup *l)
{
	int fd = fcntl(l->done, F_DUPFD_CLOEXEC, 0);
	int error = fd < 0 ? errno : 0;

	fd_close(&fd);
	return error;
}

static void *ask(void *lookup)
{
	struct lookup *l = lookup;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	char port[8];

	snprintf(port, sizeof port, "%u", l->port);
	l->want = want_of_descriptors(l);
	if (!l->want)
		l->error = getaddrinfo(l->host, port, &hints, &list);
	if (l->error)
		l->want = want_of_descriptors(l);
	take_addresses(l, list);
	if (list)
		freeaddrinfo(list);
	if (write(l->done, "", 1) < 0)
		l->want = errno; /* nobody waits for it: nobody reads this */
	fd_close(&l->done);
	lookup_release(l);
	return NULL;
}

struct lookup *lookup_start(const char *host, uint16_t port, int done)
{
	size_t length = strlen(host) + 1;
	struct lookup *l = calloc(1, sizeof *l + length);
	int error;

	if (!l)
		return NULL;
	memcpy(l->host, host, length);
	l->port = port;
	l->holders = 2;
	l->done = done;
	error = thread_start(ask, l, STACK);
	if (!error)
		return l;
	free(l);
	errno = error;
	return NULL;
}
