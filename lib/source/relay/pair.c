/*
 * A pair that carries: a client's connection and its counterpart to a target, until both are over.
 *
 *	NEW --its client is known--> CONNECTING --a target took it--> OPEN --> (over)
 *	 |                               |                             when both directions ended,
 *	 |                               |                             or an end was reset
 *	 |                               +--all refused, or late--> reset --> (over)
 *	 +--no PROXY header, or too many of its address--> (over)
 *
 * The hard part is what to wait for. An end is read while its flow is not blocked, and waited for
 * to become writable while the flow towards it is. One that has nothing to be waited for is not
 * watched at all: its hang-up would be told in every turn. The end of its input is told twice,
 * though: most pairs are over by then, and a change of what is watched costs more than a turn.
 *
 * While messages are small, each is read whole and nothing is held: then both ends are watched for
 * changes only (EPOLLET, epoll(7)), which spares the kernel another look at each, and us one at
 * what is to be watched. A short read has left nothing behind on TCP; a FIN and urgent data, behind
 * which it stops, are told. Wherever something may be left, levels are watched.
 */
#include "source/relay/relay.h"
#include "source/relay/report.h"

#include "base/fd.h"
#include "net/proxy_header.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* ---- the end --------------------------------------------------------------------------------- */

struct address pair_remote(const struct pair *p)
{
	struct address a = {.length = p->remote_length};

	if (p->header)
		return p->header->source;
	memcpy(&a.storage, p->remote, p->remote_length);
	return a;
}

struct carried pair_carried(const struct pair *p, const struct address *remote)
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
	struct address remote = pair_remote(p);
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
void socket_reset_on_close(int fd)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void pair_close(struct pair *p, const char *why, bool reset)
{
	struct relay_source *s = p->owner;
	struct reactor *r = s->base.reactor;
	struct address remote = pair_remote(p);
	struct carried carried = pair_carried(p, &remote);

	if (p->connector)
		connector_stop(p->connector);
	if (p->resolving) {
		resolver_forget(s->resolver, p);
		pair_resolved(p);
	}
	for (int i = CLIENT; i <= TARGET; i++) {
		struct io_watcher *w = &p->ends[i].io;

		flow_close(s, &p->ends[i].flow);
		if (w->fd >= 0 && reset)
			socket_reset_on_close(w->fd);
		io_stop_close(r, w);
	}
	if (pair_is_timed(s))
		timer_stop(r, p->timer);
	limits_close(p);
	if (p->state != PAIR_NEW)
		report_over(s, &carried, why);
	if (p->state == PAIR_OPEN)
		report_event(s, "close", &carried);
	list_remove(&p->link);
	relay_pair_over(s, p);
	free(p->header);
	free(p);
}

/* ---- carrying -------------------------------------------------------------------------------- */

/* Only changes, or levels where the backend has no edges: that is more, not less. */
static unsigned changes_of(const struct pair *p)
{
	unsigned changes = IO_READ | IO_HALF_CLOSE | IO_URGENT;

	return reactor_has_edges(p->owner->base.reactor) ? changes | IO_EDGE : changes;
}

/* What end `e` is to be watched for now. */
static unsigned interest_of(struct pair *p, const struct end *e)
{
	const struct flow *out = &e->flow, *in = &end_other(p, e)->flow;
	bool reads = !out->told && !flow_is_blocked(out) && !(p->limits && limit_holds(p, e));

	if (flow_is_blocked(in))
		return IO_WRITE | (reads ? IO_READ : 0u);
	if (!reads)
		return 0;
	return out->drained ? changes_of(p) : IO_READ;
}

static int watch_ends(struct pair *p)
{
	p->calm = !p->limits;
	for (int i = CLIENT; i <= TARGET; i++) {
		struct end *e = &p->ends[i];
		unsigned wanted = interest_of(p, e);
		unsigned before = e->io.interest & ~(unsigned)(IO_ERROR | IO_HANGUP);

		p->calm &= wanted == changes_of(p);
		/* Mostly nothing changed: then the loop is not bothered. */
		if (wanted == (e->io.started ? before : 0))
			continue;
		if (!wanted) {
			io_stop(p->owner->base.reactor, &e->io);
			continue;
		}
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
		timer_start_in(p->owner->base.reactor, p->timer, idle);
}

static void on_idle(struct reactor *r, struct timer *t)
{
	(void)r;
	pair_close(CONTAINER_OF(t, struct pair, timer), "idle", false);
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
	int error;

	if (result == FLOW_FINE)
		return true;
	error = errno;
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

	if (ready & ~(unsigned)(IO_READ | IO_WRITE))
		e->flow.to_the_end = true;
	if (ready & ~(unsigned)IO_READ && flow_is_blocked(&other->flow) && !carry(p, other))
		return;
	if (ready & ~(unsigned)IO_WRITE && e->flow.ended)
		e->flow.told = true;
	else if (ready & ~(unsigned)IO_WRITE && !carry(p, e))
		return;
	touch(p);
	if (p->calm && e->flow.drained && !e->flow.ended)
		return; /* as before */
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
	bool is_read = e->io.interest & IO_READ && !e->flow.ended;
	/* One that no read will tell, because reading waits for the other side, or is over. */
	int error = ready & IO_ERROR && !is_read ? failure_of(e->io.fd) : 0;

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

/* What came with the client's PROXY header. */
static void account_early(struct pair *p)
{
	struct end *client = &p->ends[CLIENT];
	const struct left *left = client->flow.left;

	limit_take(p, client, left->length);
	if (p->owner->dump.source)
		pair_dump(p, client, left->bytes, left->length);
}

void pair_start(struct pair *p, int fd, bool tcp)
{
	static io_call *const calls[] = {on_client, on_target};

	p->state = PAIR_OPEN;
	p->ends[TARGET].io.fd = fd;
	p->ends[TARGET].flow.tcp = p->ends[TARGET].flow.drained = tcp;
	for (int i = CLIENT; i <= TARGET; i++) {
		io_init(&p->ends[i].io, p->ends[i].io.fd, 0, calls[i]);
		p->ends[i].io.priority = p->owner->base.priority;
	}
	if (pair_is_timed(p->owner))
		timer_init(p->timer, CLOCK_OF_LOOP, on_idle);
	if (p->ends[CLIENT].flow.left)
		account_early(p);
	pair_run(p, &p->ends[CLIENT], IO_READ); /* what it sent meanwhile */
}
