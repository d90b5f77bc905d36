/*
 * The carrier of connections: who is accepted, and the life of all pairs. See state.h.
 *
 * A worker cannot stop accepting when another one takes the last place (--max-conns): what it
 * accepted then waits here ("parked"), as it would in the backlog.
 */
#include "source/relay/carrier.h"

#include "base/error.h"
#include "base/fd.h"
#include "source/relay/report.h"
#include "source/relay/stream/flow.h"
#include "source/relay/stream/opening.h"
#include "source/relay/stream/pair.h"
#include "source/relay/stream/state.h"
#include "source/relay/workers/place.h"
#include "source/relay/seeker.h"

#include <errno.h>
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

static bool has_room(const struct streams *t)
{
	const struct relay_source *s = t->source;
	uint64_t most = relay_config(s)->access.max_conns;

	if (search_starves(s) || too_many_resolve(s))
		return false;
	if (s->place)
		return t->parked.fd < 0 && !place_lags(s->place);
	return !most || s->totals->carried < most;
}

static void look_again(struct streams *t)
{
	struct relay_source *s = t->source;
	bool want = !s->stopped && has_room(t);

	if (want != t->acceptor.wanted)
		acceptor_want(&t->acceptor, want);
}

static void carry(struct streams *t, int fd, const struct address *remote, struct peer *peer)
{
	if (opening_start(t, fd, remote, peer) < 0 && t->source->place)
		place_leave(t->source->place);
	look_again(t);
}

/* Who is parked goes first, where there is room for one more. */
static void stream_review(struct relay_source *s)
{
	struct streams *t = s->carried;
	struct parked one = t->parked;

	if (one.fd >= 0 && !s->stopped && place_enter(s->place)) {
		t->parked.fd = -1;
		carry(t, one.fd, &one.remote, one.peer);
	}
	look_again(t);
}

static void on_accepted(void *owner, int fd, const struct address *remote)
{
	struct streams *t = owner;
	struct relay_source *s = t->source;
	struct peer *peer = NULL;
	const char *why = NULL;

	s->totals->accepted++;
	if (!cidr_list_permits(&relay_config(s)->access.rules, remote))
		why = "not allowed";
	else if (!relay_config(s)->proxy_accept)
		peer = relay_admit(s, remote, &why);
	if (why) {
		report_refused(s, remote, why, NULL);
		shutdown(fd, SHUT_RDWR);
		close(fd);
	} else if (s->place && !place_enter(s->place)) {
		t->parked = (struct parked){fd, *remote, peer};
		look_again(t);
	} else {
		carry(t, fd, remote, peer);
	}
}

static void on_pair_over(struct streams *t)
{
	struct relay_source *s = t->source;

	if (search_starves(s))
		search_feed(s);
	else
		acceptor_retry(&t->acceptor);
	if (s->place)
		place_leave(s->place);
	else if (relay_config(s)->access.max_conns)
		look_again(t);
	relay_check_ended(s);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void close_pairs(struct streams *t, const char *why)
{
	LIST_EACH(at, after, &t->pairs)
	{
		struct pair *p = CONTAINER_OF(at, struct pair, link);

		pair_close(p, why, p->seeker && seeker_is_waiting(p->seeker));
	}
}

static void on_drained(struct reactor *r, struct timer *timer)
{
	(void)r;
	close_pairs(CONTAINER_OF(timer, struct streams, drain), "stopped");
}

static void stream_close(struct relay_source *s)
{
	struct streams *t = s->carried;

	if (!t)
		return;
	acceptor_close(&t->acceptor);
	close_pairs(t, "stopped");
	timer_stop(s->base.reactor, &t->drain);
	pipes_close(t);
	free(t->buffer);
	free(t);
	s->carried = NULL;
}

static int stream_open(struct relay_source *s, struct error *e)
{
	struct streams *t = calloc(1, sizeof *t);

	if (!t)
		return error_errno(e, "cannot relay");
	s->carried = t;
	s->search.wanted = opening_is_wanted;
	t->source = s;
	t->over = on_pair_over;
	list_init(&t->pairs);
	t->parked.fd = -1;
	timer_init(&t->drain, CLOCK_OF_LOOP, on_drained);
	acceptor_init(&t->acceptor, s->base.reactor, &s->listener, s->base.priority, on_accepted, t,
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
	int64_t drain = relay_config(s)->drain;

	if (drain)
		acceptor_finish(&t->acceptor);
	s->stopped = true;
	acceptor_close(&t->acceptor);
	listener_close(&s->listener);
	fd_close(&t->parked.fd);
	if (!drain || timer_start_in(s->base.reactor, &t->drain, drain) < 0)
		close_pairs(t, "stopped");
}

static bool stream_is_busy(const struct relay_source *s)
{
	const struct streams *t = s->carried;

	return !list_empty(&t->pairs);
}

const struct carrier carrier_stream = {
    .open = stream_open,
    .start = stream_review,
    .stop = stream_stop,
    .busy = stream_is_busy,
    .close = stream_close,
    .review = stream_review,
};
