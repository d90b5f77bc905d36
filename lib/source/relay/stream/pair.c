/*
 * A pair that carries: a client's connection and its counterpart to a target, until both are over.
 *
 *	NEW --its client is known--> SEEKING --a target took it--> OPEN --> (over)
 *	 |                               |                             when both directions ended,
 *	 |                               |                             or an end was reset
 *	 |                               +--all refused, or late--> reset --> (over)
 *	 +--no PROXY header, or too many of its address--> (over)
 *
 * The hard part is what to wait for. An end is read while its flow is not blocked, and waited for
 * to become writable while the flow towards it is. A client that is neither is still watched for a
 * reset, which the target is to know of even while it does not read; a target that resets is left
 * to be found out by reading, since what it sent before is still the client's. The end of an end's
 * input is reported twice: most pairs are over by then, and a change of what is watched costs more
 *than a turn.
 *
 * While messages are small, each is read whole and nothing is held: then both ends are watched for
 * changes only (EPOLLET, epoll(7)), which spares the kernel another look at each, and us one at
 * what is to be watched. A short read has left nothing behind on TCP; a FIN and urgent data, behind
 * which it stops, are reported. Wherever something may be left, levels are watched.
 */
#include "source/relay/stream/pair.h"

#include "address/proxy_header.h"
#include "base/fd.h"
#include "net/socket.h"
#include "source/relay/stream/flow.h"
#include "source/relay/seeker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static timer_call on_again;

/* ---- a new one ------------------------------------------------------------------------------- */

/* A Unix client's name, if it has one, is left out. */
static void remote_keep(struct pair *p, const struct address *remote)
{
	bool fits = remote->length <= sizeof p->remote;

	p->remote_length = fits ? (uint8_t)remote->length : sizeof remote->any.sa_family;
	memcpy(p->remote, &remote->storage, p->remote_length);
}

bool pair_is_timed(const struct streams *t)
{
	const struct relay_config *c = relay_config(t->source);

	return c->idle || c->proxy_accept;
}

static int limits_open(struct pair *p)
{
	if (!pair_config(p)->rate)
		return 0;
	p->limits = calloc(1, sizeof *p->limits);
	if (!p->limits)
		return -1;
	p->limits->pair = p;
	timer_init(&p->limits->again, CLOCK_OF_LOOP, on_again);
	return 0;
}

struct pair *pair_new(struct streams *t, int fd, const struct address *remote, struct peer *peer)
{
	struct pair *p = calloc(1, sizeof *p + (pair_is_timed(t) ? sizeof *p->timer : 0));

	if (!p)
		return NULL;
	p->owner = t;
	if (limits_open(p) < 0) {
		free(p);
		return NULL;
	}
	p->number = t->source->totals->accepted;
	remote_keep(p, remote);
	p->peer = peer;
	p->started = reactor_now(pair_reactor(p), CLOCK_OF_LOOP);
	p->ends[CLIENT].tcp = address_is_ip(remote);
	p->ends[CLIENT].io.fd = fd;
	p->ends[TARGET].io.fd = -1;
	p->ends[TARGET].is_target = true;
	list_append(&t->pairs, &p->link);
	t->source->totals->carried++;
	return p;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void ends_close(struct pair *p, bool reset)
{
	for (int i = CLIENT; i <= TARGET; i++) {
		struct io_watcher *w = &p->ends[i].io;

		flow_close(p->owner, &p->ends[i].flow);
		if (w->fd >= 0 && reset)
			socket_reset_on_close(w->fd);
		io_stop_close(pair_reactor(p), w);
	}
}

void pair_close(struct pair *p, const char *why, bool reset)
{
	struct streams *t = p->owner;
	struct relay_source *s = t->source;
	struct carried carried = pair_carried(p);

	seeker_free(p->seeker);
	ends_close(p, reset);
	if (pair_is_timed(t))
		timer_stop(s->base.reactor, p->timer);
	if (p->limits)
		timer_stop(s->base.reactor, &p->limits->again);
	if (p->state != PAIR_NEW)
		report_over(s, &carried, why);
	if (p->state == PAIR_OPEN) {
		report_event(s, true, &carried);
		targets_leave(&s->targets, p->target);
	}
	list_remove(&p->link);
	peer_leave(&s->peers, p->peer);
	s->totals->carried--;
	free(p->limits);
	free(p->header);
	free(p);
	t->over(t);
}

/* ---- carrying -------------------------------------------------------------------------------- */

enum {
	REPORTED = IO_ERROR | IO_HANGUP, /* always */
	NOTHING = -1
};

unsigned pair_changes(const struct pair *p, unsigned interest)
{
	return reactor_has_edges(pair_reactor(p)) ? interest | IO_EDGE : interest;
}

/* What comes behind all that was read. */
static int next_of(const struct pair *p)
{
	return (int)pair_changes(p, IO_READ | IO_HALF_CLOSE | IO_URGENT);
}

/* What end `e` is to be watched for now; NOTHING: not at all. `wait`: as of flow_wait. */
static int interest_of(const struct pair *p, const struct end *e, int64_t wait)
{
	const struct flow *out = &e->flow;
	const struct flow *in = &p->ends[!e->is_target].flow;
	bool ended = flow_has_ended(out);
	bool reads = !ended && !flow_is_blocked(out) && !wait;

	if (flow_is_blocked(in))
		return IO_WRITE | (reads ? IO_READ : 0);
	if (reads)
		return out->state == FLOW_DRAINED ? next_of(p) : IO_READ;
	if (ended && e->io.started && e->io.interest & IO_READ)
		return e->io.interest & ~REPORTED; /* until it is reported once more */
	return !e->is_target && !e->gone ? (int)pair_changes(p, 0) : NOTHING;
}

static int watch_ends(struct pair *p)
{
	struct reactor *r = pair_reactor(p);
	int64_t again = INT64_MAX;

	p->calm = !p->limits;
	for (int i = CLIENT; i <= TARGET; i++) {
		struct end *e = &p->ends[i];
		int64_t wait = flow_wait(p, e);
		int wanted = interest_of(p, e, wait);

		if (wait && wait < again)
			again = wait;
		p->calm &= wanted == next_of(p);
		/* Mostly nothing changed: then the loop is not bothered. */
		if (wanted == (e->io.started ? e->io.interest & ~REPORTED : NOTHING))
			continue;
		if (wanted == NOTHING) {
			io_stop(r, &e->io);
			continue;
		}
		io_change(r, &e->io, (unsigned)wanted);
		if (io_start(r, &e->io) < 0)
			return -1;
	}
	return again < INT64_MAX ? timer_start_in(r, &p->limits->again, again) : 0;
}

static void touch(struct pair *p)
{
	int64_t idle = pair_config(p)->idle;

	if (idle)
		timer_start_in(pair_reactor(p), p->timer, idle);
}

/* This end is gone, and so both go. */
static void end_failed(struct pair *p, const struct end *e, int error)
{
	const char *who = e->is_target ? "target" : "client";
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

/* The end of its input was reported once more: it is not watched for reading any more. */
static void quieten(struct pair *p, struct end *e, unsigned ready)
{
	if (e->io.interest & IO_READ)
		io_change(pair_reactor(p), &e->io, 0);
	/* Both ways are over: where levels are reported, this one would be for ever. */
	if (ready & IO_HANGUP)
		e->gone = true;
}

/*
 * Runs the directions that `e` was reported ready for: reading one that is not costs a system call
 * a message, for nothing.
 */
static void pair_run(struct pair *p, struct end *e, unsigned ready)
{
	struct end *other = end_other(p, e);

	if (ready & ~(unsigned)(IO_READ | IO_WRITE) && !flow_has_ended(&e->flow))
		e->flow.state = FLOW_ENDING;
	if (ready & ~(unsigned)IO_READ && flow_is_blocked(&other->flow) && !carry(p, other))
		return;
	if (ready & ~(unsigned)IO_WRITE && flow_has_ended(&e->flow))
		quieten(p, e, ready);
	else if (ready & ~(unsigned)IO_WRITE && !carry(p, e))
		return;
	touch(p);
	if (p->calm && e->flow.state == FLOW_DRAINED)
		return; /* as before */
	if (p->ends[CLIENT].flow.state == FLOW_SHUT && p->ends[TARGET].flow.state == FLOW_SHUT)
		pair_close(p, "done", false);
	else if (watch_ends(p) < 0)
		pair_close(p, "out of memory", true);
}

/* --rate lets an end be read again. */
static void on_again(struct reactor *r, struct timer *t)
{
	struct pair *p = CONTAINER_OF(t, struct limits, again)->pair;

	(void)r;
	if (watch_ends(p) < 0)
		pair_close(p, "out of memory", true);
}

/* Is there something that this end is watched for, and that was not looked at yet? */
static bool is_due(const struct end *e)
{
	int events = e->io.started ? e->io.interest & (IO_READ | IO_WRITE) : 0;

	if (flow_has_ended(&e->flow))
		events &= ~IO_READ;
	return events && fd_is_ready(e->io.fd, events);
}

/* When this process was stopped, or the machine asleep, what came meanwhile goes first. */
static void on_idle(struct reactor *r, struct timer *t)
{
	struct pair *p = CONTAINER_OF(t, struct pair, timer);

	if ((is_due(&p->ends[CLIENT]) || is_due(&p->ends[TARGET])) && timer_start_in(r, t, 0) == 0)
		return;
	pair_close(p, "idle", false);
}

static void end_ready(struct pair *p, struct end *e, unsigned ready)
{
	bool is_read = e->io.interest & IO_READ && !flow_has_ended(&e->flow);
	/* One that no read will tell, because reading waits for the other side, or is over. */
	int error = ready & IO_ERROR && !is_read ? socket_failure(e->io.fd) : 0;

	if (error)
		end_failed(p, e, error);
	else
		pair_run(p, e, ready);
}

static void on_ready(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct end *e = CONTAINER_OF(w, struct end, io);

	(void)r;
	end_ready(end_pair(e), e, ready);
}

void pair_start(struct pair *p, int fd, bool tcp)
{
	struct end *client = &p->ends[CLIENT], *target = &p->ends[TARGET];
	const struct left *early = client->flow.left;

	p->state = PAIR_OPEN;
	target->io.fd = fd;
	target->tcp = tcp;
	target->flow.state = tcp ? FLOW_DRAINED : FLOW_LEVEL;
	for (int i = CLIENT; i <= TARGET; i++) {
		io_init(&p->ends[i].io, p->ends[i].io.fd, 0, on_ready);
		p->ends[i].io.priority = p->owner->source->base.priority;
	}
	if (pair_is_timed(p->owner))
		timer_init(p->timer, CLOCK_OF_LOOP, on_idle);
	/* What came with the client's PROXY header. */
	if (early)
		flow_account(p, client, early->bytes, early->length);
	pair_run(p, client, IO_READ); /* what it sent meanwhile */
}
