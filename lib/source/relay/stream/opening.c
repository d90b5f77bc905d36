/*
 * How a pair comes to be: from an accepted connection to a target that took it.
 *
 * A PROXY header (address/proxy_header.h) in front of it may come in pieces, and more than the
 * header may come with it. What was read of it is kept as what the client's flow holds; what is
 * left behind the header stays there, and is the first that the target gets.
 *
 * Nothing is read from the client meanwhile but its PROXY header. While it waits it is watched for
 * a reset: a client that is gone holds no place. One that has ended its side may still want an
 * answer; only one that said nothing at all is not waited for between two rounds (--retry).
 */
#include "source/relay/stream/stream.h"

#include "base/fd.h"
#include "base/log.h"
#include "net/socket.h"
#include "source/relay/report.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
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

	return !client->left && recv(client->io.fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

bool opening_is_wanted(const void *client)
{
	return !said_nothing(client);
}

static void on_waiting(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct pair *p = CONTAINER_OF(w, struct pair, ends[CLIENT].io);
	int error = ready & IO_ERROR ? socket_failure(w->fd) : 0;

	if (error || ready & IO_HANGUP)
		pair_close(p, "left by the client", true);
	else if (seeker_is_waiting(p->relayed.seeker) && said_nothing(p))
		pair_close(p, "left by the client", false);
	else /* that the client ended its side must not be reported again */
		io_change(r, w, pair_changes(p, 0));
}

/* ---- seeking --------------------------------------------------------------------------------- */

/* Sends a PROXY header to the target. Returns 0, or -1 with errno. */
static int header_send(const struct pair *p, int fd)
{
	const struct proxy_header *h = p->relayed.header;
	struct address from = relayed_remote(&p->relayed);
	/* Where the client connected to, as it knows it. */
	struct address to = h ? h->destination : socket_name(p->ends[CLIENT].io.fd);
	char header[PROXY_HEADER_ROOM];
	size_t length = proxy_header_write(pair_config(p)->proxy_send, &from, &to, header);
	ssize_t n = socket_send(fd, header, length);

	if (n == (ssize_t)length)
		return 0;
	/* An empty socket takes as little as this. */
	if (n >= 0)
		errno = EAGAIN;
	return -1;
}

void opening_sought(void *client, int fd)
{
	struct pair *p = client;
	struct relayed *c = &p->relayed;

	if (fd < 0) {
		pair_close(p, "no target", true);
		return;
	}
	if (pair_config(p)->proxy_send && header_send(p, fd) < 0) {
		const char *why = strerror(errno);

		fd_close(&fd);
		seeker_again(c->seeker, why);
		return;
	}
	seeker_free(c->seeker);
	c->seeker = NULL;
	c->source->search.logged_none = false;
	relayed_serve(c);
	io_stop(pair_reactor(p), &p->ends[CLIENT].io);
	pair_start(p, fd, set_without_delay(fd));
}

static void seek(struct pair *p)
{
	struct end *client = &p->ends[CLIENT];

	/* Without memory for it, it is not watched: then its end is seen later. */
	pair_watch(p, client, pair_changes(p, IO_HALF_CLOSE), on_waiting);
	io_start(pair_reactor(p), &client->io);
	if (relayed_seek(&p->relayed) == 0)
		return;
	log_error(p->relayed.source->base.rule, "out of memory: a connection is refused");
	pair_close(p, "out of memory", true);
}

/* ---- the PROXY header of the client ---------------------------------------------------------- */

/* Its header is wrong; or not, and it is dismissed for another reason. */
static void refuse(struct pair *p, const char *why, bool wrong)
{
	struct address remote = relayed_remote(&p->relayed);

	report_refused(p->relayed.source, &remote, why, wrong);
	if (!wrong)
		shutdown(p->ends[CLIENT].io.fd, SHUT_RDWR);
	pair_close(p, NULL, wrong);
}

static int take_addresses(struct relayed *c, const struct proxy_header *h)
{
	c->source->logged_header = false;
	if (!h->has_ends)
		return 0;
	c->header = malloc(sizeof *c->header);
	if (!c->header)
		return -1;
	*c->header = *h;
	return 0;
}

/* It is whole: what is behind it belongs to the target. */
static void finish(struct pair *p, const struct proxy_header *h, const char *rest, size_t length)
{
	struct relayed *c = &p->relayed;
	struct end *client = &p->ends[CLIENT];
	struct address remote;
	const char *why;

	io_stop(pair_reactor(p), &client->io);
	timer_stop(pair_reactor(p), p->timer);
	if (take_addresses(c, h) < 0 || flow_hold(client, rest, length) < 0) {
		refuse(p, "out of memory", true);
		return;
	}
	remote = relayed_remote(c);
	why = relayed_admit(c->source, &remote, &c->peer);
	if (why)
		refuse(p, why, false);
	else
		seek(p);
}

static void on_header(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct end *client = CONTAINER_OF(w, struct end, io);
	struct pair *p = end_pair(client);
	char *buffer = pair_streams(p)->buffer;
	size_t length = client->left ? client->left->length : 0, used;
	struct proxy_header h;
	const char *why;
	ssize_t n;

	(void)r;
	(void)ready;
	if (length)
		memcpy(buffer, client->left->bytes, length);
	n = recv(w->fd, buffer + length, BUFFER - length, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 && !length) { /* a load balancer that looks whether the port is open */
		refuse(p, "it left without a PROXY header", false);
		return;
	}
	if (n <= 0) {
		refuse(p, n < 0 ? strerror(errno) : "it ended before its PROXY header did", true);
		return;
	}
	length += (size_t)n;
	switch (proxy_header_read(buffer, length, &h, &used, &why)) {
	case PROXY_WHOLE:
		finish(p, &h, buffer + used, length - used);
		break;
	case PROXY_PARTIAL:
		if (flow_hold(client, buffer, length) < 0)
			refuse(p, "out of memory", true);
		break;
	case PROXY_WRONG:
		refuse(p, why, true);
	}
}

/* What came while this process was stopped is looked at first. */
static void on_late(struct reactor *r, struct timer *t)
{
	struct pair *p = CONTAINER_OF(t, struct pair, timer);

	if (!fd_is_ready(p->ends[CLIENT].io.fd, IO_READ) || timer_start_in(r, t, 0) < 0)
		refuse(p, "its PROXY header did not come in time", true);
}

static void header_await(struct pair *p)
{
	struct end *client = &p->ends[CLIENT];
	struct reactor *r = pair_reactor(p);

	pair_watch(p, client, IO_READ, on_header);
	timer_init(p->timer, CLOCK_OF_LOOP, on_late);
	if (timer_start_in(r, p->timer, pair_config(p)->connect_timeout) < 0 ||
	    io_start(r, &client->io) < 0)
		refuse(p, strerror(errno), true);
}

/* ---- the beginning --------------------------------------------------------------------------- */

int opening_start(struct relay_source *s, int fd, const struct address *remote, struct peer *peer)
{
	struct pair *p = pair_new(s, fd, remote, peer);

	if (!p) {
		log_error(s->base.rule, "out of memory: a connection is refused");
		peer_leave(&s->peers, peer);
		socket_reset_on_close(fd);
		close(fd);
		return -1;
	}
	if (relay_config(s)->proxy_accept)
		header_await(p);
	else
		seek(p);
	return 0;
}
