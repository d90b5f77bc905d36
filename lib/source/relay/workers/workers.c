/*
 * --workers N: processes that share the port. This is the loop's side.
 *
 * The process of the loop binds the sockets and has a crew of workers (crew/crew.h); it carries
 * nothing itself. A worker (worker.h) has a reactor of its own and relays as a process without
 * workers does. What it has to say (events, lines of the log) goes to the loop's process, so that
 * it is counted and written in one place.
 *
 * Each worker has sockets of its own on the one port (SO_REUSEPORT, socket(7)), and the loop's
 * process keeps them all open: when a worker dies, who waits in its queue is served by the next
 * one. Unix, vsock and inherited sockets know no such thing; there all accept from the same one.
 */
#include "source/relay/state.h"

#include "base/error.h"
#include "base/log.h"
#include "crew/crew.h"
#include "net/listener.h"
#include "net/socket.h"
#include "source/relay/report.h"
#include "source/relay/workers/place.h"
#include "source/relay/workers/worker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The carrier's own. */
struct workers {
	struct relay_source *source;
	struct crew crew;
	struct listener *listeners; /* owned; of each worker; none: it accepts from the rule's */
	struct worker_board *board; /* owned */
};

/* ---- sockets --------------------------------------------------------------------------------- */

/*
 * The rule's own sockets, the first one's, are bound without SO_REUSEPORT, so that a port in use is
 * reported as ever, and then let the others in.
 */
static int bind_others(struct workers *ws, struct error *e)
{
	const struct listener *first = &ws->source->listener;
	const struct relay_config *c = relay_config(ws->source);
	struct endpoint ep = c->listen; /* borrows its texts */
	struct listen_config socket = {.mode = 0600, .reuseport = true};

	if (!endpoints_include(&ep, 1, ENDPOINTS_IP))
		return 0;
	for (int i = 0; i < first->count; i++)
		if (socket_enable(first->fds[i], SOL_SOCKET, SO_REUSEPORT) < 0)
			return error_errno(e, "cannot share the port among workers");
	/* What port 0 became: all sockets of a listener have one port. */
	ep.port = (uint16_t)address_port(&first->bound[0]);
	for (size_t i = 1; i < c->workers; i++)
		if (listener_open(&ws->listeners[i], &ep, &socket, e) < 0)
			return -1;
	return 0;
}

static void close_sockets(struct workers *ws)
{
	listener_close(&ws->source->listener);
	for (size_t i = 0; ws->listeners && i < relay_config(ws->source)->workers; i++)
		listener_close(&ws->listeners[i]);
}

/* ---- what they have counted ------------------------------------------------------------------ */

static void workers_add_up(const struct relay_source *s)
{
	const struct relay_config *c = relay_config(s);
	const struct workers *ws = s->carried;

	memset(s->totals, 0, totals_size(c));
	for (size_t i = 0; ws && i < c->workers; i++)
		totals_add(s->totals, worker_totals(ws->board, c, i), c);
}

/* ---- the crew -------------------------------------------------------------------------------- */

static void work(struct crew_member *m, int fd)
{
	const struct workers *ws = m->crew->owner;
	const struct listener *own = &ws->listeners[m->number];

	worker_run(ws->source, own->count ? own : &ws->source->listener, ws->board, m->number, fd);
}

static void on_said(struct crew_member *m, unsigned char type, const char *bytes, size_t length)
{
	struct relay_source *s = ((struct workers *)m->crew->owner)->source;

	switch (type) {
	case WORKER_LINE:
		log_pass_on(bytes, length);
		break;
	case WORKER_OUTPUT:
		/* What does not fit is not shown, as of a process without workers. */
		s->base.host->write(&s->base, bytes, length);
		break;
	case WORKER_EVENT:
		report_event_of_worker(s, bytes, length);
		break;
	case WORKER_ROOM:
		crew_say(m->crew, WORKER_ROOM);
		break;
	default:
		break;
	}
}

static void on_ended(struct crew_member *m, struct buf *lost)
{
	struct workers *ws = m->crew->owner;
	const struct relay_config *c = relay_config(ws->source);
	struct totals *totals = worker_totals(ws->board, c, m->number);
	uint64_t carried = totals->carried;

	totals_settle(totals, c);
	if (!c->datagrams)
		atomic_fetch_sub(&ws->board->total, carried);
	if (carried)
		buf_printf(lost, "; %llu %s are lost", (unsigned long long)carried,
			   c->datagrams ? "sessions" : "connections");
	if (ws->source->stopped)
		report_ended(ws->source);
	else
		crew_say(m->crew, WORKER_ROOM);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void workers_cut(struct relay_source *s)
{
	crew_hurry(&((struct workers *)s->carried)->crew);
}

static void workers_close(struct relay_source *s)
{
	struct workers *ws = s->carried;

	crew_close(&ws->crew);
	close_sockets(ws);
	worker_board_free(ws->board, relay_config(s));
	free(ws->listeners);
}

static int workers_open(struct relay_source *s, struct error *e)
{
	static const struct crew_calls calls = {.work = work, .said = on_said, .ended = on_ended};
	const struct relay_config *c = relay_config(s);
	struct workers *ws = s->carried;

	ws->source = s;
	ws->crew = (struct crew){
	    .reactor = s->base.reactor, .rule = s->base.rule, .calls = &calls, .owner = ws};
	ws->board = worker_board_new(c);
	ws->listeners = ws->board ? calloc(c->workers, sizeof *ws->listeners) : NULL;
	if (!ws->listeners || crew_open(&ws->crew, c->workers) < 0)
		return error_errno(e, "cannot have workers");
	return bind_others(ws, e);
}

static void workers_start(struct relay_source *s)
{
	crew_start(&((struct workers *)s->carried)->crew);
}

static void workers_stop(struct relay_source *s)
{
	struct workers *ws = s->carried;

	close_sockets(ws);
	crew_stop(&ws->crew);
	crew_say(&ws->crew, WORKER_STOP);
}

static bool workers_are_busy(const struct relay_source *s)
{
	return crew_runs(&((const struct workers *)s->carried)->crew);
}

const struct carrier carrier_workers = {
    .size = sizeof(struct workers),
    .open = workers_open,
    .start = workers_start,
    .stop = workers_stop,
    .cut = workers_cut,
    .busy = workers_are_busy,
    .close = workers_close,
    .add_up = workers_add_up,
};
