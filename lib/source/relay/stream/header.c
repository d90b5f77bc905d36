/*
 * The PROXY header in front of a connection (net/proxy_header.h): read from clients (--proxy
 * accept), sent to targets (--proxy send-v1, send-v2).
 *
 * A header may come in pieces, and more than the header may come with it. What was read of it is
 * kept as what the client's flow holds; what is left behind the header stays there, and is the
 * first that the target gets.
 */
#include "source/relay/stream/header.h"

#include "base/fd.h"
#include "net/proxy_header.h"
#include "net/socket.h"
#include "source/relay/report.h"
#include "source/relay/stream/flow.h"
#include "source/relay/stream/pair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void refuse(struct pair *p, const char *why)
{
	struct relay_source *s = p->owner->source;
	struct address remote = pair_remote(p);

	report_refused(s, &remote, why, &s->told_header);
	pair_close(p, NULL, true);
}

/* It sent nothing at all: a load balancer that looks whether the port is open. */
static void leave(struct pair *p)
{
	struct address remote = pair_remote(p);

	report_refused(p->owner->source, &remote, "it left without a PROXY header", NULL);
	pair_close(p, NULL, false);
}

/* The header was right, but its client may not. */
static void refuse_client(struct pair *p, const struct address *remote, const char *why)
{
	report_refused(p->owner->source, remote, why, NULL);
	shutdown(p->ends[CLIENT].io.fd, SHUT_RDWR);
	pair_close(p, NULL, false);
}

/* ---- accepting ------------------------------------------------------------------------------- */

static int take_addresses(struct pair *p, const struct proxy_header *h)
{
	p->owner->source->told_header = false;
	if (!h->told)
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
		refuse_client(p, &remote, why);
	else
		p->owner->known(p);
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
	if (n <= 0 && !length) {
		leave(p);
		return;
	}
	if (n <= 0) {
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

void header_await(struct pair *p)
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

/* ---- sending --------------------------------------------------------------------------------- */

int header_send(const struct pair *p, int fd)
{
	const struct relay_config *c = pair_config(p);
	struct address from = pair_remote(p);
	/* Where the client connected to, as it knows it. */
	struct address to = p->header ? p->header->destination : socket_name(p->ends[CLIENT].io.fd);
	char header[PROXY_HEADER_ROOM];
	size_t length = proxy_header_write(c->proxy_send, &from, &to, header);
	ssize_t n;

	do
		n = send(fd, header, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)length)
		return 0;
	/* An empty socket takes as little as this. */
	if (n >= 0)
		errno = EAGAIN;
	return -1;
}
