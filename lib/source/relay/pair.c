/*
 * A pair: a client's connection and its counterpart to a target.
 *
 *	CONNECTING --a target took it--> OPEN --both directions ended, or reset--> (over)
 *	     \--all refused, or the time is over--> reset --> (over)
 *
 * The hard part is what to wait for. An end is read while its flow is not blocked, and waited for
 * to become writable while the flow towards it is. One that has nothing to be waited for is not
 * watched at all: its hang-up would be told in every turn.
 */
#include "source/relay/relay.h"
#include "source/relay/report.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/units.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void try_target(struct pair *p);

/* ---- the end --------------------------------------------------------------------------------- */

static struct address remote_of(const struct pair *p)
{
	struct address a = {.length = p->remote_length};

	memcpy(&a.storage, p->remote, p->remote_length);
	return a;
}

/* A Unix client's name, if it has one, is left out. */
static void remote_keep(struct pair *p, const struct address *remote)
{
	bool fits = remote->length <= sizeof p->remote;

	p->remote_length = fits ? (uint8_t)remote->length : sizeof remote->any.sa_family;
	memcpy(p->remote, &remote->storage, p->remote_length);
}

static struct carried carried_by(const struct pair *p, const struct address *remote)
{
	return (struct carried){
	    .remote = remote,
	    .target = p->target,
	    .to = p->ends[CLIENT].flow.bytes,
	    .from = p->ends[TARGET].flow.bytes,
	    .started = p->started,
	};
}

void pair_dump(const struct pair *p, const struct end *from, const void *bytes, size_t length)
{
	const struct relay_config *c = p->owner->base.config;
	struct address remote = remote_of(p);
	struct dump_place at = {
	    .connection = p->number,
	    .offset = from->flow.bytes,
	    .remote = &remote,
	    .target = &c->targets[p->target],
	    .back = from == &p->ends[TARGET],
	};

	dump_add(&p->owner->dump, &at, bytes, length);
}

/* close(2) then sends a reset instead of a FIN (socket(7), SO_LINGER). */
static void close_with_reset(int fd)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void pair_close(struct pair *p, const char *why, bool reset)
{
	struct relay_source *s = p->owner;
	struct reactor *r = s->base.reactor;
	struct address remote = remote_of(p);
	struct carried carried = carried_by(p, &remote);

	if (p->connector)
		connector_stop(p->connector);
	if (p->resolving)
		resolver_forget(s->resolver, p);
	for (int i = CLIENT; i <= TARGET; i++) {
		int fd = p->ends[i].io.fd;

		io_stop(r, &p->ends[i].io);
		flow_close(s, &p->ends[i].flow);
		if (fd >= 0 && reset)
			close_with_reset(fd);
		fd_close(&fd);
	}
	timer_stop(r, &p->idle);
	limits_close(p);
	report_over(s, &carried, why);
	if (p->state == PAIR_OPEN)
		report_event(s, "close", &carried);
	list_remove(&p->link);
	relay_pair_over(s, p);
	free(p);
}

/* ---- carrying -------------------------------------------------------------------------------- */

/* What end `e` is to be watched for now. */
static unsigned interest_of(struct pair *p, const struct end *e)
{
	const struct flow *out = &e->flow, *in = &end_other(p, e)->flow;

	return (!out->ended && !flow_is_blocked(out) && !limit_holds(p, e) ? IO_READ : 0u) |
	       (flow_is_blocked(in) ? IO_WRITE : 0u);
}

static int watch_ends(struct pair *p)
{
	for (int i = CLIENT; i <= TARGET; i++) {
		struct end *e = &p->ends[i];
		unsigned wanted = interest_of(p, e);

		if (!wanted) {
			io_stop(p->owner->base.reactor, &e->io);
			continue;
		}
		if (wanted != e->io.interest)
			io_change(p->owner->base.reactor, &e->io, wanted);
		if (io_start(p->owner->base.reactor, &e->io) < 0)
			return -1;
	}
	return 0;
}

static void touch(struct pair *p)
{
	int64_t idle = ((const struct relay_config *)p->owner->base.config)->idle;

	if (idle)
		timer_start_in(p->owner->base.reactor, &p->idle, idle);
}

static void on_idle(struct reactor *r, struct timer *t)
{
	(void)r;
	pair_close(CONTAINER_OF(t, struct pair, idle), "idle", false);
}

/* This end is gone, and so both go. */
static void end_failed(struct pair *p, const struct end *e, int error)
{
	const char *who = e == &p->ends[CLIENT] ? "client" : "target";
	char why[100];

	if (error == ECONNRESET || error == EPIPE)
		snprintf(why, sizeof why, "reset by the %s", who);
	else
		snprintf(why, sizeof why, "the %s failed: %s", who, strerror(error));
	pair_close(p, why, true);
}

/* Moves what comes from an end. False: that failed, and the pair is gone. */
static bool carry(struct pair *p, struct end *from)
{
	enum flow_result result = flow_run(p, from);
	struct end *other = end_other(p, from);
	int error = errno;

	if (result == FLOW_FINE)
		return true;
	/* The other direction's last bytes may have come before the reset: an early answer. */
	flow_run(p, other);
	end_failed(p, result == FLOW_READ_FAILED ? from : other, error);
	return false;
}

/*
 * Runs the directions that `e` was told ready for: reading one that is not costs a system call a
 * message, for nothing.
 */
static void pair_run(struct pair *p, struct end *e, unsigned ready)
{
	struct end *other = end_other(p, e);

	if (ready & ~(unsigned)IO_READ && flow_is_blocked(&other->flow) && !carry(p, other))
		return;
	if (ready & ~(unsigned)IO_WRITE && !carry(p, e))
		return;
	touch(p);
	if (p->ends[CLIENT].flow.shut && p->ends[TARGET].flow.shut)
		pair_close(p, "done", false);
	else if (watch_ends(p) < 0)
		pair_close(p, "out of memory", true);
}

void pair_readable(struct pair *p, struct end *from)
{
	pair_run(p, from, IO_READ);
}

/* The error that a socket has, an errno; 0: none. */
static int failure_of(int fd)
{
	int error = 0;
	socklen_t length = sizeof error;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? errno : error;
}

static void end_ready(struct pair *p, struct end *e, unsigned ready)
{
	/* An error that no read will tell, because reading waits for the other side. */
	bool untold = ready & IO_ERROR && !(e->io.interest & IO_READ);
	int error = untold ? failure_of(e->io.fd) : 0;

	if (error)
		end_failed(p, e, error);
	else
		pair_run(p, e, ready);
}

static void on_client(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct pair *p = CONTAINER_OF(w, struct pair, ends[CLIENT].io);

	(void)r;
	end_ready(p, &p->ends[CLIENT], ready);
}

static void on_target(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct pair *p = CONTAINER_OF(w, struct pair, ends[TARGET].io);

	(void)r;
	end_ready(p, &p->ends[TARGET], ready);
}

/* ---- connecting ------------------------------------------------------------------------------ */

static void without_delay(int fd)
{
	int on = 1;

	/* Not for Unix sockets: that fails, and does no harm. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
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
	p->target = (p->target + 1) % c->n_targets;
	try_target(p);
}

static void on_connected(void *context, int fd, int error)
{
	struct pair *p = context;
	struct address remote = remote_of(p);
	struct carried carried = carried_by(p, &remote);

	p->connector = NULL;
	if (fd < 0) {
		target_failed(p, strerror(error));
		return;
	}
	without_delay(fd);
	p->state = PAIR_OPEN;
	p->owner->told_no_target = false;
	io_init(&p->ends[TARGET].io, fd, 0, on_target);
	p->ends[TARGET].io.priority = p->owner->base.priority;
	report_event(p->owner, "open", &carried);
	pair_run(p, &p->ends[CLIENT], IO_READ); /* what it sent meanwhile */
}

static void on_resolved(void *context, const struct address *addresses, int n, const char *why)
{
	struct pair *p = context;
	const struct relay_config *c = p->owner->base.config;

	p->resolving = false;
	if (why) {
		target_failed(p, why);
		return;
	}
	p->connector = connector_start(p->owner->base.reactor, addresses, n, c->connect_timeout,
				       on_connected, p);
	if (!p->connector)
		target_failed(p, "out of memory");
}

static void try_target(struct pair *p)
{
	const struct relay_config *c = p->owner->base.config;

	targets_enter(&p->owner->targets, p->target);
	p->resolving = true;
	if (resolver_ask(p->owner->resolver, &c->targets[p->target], on_resolved, p) < 0) {
		p->resolving = false;
		target_failed(p, strerror(errno));
	}
}

static struct pair *pair_new(struct relay_source *s)
{
	struct pair *p = calloc(1, sizeof *p);

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
		close_with_reset(fd);
		close(fd);
		return -1;
	}
	remote_keep(p, remote);
	p->peer = peer;
	p->started = clock_read(CLOCK_OF_LOOP);
	p->ends[CLIENT].flow.pipe = p->ends[TARGET].flow.pipe = (struct pipe){-1, -1};
	timer_init(&p->idle, CLOCK_OF_LOOP, on_idle);
	without_delay(fd);
	/* splice(2) asks the descriptor whether it may wait, not its flags. */
	fd_set_nonblocking(fd, true);
	io_init(&p->ends[CLIENT].io, fd, 0, on_client);
	p->ends[CLIENT].io.priority = s->base.priority;
	io_init(&p->ends[TARGET].io, -1, 0, on_target);
	list_append(&s->pairs, &p->link);
	s->n_pairs++;
	p->target = targets_choose(&s->targets, remote);
	try_target(p);
	return 0;
}
