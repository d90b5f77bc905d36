/*
 * How a pair comes to be: from an accepted connection to a target that took it. See opening.h.
 *
 * Nothing is read from the client meanwhile but its PROXY header. While it waits it is watched for
 * a reset: a client that is gone holds no place. One that has ended its side may still want an
 * answer; only one that said nothing at all is not waited for between two rounds (--retry).
 */
#include "source/relay/stream/opening.h"

#include "base/fd.h"
#include "base/log.h"
#include "net/socket.h"
#include "source/relay/stream/header.h"
#include "source/relay/stream/pair.h"

#include <errno.h>
#include <netinet/tcp.h>
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

static unsigned changes_of(const struct reactor *r, unsigned interest)
{
	return reactor_has_edges(r) ? interest | IO_EDGE : interest;
}

static void on_waiting(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct pair *p = CONTAINER_OF(w, struct pair, ends[CLIENT].io);
	int error = ready & IO_ERROR ? socket_failure(w->fd) : 0;

	if (error || ready & IO_HANGUP)
		pair_close(p, "left by the client", true);
	else if (seeker_is_waiting(p->seeker) && said_nothing(p))
		pair_close(p, "left by the client", false);
	else
		io_change(r, w,
			  changes_of(r, 0)); /* that it ended its side is not to be told again */
}

/* Without memory for it, it is not watched: then its end is seen later. */
static void watch_client(struct pair *p)
{
	struct io_watcher *w = &p->ends[CLIENT].io;

	io_init(w, w->fd, changes_of(pair_reactor(p), IO_HALF_CLOSE), on_waiting);
	w->priority = p->owner->source->base.priority;
	io_start(pair_reactor(p), w);
}

/* ---- seeking --------------------------------------------------------------------------------- */

static void take(struct pair *p, int fd)
{
	struct relay_source *s = p->owner->source;
	struct address remote = pair_remote(p);
	struct carried carried;

	p->target = (uint32_t)seeker_target(p->seeker);
	carried = pair_carried(p, &remote);
	seeker_free(p->seeker);
	p->seeker = NULL;
	s->told_no_target = false;
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
	t->known = seek;
	if (pair_config(p)->proxy_accept)
		header_await(p);
	else
		seek(p);
	return 0;
}
