/*
 * probe: is an endpoint up? A connection is tried now and then; changes are told, and the first
 * answer when it is `up`, so that `--once` waits for a service to come.
 *
 * A datagram socket that is connected to a closed port is told by ICMP, when that is let through:
 * UDP counts as up when a datagram could be sent and nobody refused it within the timeout.
 */
#include "source/kinds.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/units.h"
#include "net/connect.h"
#include "net/resolver.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct probe_config {
	struct endpoint target;
	char *word; /* owned: as the user wrote it */
	int64_t interval, timeout;
	uint64_t rise, fall;
};

enum health { UNKNOWN, UP, DOWN };

struct probe_source {
	struct source base;
	struct resolver *resolver;
	struct connector *connector;
	struct io_watcher udp; /* a datagram was sent: is it refused? */
	struct timer next, patience;
	enum health health;
	uint64_t in_a_row; /* answers that differ from `health` */
};

static void probe_init(void *config)
{
	struct probe_config *c = config;

	c->interval = c->timeout = NS_PER_S;
	c->rise = c->fall = 1;
}

static int probe_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct probe_config *c = config;

	(void)n;
	e->column = 0;
	if (endpoint_parse(&c->target, words[0], e) < 0)
		return error_at(e, 0, e->column);
	if (endpoint_check_target(&c->target, words[0], e) < 0)
		return error_at(e, 0, 0);
	if (!c->interval)
		return error_set(e, "--interval must be more than nothing");
	c->word = strdup(words[0]);
	return c->word ? 0 : error_errno(e, "out of memory");
}

static void probe_release(void *config)
{
	struct probe_config *c = config;

	endpoint_release(&c->target);
	free(c->word);
}

static void probe_describe(const void *config, struct buf *out)
{
	buf_printf(out, "%s going up or down", ((const struct probe_config *)config)->word);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void emit_change(struct probe_source *s)
{
	const struct probe_config *c = s->base.config;
	struct event event = event_make(s->health == UP ? "up" : "down");
	const char *subject = c->word;

	event.subjects = &subject;
	event.n_subjects = 1;
	s->base.host->emit(&s->base, &event, 1);
}

static void take_answer(struct probe_source *s, enum health answer)
{
	const struct probe_config *c = s->base.config;
	bool first = s->health == UNKNOWN;

	if (answer == s->health) {
		s->in_a_row = 0;
		return;
	}
	if (++s->in_a_row < (answer == UP ? c->rise : c->fall))
		return;
	s->in_a_row = 0;
	s->health = answer;
	if (answer == UP || !first)
		emit_change(s);
}

static void on_connected(void *context, int fd, int error)
{
	struct probe_source *s = context;

	(void)error;
	s->connector = NULL;
	if (fd >= 0)
		close(fd);
	take_answer(s, fd >= 0 ? UP : DOWN);
}

/* ---- UDP ------------------------------------------------------------------------------------- */

static void udp_over(struct probe_source *s, enum health answer)
{
	int fd = s->udp.fd;

	io_stop(s->base.reactor, &s->udp);
	timer_stop(s->base.reactor, &s->patience);
	fd_close(&fd);
	s->udp.fd = -1;
	take_answer(s, answer);
}

/* A reply, or the error that an ICMP message became. */
static void on_udp(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct probe_source *s = CONTAINER_OF(w, struct probe_source, udp);
	char byte;

	(void)r;
	(void)ready;
	udp_over(s, recv(w->fd, &byte, 1, MSG_DONTWAIT) < 0 && errno != EAGAIN ? DOWN : UP);
}

static void on_patience(struct reactor *r, struct timer *t)
{
	(void)r;
	udp_over(CONTAINER_OF(t, struct probe_source, patience), UP);
}

static void probe_udp(struct probe_source *s, const struct address *to)
{
	const struct probe_config *c = s->base.config;
	int fd = socket(to->any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	io_init(&s->udp, fd, IO_READ, on_udp);
	if (fd < 0 || connect(fd, &to->any, to->length) < 0 || send(fd, "", 0, MSG_NOSIGNAL) < 0 ||
	    io_start(s->base.reactor, &s->udp) < 0 ||
	    timer_start_in(s->base.reactor, &s->patience, c->timeout) < 0)
		udp_over(s, DOWN);
}

/* ---- probing --------------------------------------------------------------------------------- */

static void on_resolved(void *context, const struct address *addresses, int n, const char *why)
{
	struct probe_source *s = context;
	const struct probe_config *c = s->base.config;

	if (why || n == 0) {
		take_answer(s, DOWN);
		return;
	}
	if (c->target.kind == ENDPOINT_UDP) {
		probe_udp(s, &addresses[0]);
		return;
	}
	s->connector = connector_start(s->base.reactor, addresses, n, c->timeout, on_connected, s);
	if (!s->connector)
		take_answer(s, DOWN);
}

static void on_next(struct reactor *r, struct timer *t)
{
	struct probe_source *s = CONTAINER_OF(t, struct probe_source, next);
	const struct probe_config *c = s->base.config;

	timer_start_in(r, t, c->interval);
	if (s->connector || s->udp.fd >= 0)
		return; /* the last one is still under way */
	resolver_forget(s->resolver, s);
	if (resolver_ask(s->resolver, &c->target, on_resolved, s) < 0)
		take_answer(s, DOWN);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void probe_stop(struct source *base)
{
	struct probe_source *s = (struct probe_source *)base;
	int fd = s->udp.fd;

	timer_stop(base->reactor, &s->next);
	timer_stop(base->reactor, &s->patience);
	if (s->connector)
		connector_stop(s->connector);
	s->connector = NULL;
	io_stop(base->reactor, &s->udp);
	fd_close(&fd);
	s->udp.fd = -1;
	resolver_forget(s->resolver, s);
}

static void probe_close(struct source *base)
{
	struct probe_source *s = (struct probe_source *)base;

	probe_stop(base);
	resolver_free(s->resolver);
	s->resolver = NULL;
}

static int probe_open(struct source *base, struct error *e)
{
	struct probe_source *s = (struct probe_source *)base;

	io_init(&s->udp, -1, IO_READ, on_udp);
	timer_init(&s->next, CLOCK_OF_LOOP, on_next);
	timer_init(&s->patience, CLOCK_OF_LOOP, on_patience);
	s->next.priority = base->priority;
	s->resolver = resolver_new(base->reactor, 0);
	return s->resolver ? 0 : error_errno(e, "cannot probe");
}

static void probe_start(struct source *base)
{
	struct probe_source *s = (struct probe_source *)base;
	struct error e;

	if (timer_start_in(base->reactor, &s->next, 0) == 0)
		return;
	error_errno(&e, "cannot probe");
	base->host->failed(base, &e);
}

static const struct event_name probe_events[] = {
    {"up", "it can be connected to; subject: the endpoint"},
    {"down", "it cannot be any more"},
    {0},
};

#define FIELD(name) offsetof(struct probe_config, name)

static const struct option probe_options[] = {
    {.name = "interval",
     .type = OPTION_DURATION,
     .offset = FIELD(interval),
     .value = "DUR",
     .help = "between two looks (1s)"},
    {.name = "timeout",
     .type = OPTION_DURATION,
     .offset = FIELD(timeout),
     .value = "DUR",
     .help = "for one look (1s)"},
    {.name = "rise",
     .type = OPTION_COUNT,
     .offset = FIELD(rise),
     .value = "N",
     .least = 1,
     .help = "so many good answers in a row are up (1)"},
    {.name = "fall",
     .type = OPTION_COUNT,
     .offset = FIELD(fall),
     .value = "N",
     .least = 1,
     .help = "so many bad ones are down (1)"},
    {0},
};

const struct source_type source_probe = {
    .name = "probe",
    .summary = "when a service goes up or down",
    .arguments = "ENDPOINT",
    .least_arguments = 1,
    .most_arguments = 1,
    .examples = {"evwatch probe db:5432 --once --within 60s",
		 "evwatch probe 443 --fall 3 -- 'echo \"$EVWATCH_EVENT: $1\"'"},
    .events = probe_events,
    .options = probe_options,
    .config_size = sizeof(struct probe_config),
    .config_init = probe_init,
    .config_arguments = probe_arguments,
    .config_release = probe_release,
    .describe = probe_describe,
    .size = sizeof(struct probe_source),
    .open = probe_open,
    .start = probe_start,
    .stop = probe_stop,
    .close = probe_close,
};
