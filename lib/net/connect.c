/* See connect.h. */
#include "net/connect.h"

#include "base/fd.h"
#include "base/list.h"
#include "base/units.h"
#include "net/own.h"
#include "net/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define STAGGER      (250 * NS_PER_MS) /* RFC 8305, section 8: Connection Attempt Delay */
#define BACKLOG_WAIT (5 * NS_PER_MS)   /* for room in a Unix socket's backlog; it doubles */
#define BACKLOG_MOST (80 * NS_PER_MS)

struct attempt {
	struct io_watcher io; /* fd -1: not tried yet, or failed */
	struct connector *connector;
	struct address to;
};

bool connect_is_short(int error)
{
	return fd_is_short(error) || error == ENOBUFS || error == ENOMEM || error == EAGAIN;
}

const char *connect_error(int error)
{
	if (error == EAGAIN)
		return "no local port is left (net.ipv4.ip_local_port_range)";
	if (error == EMFILE)
		return "Too many open files (ulimit -n)";
	return strerror(error);
}

/* ---- sockets --------------------------------------------------------------------------------- */

/*
 * Binds a socket that is to be connected to `to`; NULL, and what has no IP address, is left alone.
 * The port is chosen when it connects (IP_BIND_ADDRESS_NO_PORT, Linux 4.2), so that as many
 * connections are possible as without. Returns 0, or -1 with errno: EAFNOSUPPORT (IPv4 and IPv6 do
 * not mix), EADDRNOTAVAIL (no address of this machine).
 */
static int source_bind(int fd, const struct address *to, const struct address *from)
{
	if (!from || !address_is_ip(to))
		return 0;
	if (from->any.sa_family != to->any.sa_family) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	/* It is of use to IPv6 as well; an old kernel chooses a port at once. */
	socket_enable(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
	return bind(fd, &from->any, from->length);
}

static int socket_for(const struct address *to, int type, const struct connect_config *c)
{
	int fd;

	if (c->own && listener_is_at(c->own, to)) {
		errno = ECONNREFUSED;
		return -1;
	}
	fd = socket_new(to, type);
	if (fd >= 0 && source_bind(fd, to, c->from) < 0)
		fd_close(&fd);
	return fd;
}

int connect_datagram(const struct address *to, const struct connect_config *config)
{
	int fd = socket_for(to, SOCK_DGRAM, config);

	if (fd >= 0 && connect(fd, &to->any, to->length) < 0)
		fd_close(&fd);
	else if (fd >= 0 && socket_is_own_peer(fd, to)) {
		fd_close(&fd);
		errno = ECONNREFUSED;
	}
	return fd;
}

/*
 * EADDRNOTAVAIL of a stream has two causes: no local port is left for this address, or this machine
 * has no address to connect from. A datagram socket meets only the second one. Returns the errno.
 */
static int cause_of(int error, const struct address *to, const struct connect_config *c)
{
	int fd;

	if (error != EADDRNOTAVAIL)
		return error;
	fd = connect_datagram(to, c);
	if (fd < 0)
		return errno;
	fd_close(&fd);
	return EAGAIN;
}

/* ---- on this machine ------------------------------------------------------------------------- */

static bool is_here(const struct address *to)
{
	return to->any.sa_family == AF_UNIX || address_is_loopback(to);
}

/*
 * Connects where that takes no time: on this machine (127.0.0.0/8, ::1, Unix). Returns the socket;
 * or -1: somewhere else, or it does not work, and a race will say why.
 *
 * On loopback the handshake is over when connect(2) returns, yet it says EINPROGRESS; a second call
 * tells. A wait in the loop, and three more calls, would tell the same.
 */
static int connect_at_once(const struct address *to, const struct connect_config *config)
{
	int fd = is_here(to) ? socket_for(to, SOCK_STREAM, config) : -1;

	if (fd < 0)
		return -1;
	if ((connect(fd, &to->any, to->length) < 0 &&
	     (errno != EINPROGRESS || connect(fd, &to->any, to->length) < 0)) ||
	    socket_is_own_peer(fd, to))
		fd_close(&fd);
	return fd;
}

/* ---- the end --------------------------------------------------------------------------------- */

void connector_stop(struct connector *c)
{
	if (!c->reactor)
		return; /* it was never started */
	if (c->resolving)
		resolver_forget(c->resolver, c);
	c->resolving = false;
	for (int i = 0; i < c->n; i++)
		io_stop_close(c->reactor, &c->attempts[i].io);
	timer_stop(c->reactor, &c->stagger);
	timer_stop(c->reactor, &c->timeout);
	free(c->attempts);
	c->attempts = NULL;
	c->n = c->next = 0;
}

/* Everything else is closed before the call; what is left to a datagram socket is kept. */
static void finish(struct connector *c, int fd, int error, const char *why)
{
	if (fd >= 0 && c->datagram)
		timer_stop(c->reactor, &c->timeout);
	else
		connector_stop(c);
	c->call(c->context, fd, error, why);
}

static void fail(struct connector *c, int error)
{
	finish(c, -1, error, connect_error(error));
}

/* ---- the race -------------------------------------------------------------------------------- */

static void attempt_failed(struct attempt *a, int error)
{
	struct connector *c = a->connector;

	io_stop_close(c->reactor, &a->io);
	/* With an attempt that a shortage ended nobody knows whether the peer is there. */
	if (!connect_is_short(c->error))
		c->error = error;
	c->under_way--;
	/* In a turn of its own: failures must not nest, nor end the race inside its start. */
	timer_start_in(c->reactor, &c->stagger, 0);
}

/* The backlog is full: this address is tried again a moment later. */
static void attempt_again(struct attempt *a)
{
	struct connector *c = a->connector;

	io_stop_close(c->reactor, &a->io);
	c->under_way--;
	c->next--;
	timer_start_in(c->reactor, &c->stagger,
		       backoff_next(&c->backlog_wait, BACKLOG_WAIT, BACKLOG_MOST));
}

static void on_connecting(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct attempt *a = CONTAINER_OF(w, struct attempt, io);
	int fd = w->fd, error = socket_failure(fd);

	(void)ready;
	if (!error && socket_is_own_peer(fd, &a->to))
		error = ECONNREFUSED;
	if (error) {
		attempt_failed(a, cause_of(error, &a->to, &a->connector->config));
		return;
	}
	io_stop(r, w);
	w->fd = -1; /* the winner is not closed with the others */
	finish(a->connector, fd, 0, NULL);
}

static void try_next(struct connector *c)
{
	struct attempt *a = &c->attempts[c->next++];
	int fd = socket_for(&a->to, SOCK_STREAM, &c->config), error;

	c->under_way++;
	io_init(&a->io, fd, IO_WRITE, on_connecting);
	if (fd >= 0 && (connect(fd, &a->to.any, a->to.length) == 0 || errno == EINPROGRESS) &&
	    io_start(c->reactor, &a->io) == 0) {
		if (c->next < c->n)
			timer_start_in(c->reactor, &c->stagger, STAGGER);
		return;
	}
	error = errno;
	if (error == EAGAIN && a->to.any.sa_family == AF_UNIX)
		attempt_again(a);
	else
		attempt_failed(a, cause_of(error, &a->to, &c->config));
}

/* Those that are left. */
static void try_datagrams(struct connector *c)
{
	int fd = -1, error = EADDRNOTAVAIL;

	while (fd < 0 && c->next < c->n) {
		fd = connect_datagram(&c->attempts[c->next++].to, &c->config);
		error = errno;
	}
	finish(c, fd, error, connect_error(error));
}

static void on_stagger(struct reactor *r, struct timer *t)
{
	struct connector *c = CONTAINER_OF(t, struct connector, stagger);

	(void)r;
	if (c->datagram)
		try_datagrams(c);
	else if (c->next < c->n)
		try_next(c);
	else if (c->under_way == 0)
		fail(c, c->error);
}

/* When this process was stopped, one that connected meanwhile has won all the same. */
static void on_timeout(struct reactor *r, struct timer *t)
{
	struct connector *c = CONTAINER_OF(t, struct connector, timeout);

	if (c->resolving) {
		finish(c, -1, ETIMEDOUT, "its name is not resolved in time");
		return;
	}
	for (int i = 0; i < c->next; i++) {
		struct io_watcher *w = &c->attempts[i].io;

		if (fd_is_ready(w->fd, IO_WRITE) && timer_start_in(r, t, 0) == 0)
			return;
	}
	fail(c, ETIMEDOUT);
}

/* ---- the start ------------------------------------------------------------------------------- */

static int take_addresses(struct connector *c, const struct address *addresses, int n)
{
	c->attempts = calloc((size_t)n, sizeof *c->attempts);
	if (!c->attempts)
		return -1;
	c->n = n;
	for (int i = 0; i < n; i++) {
		c->attempts[i].connector = c;
		c->attempts[i].to = addresses[i];
		io_init(&c->attempts[i].io, -1, IO_WRITE, on_connecting);
	}
	return 0;
}

static void on_resolved(void *context, const struct address *addresses, int n, const char *why)
{
	struct connector *c = context;
	int error = errno, fd;

	c->resolving = false;
	if (why || n == 0) {
		finish(c, -1, error, why ? why : "no address");
		return;
	}
	fd = c->datagram ? -1 : connect_at_once(&addresses[0], &c->config);
	if (fd >= 0)
		finish(c, fd, 0, NULL);
	else if (take_addresses(c, addresses, n) < 0)
		fail(c, ENOMEM);
	else if (c->datagram)
		try_datagrams(c);
	else if (timer_start_in(c->reactor, &c->stagger, STAGGER) < 0)
		fail(c, ENOMEM);
	else
		try_next(c);
}

void connector_start(struct connector *c, struct reactor *r, struct resolver *v,
		     const struct endpoint *to, const struct connect_config *config,
		     connected_call *call, void *context)
{
	*c = (struct connector){.reactor = r,
				.resolver = v,
				.config = *config,
				.call = call,
				.context = context,
				.datagram = to->kind == ENDPOINT_UDP,
				.resolving = true};
	timer_init(&c->stagger, CLOCK_OF_LOOP, on_stagger);
	timer_init(&c->timeout, CLOCK_OF_LOOP, on_timeout);
	if (timer_start_in(r, &c->timeout, config->timeout) < 0 ||
	    resolver_ask(v, to, on_resolved, c) < 0)
		fail(c, errno);
}

bool connector_has_more(const struct connector *c)
{
	return c->next < c->n;
}

void connector_again(struct connector *c)
{
	if (timer_start_in(c->reactor, &c->stagger, 0) < 0)
		fail(c, ENOMEM);
}
