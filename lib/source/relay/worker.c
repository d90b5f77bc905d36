/*
 * A worker: the child of a fork that relays. See workers.h.
 *
 * Nothing of the loop's process is used here but what the rule says: its reactor, its descriptors
 * and its signal handlers are left behind first.
 */
#include "source/relay/workers.h"

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
	EVENTS_MOST = 128 * 1024,   /* bytes that wait: no connection is accepted beyond */
	WAITING_MOST = 1024 * 1024, /* no line of the log, nor of --dump, is taken beyond */
	MOST_WORDS = 32,
	LAST_WORDS_MS = 10000
};

/* ---- events ---------------------------------------------------------------------------------- */

/*
 * An event as bytes: its time, its name, how many subjects and details, then those. Names are
 * static strings, and the other process is a fork: there they have the same address.
 */
struct packed_event {
	struct timespec time;
	const char *name;
	size_t n_subjects, n_details;
};

static void pack_event(struct buf *out, const struct event *event)
{
	struct packed_event head = {.name = event->name};

	clock_gettime(CLOCK_REALTIME, &head.time);
	head.n_subjects = event->n_subjects < MOST_WORDS ? event->n_subjects : MOST_WORDS;
	head.n_details = event->n_details < MOST_WORDS ? event->n_details : MOST_WORDS;
	buf_add(out, &head, sizeof head);
	for (size_t i = 0; i < head.n_details; i++)
		buf_add(out, &event->details[i].name, sizeof event->details[i].name);
	for (size_t i = 0; i < head.n_subjects; i++)
		buf_add(out, event->subjects[i], strlen(event->subjects[i]) + 1);
	for (size_t i = 0; i < head.n_details; i++) {
		const char *value = event->details[i].value ? event->details[i].value : "";

		buf_add(out, value, strlen(value) + 1);
	}
}

/* The text at *at, which then is behind it; NULL when there is none. */
static const char *next_text(const char **at, const char *end)
{
	const char *text = *at;
	const char *nul = memchr(text, '\0', (size_t)(end - text));

	if (nul)
		*at = nul + 1;
	return nul ? text : NULL;
}

void worker_event_emit(struct source *s, const char *bytes, size_t length)
{
	const char *at = bytes + sizeof(struct packed_event), *end = bytes + length;
	const char *subjects[MOST_WORDS];
	struct detail details[MOST_WORDS];
	struct packed_event head;
	struct event event;

	memcpy(&head, bytes, sizeof head);
	event = event_make(head.name);
	event.time = head.time;
	for (size_t i = 0; i < head.n_details; i++, at += sizeof details[i].name)
		memcpy(&details[i].name, at, sizeof details[i].name);
	for (size_t i = 0; i < head.n_subjects; i++)
		subjects[i] = next_text(&at, end);
	for (size_t i = 0; i < head.n_details; i++)
		details[i].value = next_text(&at, end);
	event.subjects = subjects;
	event.n_subjects = head.n_subjects;
	event.details = details;
	event.n_details = head.n_details;
	s->host->emit(s, &event, 1);
}

/* ---- what the source says -------------------------------------------------------------------- */

static void on_emit(struct source *base, const struct event *events, size_t n)
{
	struct relay_source *s = (struct relay_source *)base;

	for (size_t i = 0; i < n; i++) {
		struct buf b = {0};

		pack_event(&b, &events[i]);
		if (b.failed || channel_say(&s->place->channel, WORKER_EVENT, b.data, b.length) < 0)
			log_error(base->rule, "out of memory: an event is lost");
		buf_free(&b);
	}
	if (worker_lags(s->place))
		relay_review(s);
}

/*
 * No event is lost, and nothing waits for one to be taken: those of the connections that there are
 * still come, two each at most, but none is accepted meanwhile.
 */
bool worker_lags(const struct worker_place *place)
{
	return channel_waiting(&place->channel) >= EVENTS_MOST;
}

static void on_taken(struct channel *c)
{
	relay_review(c->owner);
}

static void on_ended(struct source *base)
{
	reactor_stop(base->reactor);
}

static void on_failed(struct source *base, const struct error *e)
{
	log_error(base->rule, "%s", e->what);
	reactor_stop(base->reactor);
}

static void on_bound(struct source *base, const char *endpoint)
{
	(void)base;
	(void)endpoint; /* the loop's process told it */
}

static bool on_write(struct source *base, const char *bytes, size_t length)
{
	struct channel *c = &((struct relay_source *)base)->place->channel;

	return channel_waiting(c) < WAITING_MOST &&
	       channel_say(c, WORKER_OUTPUT, bytes, length) == 0;
}

static const struct source_host worker_host = {
    .emit = on_emit,
    .write = on_write,
    .ended = on_ended,
    .failed = on_failed,
    .bound = on_bound,
};

/* A line of the log; one too many for a loop that does not read is dropped. */
static void say_line(void *context, const char *line, size_t length)
{
	struct worker_place *place = context;

	if (channel_waiting(&place->channel) < WAITING_MOST)
		channel_say(&place->channel, WORKER_LINE, line, length);
}

/* ---- connections over all workers ------------------------------------------------------------ */

static const struct relay_config *config_of(const struct worker_place *place)
{
	return place->workers->source->base.config;
}

static bool take_room(struct worker_counts *counts, uint64_t most)
{
	unsigned long long total = atomic_load(&counts->total);

	do
		if (most && total >= most)
			return false;
	while (!atomic_compare_exchange_weak(&counts->total, &total, total + 1));
	return true;
}

bool worker_enter(struct worker_place *place)
{
	struct worker_counts *counts = place->workers->counts;
	uint64_t most = config_of(place)->access.max_conns;

	if (!take_room(counts, most)) {
		atomic_store(&counts->waits, true);
		/* One that ended before the wish was known tells nobody. */
		if (!take_room(counts, most))
			return false;
	}
	atomic_fetch_add(&counts->connections[place->number], 1);
	return true;
}

void worker_leave(struct worker_place *place)
{
	struct worker_counts *counts = place->workers->counts;

	atomic_fetch_sub(&counts->connections[place->number], 1);
	atomic_fetch_sub(&counts->total, 1);
	if (atomic_exchange(&counts->waits, false))
		channel_say(&place->channel, WORKER_ROOM, NULL, 0);
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

static void leave_descriptors(const struct worker *w, int fd)
{
	const struct listener *l = worker_listener(w);
	int keep[LISTENER_MOST + 4] = {0, 1, 2, fd};
	size_t n = 4;

	for (int i = 0; i < l->count; i++)
		keep[n++] = l->fds[i];
	fd_close_all_but(keep, n);
}

static struct relay_source *source_new(const struct worker *w, struct worker_place *place)
{
	const struct relay_source *theirs = w->owner->source;
	struct relay_source *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->base = theirs->base;
	s->base.host = &worker_host;
	s->base.owner = NULL;
	s->base.reactor = place->reactor;
	s->listener = *worker_listener(w);
	s->listener.unlink_path = NULL; /* the file is the loop's process' to remove */
	s->place = place;
	return s;
}

static void on_message(struct channel *c, unsigned char type, const char *bytes, size_t length)
{
	struct relay_source *s = c->owner;

	(void)bytes;
	(void)length;
	if (type == WORKER_STOP)
		s->base.type->stop(&s->base);
	else if (type == WORKER_ROOM)
		relay_room(s);
	else
		_exit(1); /* the loop's process is gone */
}

static struct relay_source *open_source(struct worker *w, struct worker_place *place, int fd,
					struct error *e)
{
	struct reactor_error why;
	struct relay_source *s;

	place->reactor = reactor_new(reactor_backend(w->owner->source->base.reactor), &why);
	if (!place->reactor) {
		error_set(e, "%s", why.what);
		return NULL;
	}
	s = source_new(w, place);
	if (!s || channel_open(&place->channel, place->reactor, fd, on_message, s) < 0) {
		error_errno(e, "cannot start");
		return NULL;
	}
	place->channel.taken = on_taken;
	log_set_writer(say_line, place);
	return relay_carrier_open(s, e) < 0 ? NULL : s;
}

_Noreturn void worker_run(struct worker *w, int fd, pid_t parent)
{
	struct worker_place place = {.workers = w->owner, .number = w->number, .parked = -1};
	struct relay_source *s;
	struct error e;

	leave_signals(parent);
	log_set_writer(NULL, NULL);
	leave_descriptors(w, fd);
	s = open_source(w, &place, fd, &e);
	if (!s) {
		log_error(w->owner->source->base.rule, "worker %zu: %s", w->number + 1, e.what);
		channel_flush(&place.channel, LAST_WORDS_MS);
		_exit(1);
	}
	s->base.type->start(&s->base);
	if (!s->ended)
		reactor_run(place.reactor);
	/* An io_uring holds on to what was closed in the last turn: the peers are not to wait. */
	reactor_free(place.reactor);
	channel_flush(&place.channel, LAST_WORDS_MS);
	_exit(0);
}
