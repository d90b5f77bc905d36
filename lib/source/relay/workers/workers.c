/*
 * --workers N: processes that share the port. This is the loop's side.
 *
 * The process of the loop binds the sockets, starts the workers, tells them to stop and replaces
 * those that die; it carries nothing itself. A worker (worker.h) is a fork with a reactor of its
 * own that relays as a process without workers does. What it has to say (events, lines of the log)
 * goes to the loop's process, so that it is counted and written in one place.
 *
 * Each worker has sockets of its own on the one port (SO_REUSEPORT, socket(7)), and the loop's
 * process keeps them all open: when a worker dies, who waits in its queue is served by the next
 * one. Unix, vsock and inherited sockets know no such thing; there all accept from the same one.
 *
 *	(not running) --fork--> RUNNING --it ended--> (a pause, doubling while it keeps dying) --+
 *	      ^                    |                                                            |
 *	      |                    +--stopped, and it ended--> (over)                            |
 *	      +----------------------------------------------------------------------------------+
 *
 * The hard part is the fork: a thread that resolves a name may hold a lock of libc, which nobody
 * would release in the child. So it waits until this process has one thread only, but not for long:
 * a server that does not answer may keep one for minutes, and is waited for without a lock.
 */
#include "source/relay/state.h"

#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/units.h"
#include "net/listener.h"
#include "net/socket.h"
#include "source/relay/report.h"
#include "source/relay/workers/place.h"
#include "source/relay/workers/worker.h"
#include "source/restart.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHORTEST (100 * NS_PER_MS) /* pause before another one is started */
#define LONGEST  (10 * NS_PER_S)   /* and the life after which it is short again */
#define MOMENT   (20 * NS_PER_MS)  /* until a thread is over, perhaps */
#define MOMENTS  25                /* that a fork waits for, at most */
#define PATIENCE (5 * NS_PER_S)    /* for their end, after --drain and while they say nothing */

struct worker {
	struct workers *owner;
	struct worker_place place; /* its channel is our end of it */
	struct listener listener;  /* none: it accepts from the rule's own */
	struct child_watcher child;
	struct timer again; /* starts it once more */
	int64_t started, pause;
	int waits;    /* moments for threads to end, so far */
	bool running; /* until its last words are taken, too */
};

/* The carrier's own. */
struct workers {
	struct relay_source *source;
	struct worker *all; /* owned */
	size_t n;
	bool heard;                 /* something of them, since `patience` was last over */
	struct timer patience;      /* for those that do not end when asked to */
	struct worker_board *board; /* owned */
};

static struct reactor *reactor_of(const struct workers *ws)
{
	return ws->source->base.reactor;
}

/* ---- sockets --------------------------------------------------------------------------------- */

/*
 * The rule's own sockets, the first one's, are bound without SO_REUSEPORT, so that a port in use is
 * reported as ever, and then let the others in.
 */
static int bind_others(struct workers *ws, struct error *e)
{
	const struct listener *first = &ws->source->listener;
	struct endpoint ep = relay_config(ws->source)->listen; /* borrows its texts */
	struct listen_config socket = {.mode = 0600, .reuseport = true};

	if (!endpoints_include(&ep, 1, ENDPOINTS_IP))
		return 0;
	for (int i = 0; i < first->count; i++)
		if (socket_enable(first->fds[i], SOL_SOCKET, SO_REUSEPORT) < 0)
			return error_errno(e, "cannot share the port among workers");
	/* What port 0 became: all sockets of a listener have one port. */
	ep.port = (uint16_t)address_port(&first->bound[0]);
	for (size_t i = 1; i < ws->n; i++)
		if (listener_open(&ws->all[i].listener, &ep, &socket, e) < 0)
			return -1;
	return 0;
}

static void close_sockets(struct workers *ws)
{
	listener_close(&ws->source->listener);
	for (size_t i = 0; i < ws->n; i++)
		listener_close(&ws->all[i].listener);
}

/* ---- what they have counted ------------------------------------------------------------------ */

static void workers_add_up(const struct relay_source *s)
{
	const struct relay_config *c = relay_config(s);
	const struct workers *ws = s->carried;

	memset(s->totals, 0, totals_size(c));
	for (size_t i = 0; ws && i < ws->n; i++)
		totals_add(s->totals, worker_totals(ws->board, c, i), c);
}

/* ---- what they say --------------------------------------------------------------------------- */

static void tell_all(struct workers *ws, enum worker_message what)
{
	for (size_t i = 0; i < ws->n; i++)
		if (ws->all[i].running)
			channel_say(&ws->all[i].place.channel, (unsigned char)what, NULL, 0);
}

static void on_message(struct channel *c, unsigned char type, const char *bytes, size_t length)
{
	struct worker *w = c->owner;
	struct workers *ws = w->owner;

	ws->heard = true;
	switch (type) {
	case WORKER_LINE:
		log_pass_on(bytes, length);
		break;
	case WORKER_OUTPUT:
		/* What does not fit is not shown, as of a process without workers. */
		ws->source->base.host->write(&ws->source->base, bytes, length);
		break;
	case WORKER_EVENT:
		report_event_of_worker(ws->source, bytes, length);
		break;
	case WORKER_ROOM:
		tell_all(ws, WORKER_ROOM);
		break;
	default: /* gone: the child watcher will report its end */
		break;
	}
}

/* ---- life and death -------------------------------------------------------------------------- */

static void start_later(struct worker *w)
{
	int64_t ran = reactor_now(reactor_of(w->owner), CLOCK_OF_LOOP) - w->started;

	if (timer_start_in(reactor_of(w->owner), &w->again,
			   restart_wait(&w->pause, ran, SHORTEST, LONGEST)) < 0)
		log_error(w->owner->source->base.rule, "out of memory: worker %zu stays away",
			  w->place.number + 1);
}

static void log_death(const struct worker *w, int status, uint64_t lost)
{
	struct buf b = {0};

	if (WIFSIGNALED(status))
		buf_printf(&b, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		buf_printf(&b, "status %d", WEXITSTATUS(status));
	if (lost)
		buf_printf(&b, "; %llu %s are lost", (unsigned long long)lost,
			   relay_config(w->owner->source)->datagrams ? "sessions" : "connections");
	buf_add_text(&b, "; another one takes its place in ");
	duration_add(&b, w->pause);
	log_error(w->owner->source->base.rule, "worker %zu, pid %d, ended with %s",
		  w->place.number + 1, (int)w->child.pid, b.data ? b.data : "?");
	buf_free(&b);
}

static void on_exit_of(struct reactor *r, struct child_watcher *child, int status)
{
	struct worker *w = CONTAINER_OF(child, struct worker, child);
	struct workers *ws = w->owner;
	const struct relay_config *c = relay_config(ws->source);
	struct totals *totals = worker_totals(ws->board, c, w->place.number);
	uint64_t lost = totals->carried;

	(void)r;
	channel_drain(&w->place.channel); /* its last words */
	channel_close(&w->place.channel);
	w->running = false;
	totals_settle(totals, c);
	if (!c->datagrams)
		atomic_fetch_sub(&ws->board->total, lost);
	if (ws->source->stopped) {
		report_ended(ws->source);
		return;
	}
	start_later(w);
	log_death(w, status, lost);
	tell_all(ws, WORKER_ROOM);
}

static int adopt(struct worker *w, pid_t pid, int fd)
{
	struct reactor *r = reactor_of(w->owner);

	child_init(&w->child, pid, on_exit_of);
	w->started = reactor_now(r, CLOCK_OF_LOOP);
	if (channel_open(&w->place.channel, r, fd, on_message, w) == 0 &&
	    child_start(r, &w->child) == 0) {
		w->running = true;
		return 0;
	}
	channel_close(&w->place.channel);
	kill(pid, SIGKILL);
	return -1;
}

/* Signals are blocked until the child has none of our handlers any more. */
static int spawn(struct worker *w)
{
	sigset_t all, before;
	pid_t parent = getpid(), pid;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -1;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		worker_run(w->owner->source,
			   w->listener.count ? &w->listener : &w->owner->source->listener,
			   &w->place, pair[1], parent);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(pair[1]);
	if (pid > 0)
		return adopt(w, pid, pair[0]);
	close(pair[0]);
	return -1;
}

/* /proc/self/task has a folder, and so a link, for each thread. */
static bool has_other_threads(void)
{
	struct stat st;

	return stat("/proc/self/task", &st) == 0 && st.st_nlink > 3;
}

static void spawn_or_wait(struct worker *w)
{
	if (w->waits < MOMENTS && has_other_threads() &&
	    timer_start_in(reactor_of(w->owner), &w->again, MOMENT) == 0) {
		w->waits++;
		return;
	}
	w->waits = 0;
	if (spawn(w) == 0)
		return;
	log_error(w->owner->source->base.rule, "cannot start worker %zu: %s; it is tried again",
		  w->place.number + 1, strerror(errno));
	start_later(w);
}

static void on_again(struct reactor *r, struct timer *t)
{
	(void)r;
	spawn_or_wait(CONTAINER_OF(t, struct worker, again));
}

static void kill_all(struct workers *ws)
{
	for (size_t i = 0; i < ws->n; i++)
		if (ws->all[i].child.started)
			kill(ws->all[i].child.pid, SIGKILL);
}

/* Who still speaks is not hung: the machine is slow, or this process was stopped. */
static void on_patience(struct reactor *r, struct timer *t)
{
	struct workers *ws = CONTAINER_OF(t, struct workers, patience);
	bool heard = ws->heard;

	ws->heard = false;
	if (!heard || timer_start_in(r, t, PATIENCE) < 0)
		kill_all(ws);
}

static void workers_cut(struct relay_source *s)
{
	struct workers *ws = s->carried;

	if (timer_start_in(reactor_of(ws), &ws->patience, PATIENCE) < 0)
		kill_all(ws);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void workers_close(struct relay_source *s)
{
	struct workers *ws = s->carried;

	kill_all(ws);
	for (size_t i = 0; i < ws->n; i++) {
		child_stop(reactor_of(ws), &ws->all[i].child);
		channel_close(&ws->all[i].place.channel);
		timer_stop(reactor_of(ws), &ws->all[i].again);
	}
	timer_stop(reactor_of(ws), &ws->patience);
	close_sockets(ws);
	worker_board_free(ws->board, relay_config(s));
	free(ws->all);
}

static int workers_open(struct relay_source *s, struct error *e)
{
	const struct relay_config *c = relay_config(s);
	struct workers *ws = s->carried;

	ws->source = s;
	timer_init(&ws->patience, CLOCK_OF_LOOP, on_patience);
	ws->board = worker_board_new(c);
	ws->all = ws->board ? calloc(c->workers, sizeof *ws->all) : NULL;
	if (!ws->all)
		return error_errno(e, "cannot have workers");
	for (; ws->n < c->workers; ws->n++) {
		struct worker *w = &ws->all[ws->n];

		w->owner = ws;
		w->place = (struct worker_place){
		    .board = ws->board, .number = ws->n, .most = c->access.max_conns};
		timer_init(&w->again, CLOCK_OF_LOOP, on_again);
	}
	return bind_others(ws, e);
}

static void workers_start(struct relay_source *s)
{
	struct workers *ws = s->carried;

	for (size_t i = 0; i < ws->n; i++)
		spawn_or_wait(&ws->all[i]);
}

static void workers_stop(struct relay_source *s)
{
	struct workers *ws = s->carried;

	close_sockets(ws);
	for (size_t i = 0; i < ws->n; i++)
		timer_stop(reactor_of(ws), &ws->all[i].again);
	tell_all(ws, WORKER_STOP);
}

static bool workers_are_busy(const struct relay_source *s)
{
	const struct workers *ws = s->carried;

	for (size_t i = 0; i < ws->n; i++)
		if (ws->all[i].running)
			return true;
	return false;
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
