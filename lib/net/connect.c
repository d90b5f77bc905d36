/* See connect.h. */
#include "net/connect.h"

#include "base/fd.h"
#include "base/list.h"
#include "base/units.h"
#include "net/resolver.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define STAGGER (250 * NS_PER_MS) /* RFC 8305, section 8: Connection Attempt Delay */

struct attempt {
	struct io_watcher io; /* fd -1: not tried yet, or failed */
	struct connector *connector;
};

struct connector {
	struct reactor *reactor;
	struct attempt attempts[RESOLVED_MOST];
	struct address addresses[RESOLVED_MOST];
	struct address from;
	bool bound; /* to `from` */
	int n, next, under_way, error;
	struct timer stagger, timeout;
	connected_call *call;
	void *context;
};

void connector_stop(struct connector *c)
{
	for (int i = 0; i < c->next; i++) {
		int fd = c->attempts[i].io.fd;

		io_stop(c->reactor, &c->attempts[i].io);
		fd_close(&fd);
	}
	timer_stop(c->reactor, &c->stagger);
	timer_stop(c->reactor, &c->timeout);
	free(c);
}

/* The race is over: everything else is closed before the call. */
static void finish(struct connector *c, int fd, int error)
{
	connected_call *call = c->call;
	void *context = c->context;

	connector_stop(c);
	call(context, fd, error);
}

static void try_next(struct connector *c);

static void attempt_failed(struct attempt *a, int error)
{
	struct connector *c = a->connector;
	int fd = a->io.fd;

	io_stop(c->reactor, &a->io);
	fd_close(&fd);
	a->io.fd = -1;
	c->error = error;
	c->under_way--;
	/* In a turn of its own: failures must not nest, nor end the race inside its start. */
	timer_start_in(c->reactor, &c->stagger, 0);
}

static void on_connecting(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct attempt *a = CONTAINER_OF(w, struct attempt, io);
	int error = 0, fd = w->fd;
	socklen_t length = sizeof error;

	(void)ready;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		error = errno;
	if (error) {
		attempt_failed(a, error);
		return;
	}
	io_stop(r, w);
	w->fd = -1; /* the winner is not closed with the others */
	finish(a->connector, fd, 0);
}

int source_bind(int fd, const struct address *to, const struct address *from)
{
	int on = 1;

	if (!from || !address_is_ip(to))
		return 0;
	if (from->any.sa_family != to->any.sa_family) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	/* It is of use to IPv6 as well; an old kernel chooses a port at once. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	return bind(fd, &from->any, from->length);
}

static int stream_socket(const struct address *to, const struct address *from)
{
	int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && source_bind(fd, to, from) < 0)
		fd_close(&fd);
	return fd;
}

static void try_next(struct connector *c)
{
	struct attempt *a = &c->attempts[c->next];
	const struct address *to = &c->addresses[c->next++];
	int fd = stream_socket(to, c->bound ? &c->from : NULL);

	a->connector = c;
	c->under_way++;
	io_init(&a->io, fd, IO_WRITE, on_connecting);
	if (fd < 0 || (connect(fd, &to->any, to->length) < 0 && errno != EINPROGRESS) ||
	    io_start(c->reactor, &a->io) < 0) {
		attempt_failed(a, errno);
		return;
	}
	if (c->next < c->n)
		timer_start_in(c->reactor, &c->stagger, STAGGER);
}

static void on_stagger(struct reactor *r, struct timer *t)
{
	struct connector *c = CONTAINER_OF(t, struct connector, stagger);

	(void)r;
	if (c->next < c->n)
		try_next(c);
	else if (c->under_way == 0)
		finish(c, -1, c->error);
}

static void on_timeout(struct reactor *r, struct timer *t)
{
	(void)r;
	finish(CONTAINER_OF(t, struct connector, timeout), -1, ETIMEDOUT);
}

/* The families take turns, the first one's first (RFC 8305, section 4). */
static void interleave(struct connector *c, const struct address *addresses, int n)
{
	bool used[RESOLVED_MOST] = {false};
	sa_family_t last = 0;

	for (int placed = 0; placed < n; placed++) {
		int best = 0;

		while (used[best])
			best++;
		/* The first of another family, or the first there is. */
		for (int i = best; i < n; i++)
			if (!used[i] && addresses[i].any.sa_family != last) {
				best = i;
				break;
			}
		used[best] = true;
		last = addresses[best].any.sa_family;
		c->addresses[placed] = addresses[best];
	}
}

struct connector *connector_start(struct reactor *r, const struct address *addresses, int n,
				  const struct connect_config *config, connected_call *call,
				  void *context)
{
	struct connector *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->reactor = r;
	c->n = n < RESOLVED_MOST ? n : RESOLVED_MOST;
	c->call = call;
	c->context = context;
	c->bound = config->from != NULL;
	if (c->bound)
		c->from = *config->from;
	c->error = EADDRNOTAVAIL;
	interleave(c, addresses, c->n);
	timer_init(&c->stagger, CLOCK_OF_LOOP, on_stagger);
	timer_init(&c->timeout, CLOCK_OF_LOOP, on_timeout);
	if (timer_start_in(r, &c->timeout, config->timeout) < 0 ||
	    timer_start_in(r, &c->stagger, STAGGER) < 0) {
		timer_stop(r, &c->timeout);
		free(c);
		errno = ENOMEM;
		return NULL;
	}
	if (c->n > 0)
		try_next(c);
	return c;
}

static bool is_here(const struct address *to)
{
	if (to->any.sa_family == AF_INET)
		return ntohl(to->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return to->any.sa_family == AF_UNIX ||
	       (to->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&to->v6.sin6_addr));
}

/*
 * On loopback the handshake is over when connect(2) returns, yet it says EINPROGRESS; a second call
 * tells. A wait in the loop, and three more calls, would tell the same.
 */
int connect_at_once(const struct address *to, const struct address *from)
{
	int fd = is_here(to) ? stream_socket(to, from) : -1;

	if (fd >= 0 && connect(fd, &to->any, to->length) < 0 &&
	    (errno != EINPROGRESS || connect(fd, &to->any, to->length) < 0))
		fd_close(&fd);
	return fd;
}
