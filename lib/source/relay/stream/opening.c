/*
 * How a pair comes to be: from an accepted connection to a target that took it. See opening.h.
 *
 * A PROXY header (address/proxy_header.h) in front of it may come in pieces, and more than the
 * header may come with it. What was read of it is kept as what the client's flow holds; what is
 * left behind the header stays there, and is the first that the target gets.
 *
 * Nothing is read from the client meanwhile but its PROXY header. While it waits it is watched for
 * a reset: a client that is gone holds no place. One that has ended its side may still want an
 * answer; only one that said nothing at all is not waited for between two rounds (--retry).
 */
#include "source/relay/stream/opening.h"

#include "address/proxy_header.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/socket.h"
#include "source/relay/report.h"
#include "source/relay/stream/flow.h"
#include "source/relay/stream/pair.h"
#include "source/relay/seeker.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool set_without_delay(int fd)
{
	socket_enable(fd, SOL_SOCKET, SO_KEEPALIVE);
	return socket_enable(fd, IPPROTO_TCP, TCP_NODELAY) == 0;
}

/* ---- a client that waits --------------------------------------------------------------------- */

/* Did it end its side without a byte? */
static bool said_nothing(const struct pair *p)
{
	const struct end *client = &p->ends[CLIENT];
	char byte;

	return !client->flow.left && recv(client->io.fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

bool opening_is_wanted(const void *pair)
{
	return !said_nothing(pair);
}

static void on_waiting(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct pair *p = CONTAINER_OF(w, struct pair, ends[CLIENT].io);
	int error = ready & IO_ERROR ? socket_failure(w->fd) : 0;

	if (error || ready & IO_HANGUP)
		pair_close(p, "left by the client", true);
	else if (seeker_is_waiting(p->seeker) && said_nothing(p))
		pair_close(p, "left by the client", false);
	else /* that the client ended its side must not be reported again */
		io_change(r, w, pair_changes(p, 0));
}

/* Without memory for it, it is not watched: then its end is seen later. */
static void watch_client(struct pair *p)
{
	struct io_watcher *w = &p->ends[CLIENT].io;

	io_init(w, w->fd, pair_changes(p, IO_HALF_CLOSE), on_waiting);
	w->priority = p->owner->source->base.priority;
	io_start(pair_reactor(p), w);
}

/* ---- seeking --------------------------------------------------------------------------------- */

/* Sends a PROXY header to the target. Returns 0, or -1 with errno. */
static int header_send(const struct pair *p, int fd)
{
	const struct relay_config *c = pair_config(p);
	struct address from = pair_remote(p);
	/* Where the client connected to, as it knows it. */
	struct address to = p->header ? p->header->destination : socket_name(p->ends[CLIENT].io.fd);
	char header[PROXY_HEADER_ROOM];
	size_t length = proxy_header_write(c->proxy_send, &from, &to, header);
	ssize_t n = socket_send(fd, header, length);

	if (n == (ssize_t)length)
		return 0;
	/* An empty socket takes as little as this. */
	if (n >= 0)
		errno = EAGAIN;
	return -1;
}

static void take(struct pair *p, int fd)
{
	struct relay_source *s = p->owner->source;
	struct carried carried = pair_carried(p);

	p->target = (uint32_t)carried.target;
	seeker_free(p->seeker);
	p->seeker = NULL;
	s->logged_no_target = false;
	report_event(s, false, &carried);
	io_stop(pair_reactor(p), &p->ends[CLIENT].io);
	pair_start(p, fd, set_without_delay(fd));
}

static void on_sought(void *owner, int fd)
{
	struct pair *p = owner;

	if (fd < 0) {
		pair_close(p, "no target", true);
	} else if (pair_config(p)->proxy_send && header_send(p, fd) < 0) {
		const char *why = strerror(errno);

		fd_close(&fd);
		seeker_again(p->seeker, why);
	} else {
		take(p, fd);
	}
}

static void seek(struct pair *p)
{
	struct streams *t = p->owner;
	struct address remote = pair_remote(p);

	p->state = PAIR_SEEKING;
	p->seeker = seeker_new(t->source, on_sought, p);
	if (!p->seeker) {
		log_error(t->source->base.rule, "out of memory: a connection is refused");
		pair_close(p, "out of memory", true);
		return;
	}
	watch_client(p);
	seeker_start(p->seeker, &remote);
}

/* ---- the PROXY header of the client ---------------------------------------------------------- */

static void refuse(struct pair *p, const char *why)
{
	struct relay_source *s = p->owner->source;
	struct address remote = pair_remote(p);

	report_refused(s, &remote, why, &s->logged_header);
	pair_close(p, NULL, true);
}

/* It did nothing wrong. */
static void dismiss(struct pair *p, const char *why)
{
	struct address remote = pair_remote(p);

	report_refused(p->owner->source, &remote, why, NULL);
	shutdown(p->ends[CLIENT].io.fd, SHUT_RDWR);
	pair_close(p, NULL, false);
}

static int take_addresses(struct pair *p, const struct proxy_header *h)
{
	p->owner->source->logged_header = false;
	if (!h->has_ends)
		return 0;
	p->header = malloc(sizeof *p->header);
	if (!p->header)
		return -1;
	*p->header = *h;
	return 0;
}

/* It is whole: what is behind it belongs to the target. */
static void finish(struct pair *p, const struct proxy_header *h, size_t used, size_t length)
{
	struct relay_source *s = p->owner->source;
	struct end *client = &p->ends[CLIENT];
	const char *why = NULL;
	struct address remote;

	io_stop(s->base.reactor, &client->io);
	timer_stop(s->base.reactor, p->timer);
	if (take_addresses(p, h) < 0 ||
	    flow_hold(&client->flow, p->owner->buffer + used, length - used) < 0) {
		refuse(p, "out of memory");
		return;
	}
	remote = pair_remote(p);
	p->peer = relay_admit(s, &remote, &why);
	if (why)
		dismiss(p, why);
	else
		seek(p);
}

static void on_header(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct pair *p = CONTAINER_OF(w, struct pair, ends[CLIENT].io);
	struct flow *f = &p->ends[CLIENT].flow;
	char *buffer = p->owner->buffer;
	size_t length = f->left ? f->left->length : 0, used;
	struct proxy_header h;
	const char *why;
	ssize_t n;

	(void)r;
	(void)ready;
	if (length)
		memcpy(buffer, f->left->bytes, length);
	n = recv(w->fd, buffer + length, BUFFER - length, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		if (!length) /* a load balancer that looks whether the port is open */
			dismiss(p, "it left without a PROXY header");
		else
			refuse(p, n < 0 ? strerror(errno) : "it ended before its PROXY header did");
		return;
	}
	length += (size_t)n;
	switch (proxy_header_read(buffer, length, &h, &used, &why)) {
	case PROXY_WHOLE:
		finish(p, &h, used, length);
		break;
	case PROXY_PARTIAL:
		if (flow_hold(f, buffer, length) < 0)
			refuse(p, "out of memory");
		break;
	case PROXY_WRONG:
		refuse(p, why);
	}
}

/* What came while this process was stopped is looked at first. */
static void on_late(struct reactor *r, struct timer *t)
{
	struct pair *p = CONTAINER_OF(t, struct pair, timer);

	if (!fd_is_ready(p->ends[CLIENT].io.fd, IO_READ) || timer_start_in(r, t, 0) < 0)
		refuse(p, "its PROXY header did not come in time");
}

static void header_await(struct pair *p)
{
	struct reactor *r = pair_reactor(p);
	const struct relay_config *c = pair_config(p);
	struct io_watcher *io = &p->ends[CLIENT].io;

	io_init(io, io->fd, IO_READ, on_header);
	io->priority = p->owner->source->base.priority;
	timer_init(p->timer, CLOCK_OF_LOOP, on_late);
	if (timer_start_in(r, p->timer, c->connect_timeout) < 0 || io_start(r, io) < 0)
		refuse(p, strerror(errno));
}

/* ---- the beginning --------------------------------------------------------------------------- */

int opening_start(struct streams *t, int fd, const struct address *remote, struct peer *peer)
{
	struct pair *p = pair_new(t, fd, remote, peer);

	if (!p) {
		log_error(t->source->base.rule, "out of memory: a connection is refused");
		peer_leave(&t->source->peers, peer);
		socket_reset_on_close(fd);
		close(fd);
		return -1;
	}
	if (pair_config(p)->proxy_accept)
		header_await(p);
	else
		seek(p);
	return 0;
}
