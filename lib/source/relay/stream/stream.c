/*
 * The carrier of connections: who is accepted, and the life of all pairs. See stream.h.
 *
 * A worker cannot stop accepting when another one takes the last place (--max-conns): what it
 * accepted then waits here ("parked"), as it would in the backlog.
 */
#include "source/relay/stream/stream.h"

#include "base/error.h"
#include "base/fd.h"
#include "source/relay/report.h"
#include "source/relay/workers/place.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- accepting ------------------------------------------------------------------------------- */

/*
 * Clients that wait for a name have a descriptor each, and the name and their targets need some,
 * too: if all were held by such, nobody would be served.
 */
static bool too_many_resolve(const struct relay_source *s)
{
	size_t n = resolver_waiting(s->resolver);
	struct rlimit files;

	return n && getrlimit(RLIMIT_NOFILE, &files) == 0 && n >= files.rlim_cur / 16;
}

static bool has_room(const struct relay_source *s)
{
	const struct streams *t = s->carried;
	uint64_t most = relay_config(s)->access.max_conns;

	if (search_starves(&s->search) || too_many_resolve(s))
		return false;
	if (s->place)
		return t->parked.fd < 0 && !place_lags(s->place);
	return !most || s->totals->carried < most;
}

static void look_again(struct relay_source *s)
{
	struct streams *t = s->carried;
	bool want = !s->stopped && has_room(s);

	if (want != t->acceptor.wanted)
		acceptor_want(&t->acceptor, want);
}

static void carry(struct relay_source *s, int fd, const struct address *remote, struct peer *peer)
{
	if (opening_start(s, fd, remote, peer) < 0 && s->place)
		place_leave(s->place);
	look_again(s);
}

/* Who is parked goes first, where there is room for one more. */
static void stream_review(struct relay_source *s)
{
	struct streams *t = s->carried;
	int fd = t->parked.fd;

	if (fd >= 0 && !s->stopped && place_enter(s->place)) {
		t->parked.fd = -1;
		carry(s, fd, &t->parked.remote, t->parked.peer);
	}
	look_again(s);
}

static void on_accepted(void *owner, int fd, const struct address *remote)
{
	struct relay_source *s = owner;
	struct streams *t = s->carried;
	struct peer *peer = NULL;
	const char *why = NULL;

	s->totals->accepted++;
	if (!cidr_list_permits(&relay_config(s)->access.rules, remote))
		why = "not allowed";
	else if (!relay_config(s)->proxy_accept)
		why = relayed_admit(s, remote, &peer);
	if (why) {
		report_refused(s, remote, why, false);
		shutdown(fd, SHUT_RDWR);
		close(fd);
	} else if (s->place && !place_enter(s->place)) {
		t->parked.fd = fd;
		t->parked.remote = *remote;
		t->parked.peer = peer;
		look_again(s);
	} else {
		carry(s, fd, remote, peer);
	}
}

static void stream_over(struct relay_source *s)
{
	struct streams *t = s->carried;

	if (search_starves(&s->search))
		search_feed(&s->search);
	else
		acceptor_retry(&t->acceptor);
	if (s->place)
		place_leave(s->place);
	else if (relay_config(s)->access.max_conns)
		look_again(s);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void stream_cut(struct relay_source *s)
{
	struct streams *t = s->carried;

	LIST_EACH(at, after, &t->pairs)
	{
		struct relayed *c = CONTAINER_OF(at, struct relayed, link);

		pair_close((struct pair *)c, "stopped", c->seeker && seeker_is_waiting(c->seeker));
	}
}

static void stream_close(struct relay_source *s)
{
	struct streams *t = s->carried;

	acceptor_close(&t->acceptor);
	stream_cut(s);
	pipes_close(&t->pipes);
	free(t->buffer);
}

static int stream_open(struct relay_source *s, struct error *e)
{
	struct streams *t = s->carried;

	list_init(&t->pairs);
	t->parked.fd = -1;
	acceptor_init(&t->acceptor, s->base.reactor, &s->listener, s->base.priority, on_accepted, s,
		      s->base.rule);
	for (int i = 0; i < s->listener.count; i++)
		set_without_delay(s->listener.fds[i]);
	t->acceptor.nonblocking = true;
	t->buffer = malloc(BUFFER);
	return t->buffer ? 0 : error_errno(e, "cannot relay");
}

static void stream_stop(struct relay_source *s)
{
	struct streams *t = s->carried;

	if (relay_config(s)->drain)
		acceptor_finish(&t->acceptor);
	acceptor_close(&t->acceptor);
	listener_close(&s->listener);
	fd_close(&t->parked.fd);
}

/* Not what s->totals say: of a worker others can write those. */
static bool stream_is_busy(const struct relay_source *s)
{
	return !list_empty(&((const struct streams *)s->carried)->pairs);
}

const struct carrier carrier_stream = {
    .size = sizeof(struct streams),
    .open = stream_open,
    .start = stream_review,
    .stop = stream_stop,
    .cut = stream_cut,
    .busy = stream_is_busy,
    .close = stream_close,
    .review = stream_review,
    .over = stream_over,
    .seeking = {.sought = opening_sought, .wanted = opening_is_wanted},
};
