/*
 * See worker.h. Nothing of the loop's process is used here but what the rule says: its reactor, its
 * descriptors and its signal handlers are left behind first.
 */
#include "source/relay/workers/worker.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "source/relay/relay.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
	WAITING_MOST = 1024 * 1024, /* no line of the log, nor of --dump, is taken beyond */
	LAST_WORDS_MS = 10000
};

/* The loop's process and this worker. */
struct worker {
	struct worker_place place;
	struct reactor *reactor;
	struct relay_source *source;
};

/* ---- what the source says -------------------------------------------------------------------- */

/*
 * No event is lost, and nothing waits for one to be taken: those of the connections that there are
 * still come, two each at most, but none is accepted meanwhile.
 */
static void on_taken(struct channel *c)
{
	relay_review(((struct worker *)c->owner)->source);
}

static void on_ended(struct source *base)
{
	reactor_stop(base->reactor);
}

static bool on_write(struct source *base, const char *bytes, size_t length)
{
	struct channel *c = &((struct relay_source *)base)->place->channel;

	return channel_waiting(c) < WAITING_MOST &&
	       channel_say(c, WORKER_OUTPUT, bytes, length) == 0;
}

/* Events go another way (report_event), and nothing else is ever said. */
static const struct source_host worker_host = {
    .write = on_write,
    .ended = on_ended,
};

/* A line of the log; one too many for a loop that does not read is dropped. */
static void say_line(void *context, const char *line, size_t length)
{
	struct worker_place *place = context;

	if (channel_waiting(&place->channel) < WAITING_MOST)
		channel_say(&place->channel, WORKER_LINE, line, length);
}

/* ---- life ------------------------------------------------------------------------------------ */

/*
 * The loop's process says when to stop: a terminal, or pkill(1), sends its signals to both. Nor
 * does a worker outlive it (prctl(2)), however it ends.
 */
static void leave_signals(pid_t parent)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
	static const int stopping[] = {SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGCHLD};
	sigset_t none;

	for (int number = 1; number <= SIGRTMAX; number++)
		signal(number, SIG_IGN);
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
		signal(fatal[i], SIG_DFL);
	for (size_t i = 0; i < sizeof stopping / sizeof *stopping; i++)
		signal(stopping[i], SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void leave_descriptors(const struct listener *l, int fd)
{
	int keep[LISTENER_MOST + 4] = {0, 1, 2, fd};
	size_t n = 4;

	for (int i = 0; i < l->count; i++)
		keep[n++] = l->fds[i];
	fd_close_all_but(keep, n);
}

static struct relay_source *source_new(const struct worker_start *start, struct worker *w)
{
	struct relay_source *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->base = start->source->base;
	s->base.host = &worker_host;
	s->base.owner = NULL;
	s->base.reactor = w->reactor;
	s->listener = *start->listener;
	s->listener.unlink_path = NULL; /* the file is the loop's process' to remove */
	s->listener.kin = NULL;
	s->place = &w->place;
	return s;
}

static void on_message(struct channel *c, unsigned char type, const char *bytes, size_t length)
{
	struct relay_source *s = ((struct worker *)c->owner)->source;

	(void)bytes;
	(void)length;
	if (type == WORKER_STOP)
		s->base.type->stop(&s->base);
	else if (type == WORKER_ROOM)
		relay_review(s);
	else
		_exit(1); /* the loop's process is gone */
}

static int work(const struct worker_start *start, struct worker *w, struct error *e)
{
	struct reactor_error why;

	w->reactor = reactor_new(reactor_backend(start->source->base.reactor), &why);
	if (!w->reactor)
		return error_set(e, "%s", why.what);
	w->source = source_new(start, w);
	if (!w->source || channel_open(&w->place.channel, w->reactor, start->fd, on_message, w) < 0)
		return error_errno(e, "cannot start");
	w->place.channel.taken = on_taken;
	log_set_writer(say_line, &w->place);
	return w->source->base.type->open(&w->source->base, e);
}

_Noreturn void worker_run(const struct worker_start *start)
{
	struct worker w = {.place = {.board = start->board,
				     .number = start->number,
				     .most = relay_config(start->source)->access.max_conns}};
	struct error e;

	leave_signals(start->parent);
	log_set_writer(NULL, NULL);
	leave_descriptors(start->listener, start->fd);
	if (work(start, &w, &e) < 0 || !w.source) {
		log_error(start->source->base.rule, "worker %zu: %s", start->number + 1, e.what);
		channel_flush(&w.place.channel, LAST_WORDS_MS);
		_exit(1);
	}
	w.source->base.type->start(&w.source->base);
	if (!w.source->ended)
		reactor_run(w.reactor);
	channel_flush(&w.place.channel, LAST_WORDS_MS);
	_exit(0);
}
