/*
 * See worker.h. Nothing of the loop's process is used here but what the rule says: its reactor and
 * its descriptors are left behind first.
 */
#include "source/relay/workers/worker.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "source/relay/state.h"

#include <unistd.h>

enum {
	WAITING_MOST = 1024 * 1024, /* no line of the log, nor of --dump, is taken beyond */
	LAST_WORDS_MS = 10000
};

/* ---- what the source says -------------------------------------------------------------------- */

/*
 * No event is lost, and nothing waits for one to be taken: those of the connections that there are
 * still come, two each at most, but none is accepted meanwhile.
 */
static void on_taken(struct channel *c)
{
	relay_review(c->owner);
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
	if (channel_waiting(context) < WAITING_MOST)
		channel_say(context, WORKER_LINE, line, length);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void leave_descriptors(const struct listener *l, int fd)
{
	int keep[LISTENER_MOST + 4] = {0, 1, 2, fd};
	size_t n = 4;

	for (int i = 0; i < l->count; i++)
		keep[n++] = l->fds[i];
	fd_close_all_but(keep, n);
}

static void on_message(struct channel *c, unsigned char type, const char *bytes, size_t length)
{
	struct relay_source *s = c->owner;

	(void)bytes;
	(void)length;
	if (type == WORKER_STOP)
		s->base.type->stop(&s->base);
	else if (type == WORKER_ROOM)
		relay_review(s);
	else
		_exit(1); /* the loop's process is gone */
}

static int begin(struct relay_source *s, int fd, struct error *e)
{
	struct channel *channel = &s->place->channel;
	struct reactor_error why;

	s->base.reactor = reactor_new(reactor_backend(s->base.reactor), &why);
	if (!s->base.reactor)
		return error_set(e, "%s", why.what);
	if (channel_open(channel, s->base.reactor, fd, on_message, s) < 0)
		return error_errno(e, "cannot start");
	channel->taken = on_taken;
	log_set_writer(say_line, channel);
	return s->base.type->open(&s->base, e);
}

_Noreturn void worker_run(const struct relay_source *of, const struct listener *l,
			  struct worker_board *board, size_t number, int fd)
{
	struct worker_place place = {
	    .board = board, .number = number, .most = relay_config(of)->access.max_conns};
	struct relay_source s = {.base = of->base, .listener = *l, .place = &place};
	struct error e;

	log_set_writer(NULL, NULL);
	leave_descriptors(l, fd);
	s.base.host = &worker_host;
	s.base.owner = NULL;
	s.listener.unlink_path = NULL; /* the file is the loop's process' to remove */
	s.listener.kin = NULL;
	if (begin(&s, fd, &e) < 0) {
		log_error(s.base.rule, "worker %zu: %s", place.number + 1, e.what);
		channel_flush(&place.channel, LAST_WORDS_MS);
		_exit(1);
	}
	s.base.type->start(&s.base);
	if (!s.ended)
		reactor_run(s.base.reactor);
	channel_flush(&place.channel, LAST_WORDS_MS);
	_exit(0);
}
