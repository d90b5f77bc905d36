/* listen: sockets that listen, and a command for each connection. See listen.h. */
#include "source/listen/listen.h"

#include "base/error.h"
#include "base/fd.h"
#include "source/kinds.h"

#include <stdlib.h>
#include <string.h>

/* ---- configuration --------------------------------------------------------------------------- */

static void listen_init(void *config)
{
	((struct listen_settings *)config)->socket.mode = 0600;
}

static int parse_allow(void *config, const char *word, struct error *e)
{
	return cidr_list_add(&((struct listen_settings *)config)->access, word, true, e);
}

static int parse_deny(void *config, const char *word, struct error *e)
{
	return cidr_list_add(&((struct listen_settings *)config)->access, word, false, e);
}

static int parse_mode(void *config, const char *word, struct error *e)
{
	char *end;
	long mode = strtol(word, &end, 8);

	if (end == word || *end || mode < 0 || mode > 0777)
		return error_set(e, "\"%s\" is not an octal mode (as in 0660)", word);
	((struct listen_settings *)config)->socket.mode = (unsigned)mode;
	return 0;
}

static int listen_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct listen_settings *c = config;

	c->socket.backlog = (int)c->backlog;
	c->endpoints = calloc(n, sizeof *c->endpoints);
	if (!c->endpoints)
		return error_errno(e, "out of memory");
	for (size_t i = 0; i < n; i++) {
		e->column = 0;
		if (endpoint_parse(&c->endpoints[i], words[i], e) < 0)
			return error_at(e, (int)i, e->column);
		c->count++;
	}
	return 0;
}

static void listen_release(void *config)
{
	struct listen_settings *c = config;

	for (size_t i = 0; i < c->count; i++)
		endpoint_release(&c->endpoints[i]);
	free(c->endpoints);
	cidr_list_free(&c->access);
}

static void listen_describe(const void *config, struct buf *out)
{
	const struct listen_settings *c = config;

	buf_add_text(out, "each connection to");
	for (size_t i = 0; i < c->count; i++) {
		buf_add_text(out, i ? ", " : " ");
		endpoint_add(out, &c->endpoints[i]);
	}
}

/* ---- sockets --------------------------------------------------------------------------------- */

static void listen_close(struct source *base)
{
	struct listen_source *s = (struct listen_source *)base;

	s->stopped = true;
	for (size_t i = 0; i < s->n_acceptors; i++)
		io_stop(base->reactor, &s->acceptors[i].io);
	LIST_EACH(at, after, &s->connections)
	connection_over(CONTAINER_OF(at, struct connection, link));
	for (size_t i = 0; i < s->n_listeners; i++)
		listener_close(&s->listeners[i]);
	timer_stop(base->reactor, &s->short_of_descriptors);
	peer_table_free(&s->peers);
	free(s->listeners);
	free(s->acceptors);
}

static void add_acceptors(struct listen_source *s, struct listener *l)
{
	for (int i = 0; i < l->count; i++) {
		struct acceptor *a = &s->acceptors[s->n_acceptors++];
		struct buf word = {0};

		a->owner = s;
		a->listener = l;
		a->index = i;
		io_init(&a->io, l->fds[i], IO_READ, l->datagram[i] ? on_datagram : on_acceptable);
		a->io.priority = s->base.priority;
		listener_add_bound(&word, l, i);
		if (word.data)
			s->base.host->bound(&s->base, word.data);
		buf_free(&word);
	}
}

static void on_descriptors_again(struct reactor *r, struct timer *t)
{
	struct listen_source *s = CONTAINER_OF(t, struct listen_source, short_of_descriptors);

	(void)r;
	s->short_now = false;
	listen_review(s);
}

static int listen_open(struct source *base, struct error *e)
{
	struct listen_source *s = (struct listen_source *)base;
	const struct listen_settings *c = base->config;

	list_init(&s->connections);
	peer_table_init(&s->peers);
	timer_init(&s->short_of_descriptors, CLOCK_OF_LOOP, on_descriptors_again);
	s->listeners = calloc(c->count, sizeof *s->listeners);
	s->acceptors = calloc(c->count * LISTENER_MOST, sizeof *s->acceptors);
	if (!s->listeners || !s->acceptors) {
		error_errno(e, "cannot listen");
		listen_close(base);
		return -1;
	}
	for (size_t i = 0; i < c->count; i++) {
		if (listener_open(&s->listeners[i], &c->endpoints[i], &c->socket, e) < 0) {
			listen_close(base);
			return -1;
		}
		s->n_listeners++;
		add_acceptors(s, &s->listeners[i]);
	}
	return 0;
}

void listen_review(struct listen_source *s)
{
	bool accept = !s->stopped && !s->base.paused && !s->short_now;

	for (size_t i = 0; i < s->n_acceptors; i++) {
		struct error e;

		if (!accept)
			io_stop(s->base.reactor, &s->acceptors[i].io);
		else if (io_start(s->base.reactor, &s->acceptors[i].io) < 0) {
			error_errno(&e, "cannot accept");
			s->base.host->failed(&s->base, &e);
			return;
		}
	}
}

static void listen_start(struct source *base)
{
	listen_review((struct listen_source *)base);
}

static void listen_stop(struct source *base)
{
	struct listen_source *s = (struct listen_source *)base;

	s->stopped = true;
	listen_review(s);
}

/* A token is a connection's, or a datagram's; which one the kind of the listener tells. */
static void listen_run_ended(struct source *base, void *token, const struct run_outcome *outcome)
{
	struct listen_source *s = (struct listen_source *)base;

	if (!token)
		return;
	LIST_EACH(at, after, &s->connections)
	if (CONTAINER_OF(at, struct connection, link) == token) {
		connection_over(token);
		return;
	}
	datagram_answer(token, outcome);
}

/* ---- the kind -------------------------------------------------------------------------------- */

static const struct event_name listen_events[] = {
    {"connect", "a peer connected; subject: its address"},
    {"datagram", "a datagram came (UDP); subject: its sender, without a command: its text"},
    {"line", "without a command: a line that a peer sent"},
    {0},
};

#define FIELD(name) offsetof(struct listen_settings, name)

static const struct option listen_options[] = {
    {.name = "max-conns",
     .type = OPTION_COUNT,
     .offset = FIELD(max_conns),
     .value = "N",
     .least = 1,
     .help = "refuse more connections at once"},
    {.name = "max-per-ip",
     .type = OPTION_COUNT,
     .offset = FIELD(max_per_ip),
     .value = "N",
     .least = 1,
     .help = "refuse more from one address"},
    {.name = "allow",
     .type = OPTION_CUSTOM,
     .parse = parse_allow,
     .value = "CIDR",
     .help = "who may connect; the first match wins; repeat"},
    {.name = "deny",
     .type = OPTION_CUSTOM,
     .parse = parse_deny,
     .value = "CIDR",
     .help = "who may not; repeat"},
    {.name = "backlog",
     .type = OPTION_COUNT,
     .offset = FIELD(backlog),
     .value = "N",
     .least = 1,
     .most = 1 << 20,
     .help = "connections that wait in the kernel (4096)"},
    {.name = "mode",
     .type = OPTION_CUSTOM,
     .parse = parse_mode,
     .value = "MODE",
     .help = "of a Unix socket (0600)"},
    {.name = "owner",
     .type = OPTION_TEXT,
     .offset = FIELD(socket.owner),
     .value = "USER[:GROUP]",
     .help = "of a Unix socket"},
    {.name = "reuseport", .offset = FIELD(socket.reuseport), .help = "share the port"},
    {.name = "banner",
     .type = OPTION_TEXT,
     .offset = FIELD(banner),
     .value = "TEXT",
     .help = "sent to each peer first"},
    {0},
};

const struct source_type source_listen = {
    .name = "listen",
    .summary = "for each connection to a socket",
    .arguments = "ENDPOINT...",
    .least_arguments = 1,
    .most_arguments = -1,
    .examples = {"evwatch listen 7000 -- cat",
		 "evwatch listen unix:/run/x.sock '*:7000' --max-per-ip 4 -- ./serve"},
    .events = listen_events,
    .options = listen_options,
    .waits_for_room = true,
    .default_on_busy = 4 /* BUSY_PARALLEL */,
    .default_jobs = 40,
    .config_size = sizeof(struct listen_settings),
    .config_init = listen_init,
    .config_arguments = listen_arguments,
    .config_release = listen_release,
    .describe = listen_describe,
    .size = sizeof(struct listen_source),
    .open = listen_open,
    .start = listen_start,
    .pause = listen_start,
    .resume = listen_start,
    .stop = listen_stop,
    .close = listen_close,
    .run_ended = listen_run_ended,
};
