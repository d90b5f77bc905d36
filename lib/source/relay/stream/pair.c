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
 * than a turn.
 *
 * While messages are small, each is read whole and nothing is held: then both ends are watched for
 * changes only (EPOLLET, epoll(7)), which spares the kernel another look at each, and us one at
 * what is to be watched. A short read has left nothing behind on TCP; a FIN and urgent data, behind
 * which it stops, are reported. Wherever something may be left, levels are watched.
 */
#include "source/relay/stream/stream.h"

#include "base/fd.h"
#include "net/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static timer_call on_again;

/* ---- life ------------------------------------------------------------------------------------ */

static bool is_timed(const struct relay_source *s)
{
	return relay_config(s)->idle || relay_config(s)->proxy_accept;
}

struct pair *pair_new(struct relay_source *s, int fd, const struct address *remote,
		      struct peer *peer)
{
	struct pair *p = calloc(1, sizeof *p + (is_timed(s) ? sizeof *p->timer : 0));
	struct streams *t = s->carried;

	if (!p || relayed_open(&p->relayed, s, remote) < 0) {
		free(p);
		return NULL;
	}
	if (p->relayed.limits)
		timer_init(&p->relayed.limits->again, CLOCK_OF_LOOP, on_again);
	p->relayed.peer = peer;
	p->ends[CLIENT].tcp = address_is_ip(remote);
	p->ends[CLIENT].io.fd = fd;
	p->ends[TARGET].io.fd = -1;
	p->ends[TARGET].is_target = true;
	list_append(&t->pairs, &p->relayed.link);
	return p;
}

void pair_close(struct pair *p, const char *why, bool reset)
{
	for (int i = CLIENT; i <= TARGET; i++) {
		struct io_watcher *w = &p->ends[i].io;

		flow_close(&p->ends[i]);
		if (w->fd >= 0 && reset)
			socket_reset_on_close(w->fd);
		io_stop_close(pair_reactor(p), w);
	}
	if (is_timed(p->relayed.source))
		timer_stop(pair_reactor(p), p->timer);
	relayed_close(&p->relayed, why);
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

void pair_watch(struct pair *p, struct end *e, unsigned interest, io_call *call)
{
	io_init(&e->io, e->io.fd, interest, call);
	e->io.priority = p->relayed.source->base.priority;
}

/* What comes behind all that was read. */
static int next_of(const struct pair *p)
{
	return (int)pair_changes(p, IO_READ | IO_HALF_CLOSE | IO_URGENT);
}

/* What this end is to be watched for now; NOTHING: not at all. `waits`: for --rate. */
static int interest_of(struct pair *p, struct end *e, bool waits)
{
	bool ended = e->state >= FLOW_ENDED;
	bool reads = !ended && !flow_is_blocked(e) && !waits;

	if (flow_is_blocked(end_other(e)))
		return IO_WRITE | (reads ? IO_READ : 0);
	if (reads)
		return e->state == FLOW_DRAINED ? next_of(p) : IO_READ;
	if (ended && e->io.started && e->io.interest & IO_READ)
		return e->io.interest & ~REPORTED; /* until it is reported once more */
	return !e->is_target && !e->gone ? (int)pair_changes(p, 0) : NOTHING;
}

static int watch_ends(struct pair *p)
{
	struct reactor *r = pair_reactor(p);
	struct limits *limits = p->relayed.limits;
	int64_t again = INT64_MAX;

	p->calm = !limits;
	for (int i = CLIENT; i <= TARGET; i++) {
		struct end *e = &p->ends[i];
		int64_t wait = relayed_wait(&p->relayed, e->is_target);
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
	return again < INT64_MAX ? timer_start_in(r, &limits->again, again) : 0;
}

/* All was moved that could be: waits for more. */
static void wait_on(struct pair *p)
{
	if (watch_ends(p) < 0)
		pair_close(p, "out of memory", true);
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
	enum step step = flow_run(from);
	struct end *other = end_other(from);
	int error;

	if (step < STEP_READ_FAILED)
		return true;
	error = errno;
	/* The other direction's last bytes may have come before the reset: an early answer. */
	flow_run(other);
	end_failed(p, step == STEP_READ_FAILED ? from : other, error);
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
	struct end *other = end_other(e);

	if (ready & ~(unsigned)(IO_READ | IO_WRITE) && e->state < FLOW_ENDED)
		e->state = FLOW_ENDING;
	if (ready & ~(unsigned)IO_READ && flow_is_blocked(other) && !carry(p, other))
		return;
	if (ready & ~(unsigned)IO_WRITE && e->state >= FLOW_ENDED)
		quieten(p, e, ready);
	else if (ready & ~(unsigned)IO_WRITE && !carry(p, e))
		return;
	touch(p);
	if (p->calm && e->state == FLOW_DRAINED)
		return; /* as before */
	if (e->state == FLOW_SHUT && other->state == FLOW_SHUT)
		pair_close(p, "done", false);
	else
		wait_on(p);
}

/* --rate lets an end be read again. */
static void on_again(struct reactor *r, struct timer *t)
{
	(void)r;
	wait_on((struct pair *)CONTAINER_OF(t, struct limits, again)->relayed);
}

/* Is there something that this end is watched for, and that was not looked at yet? */
static bool is_due(const struct end *e)
{
	int events = e->io.started ? e->io.interest & (IO_READ | IO_WRITE) : 0;

	if (e->state >= FLOW_ENDED)
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

static void on_ready(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct end *e = CONTAINER_OF(w, struct end, io);
	bool is_read = w->interest & IO_READ && e->state < FLOW_ENDED;
	/* One that no read will tell, because reading waits for the other side, or is over. */
	int error = ready & IO_ERROR && !is_read ? socket_failure(w->fd) : 0;

	(void)r;
	if (error)
		end_failed(end_pair(e), e, error);
	else
		pair_run(end_pair(e), e, ready);
}

void pair_start(struct pair *p, int fd, bool tcp)
{
	struct end *client = &p->ends[CLIENT], *target = &p->ends[TARGET];
	const struct left *early = client->left;

	target->io.fd = fd;
	target->tcp = tcp;
	target->state = tcp ? FLOW_DRAINED : FLOW_LEVEL;
	pair_watch(p, client, 0, on_ready);
	pair_watch(p, target, 0, on_ready);
	if (is_timed(p->relayed.source))
		timer_init(p->timer, CLOCK_OF_LOOP, on_idle);
	/* What came with the client's PROXY header. */
	if (early)
		relayed_account(&p->relayed, TO_TARGET, early->bytes, early->length);
	pair_run(p, client, IO_READ); /* what it sent meanwhile */
}
