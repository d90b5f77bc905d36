/*
 * How a pair comes to be: from an accepted connection to a target that took it. See pair.c.
 *
 * Its target is chosen when the client is known; targets that fail are followed by the ones behind
 * them. Nothing is read from the client meanwhile, but its PROXY header.
 */
#include "source/relay/relay.h"
#include "source/relay/report.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/units.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void try_target(struct pair *p);
static void ask_target(struct pair *p);

/* Until a descriptor is free, perhaps, although no pair ended. */
#define PAUSE (100 * NS_PER_MS)

/* ---- targets --------------------------------------------------------------------------------- */

bool set_without_delay(int fd)
{
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
}

/* One target did not work: the next one, or the client is told. */
static void target_failed(struct pair *p, const char *why)
{
	struct relay_source *s = p->owner;
	const struct relay_config *c = s->base.config;
	bool last = ++p->attempts >= c->n_targets * (c->retry + 1);

	report_target_failed(s, p->target, why, last);
	if (last) {
		pair_close(p, "no target", true);
		return;
	}
	targets_leave(&s->targets, p->target);
	p->target = (uint32_t)targets_next(&s->targets, p->target);
	try_target(p);
}

/* ---- want of descriptors --------------------------------------------------------------------- */

/*
 * There is none for the target's socket, which is not the target's fault: the client waits until
 * one is free, and nobody is accepted meanwhile. Not for ever: where all descriptors are held by
 * clients that wait, none would ever be. False: it waited long enough.
 */
static bool starve(struct pair *p)
{
	struct relay_source *s = p->owner;
	int64_t left = p->started + ((const struct relay_config *)s->base.config)->connect_timeout -
		       reactor_now(s->base.reactor, CLOCK_OF_LOOP);

	if (left <= 0 || timer_start_in(s->base.reactor, &s->feed, left < PAUSE ? left : PAUSE) < 0)
		return false;
	if (!s->told_starved)
		log_warn(s->base.rule, "no descriptor is left for connections to targets: clients "
				       "wait until one is free (ulimit -n)");
	s->told_starved = true;
	list_remove(&p->link);
	list_append(&s->starved, &p->link);
	relay_review(s);
	return true;
}

void starved_feed(struct reactor *r, struct timer *t)
{
	struct relay_source *s = CONTAINER_OF(t, struct relay_source, feed);
	struct link *last = s->starved.prev;

	(void)r;
	/* One that starves again at once comes behind the last: its turn is another time. */
	for (bool more = !list_empty(&s->starved); more;) {
		struct link *first = s->starved.next;

		more = first != last;
		list_remove(first);
		list_append(&s->pairs, first);
		ask_target(CONTAINER_OF(first, struct pair, link));
	}
	relay_review(s);
}

void pair_resolved(struct pair *p)
{
	p->resolving = false;
	p->owner->n_resolving--;
	if (!p->owner->acceptor.wanted)
		relay_review(p->owner);
}

/* ---- connecting ------------------------------------------------------------------------------ */

static void on_connected(void *context, int fd, int error)
{
	struct pair *p = context;
	const struct relay_config *c = p->owner->base.config;
	struct address remote = pair_remote(p);
	struct carried carried = pair_carried(p, &remote);

	p->connector = NULL;
	if (fd >= 0 && c->proxy_send && header_send(p, fd) < 0) {
		error = errno;
		fd_close(&fd);
	}
	if (fd < 0) {
		if (!fd_is_short(error) || !starve(p))
			target_failed(p, connect_error(error));
		return;
	}
	p->owner->told_no_target = false;
	report_event(p->owner, "open", &carried);
	pair_start(p, fd, set_without_delay(fd));
}

static void on_resolved(void *context, const struct address *addresses, int n, const char *why)
{
	struct pair *p = context;
	const struct relay_config *c = p->owner->base.config;
	struct connect_config config = {c->connect_timeout, relay_source_address(c),
					&p->owner->listener};
	int error = errno, fd = -1;

	pair_resolved(p);
	if (why) {
		if (!fd_is_short(error) || !starve(p))
			target_failed(p, why);
		return;
	}
	if (n > 0)
		fd = connect_at_once(&addresses[0], &config);
	if (fd >= 0) {
		on_connected(p, fd, 0);
		return;
	}
	p->connector =
	    connector_start(p->owner->base.reactor, addresses, n, &config, on_connected, p);
	if (!p->connector)
		target_failed(p, "out of memory");
}

static void try_target(struct pair *p)
{
	targets_enter(&p->owner->targets, p->target);
	ask_target(p);
}

static void ask_target(struct pair *p)
{
	const struct relay_config *c = p->owner->base.config;

	int error;

	p->resolving = true;
	p->owner->n_resolving++;
	if (resolver_ask(p->owner->resolver, &c->targets[p->target], on_resolved, p) == 0)
		return;
	error = errno;
	pair_resolved(p);
	if (!fd_is_short(error) || !starve(p))
		target_failed(p, strerror(error));
}

void pair_serve(struct pair *p)
{
	struct address remote = pair_remote(p);

	p->state = PAIR_CONNECTING;
	p->target = (uint32_t)targets_choose(&p->owner->targets, &remote);
	try_target(p);
}

/* ---- clients --------------------------------------------------------------------------------- */

/* A Unix client's name, if it has one, is left out. */
static void remote_keep(struct pair *p, const struct address *remote)
{
	bool fits = remote->length <= sizeof p->remote;

	p->remote_length = fits ? (uint8_t)remote->length : sizeof remote->any.sa_family;
	memcpy(p->remote, &remote->storage, p->remote_length);
}

bool pair_is_timed(const struct relay_source *s)
{
	const struct relay_config *c = s->base.config;

	return c->idle || c->proxy_accept;
}

static struct pair *pair_new(struct relay_source *s)
{
	struct pair *p = calloc(1, sizeof *p + (pair_is_timed(s) ? sizeof *p->timer : 0));

	if (!p)
		return NULL;
	p->owner = s;
	p->number = s->n_accepted;
	if (limits_open(p) == 0)
		return p;
	free(p);
	return NULL;
}

int pair_open(struct relay_source *s, int fd, const struct address *remote, struct peer *peer)
{
	struct pair *p = pair_new(s);

	if (!p) {
		log_error(s->base.rule, "out of memory: a connection is refused");
		peer_leave(&s->peers, peer);
		socket_reset_on_close(fd);
		close(fd);
		return -1;
	}
	remote_keep(p, remote);
	p->ends[CLIENT].flow.tcp = address_is_ip(remote);
	p->peer = peer;
	p->started = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	p->ends[CLIENT].io.fd = fd;
	p->ends[TARGET].io.fd = -1;
	list_append(&s->pairs, &p->link);
	s->n_pairs++;
	if (((const struct relay_config *)s->base.config)->proxy_accept)
		header_await(p);
	else
		pair_serve(p);
	return 0;
}
