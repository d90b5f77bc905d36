/* listen: sockets that listen, and a command for each connection. See listen.h. */
#include "source/listen/listen.h"

#include "base/error.h"
#include "base/fd.h"
#include "net/trial.h"
#include "source/kinds.h"

#include <stdlib.h>
#include <string.h>

/* ---- configuration --------------------------------------------------------------------------- */

static void listen_init(void *config)
{
	((struct listen_settings *)config)->socket.mode = 0600;
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

/* As many as may be connected are served. */
static uint64_t listen_jobs(const void *config)
{
	return ((const struct listen_settings *)config)->access.max_conns;
}

static void listen_release(void *config)
{
	struct listen_settings *c = config;

	for (size_t i = 0; i < c->count; i++)
		endpoint_release(&c->endpoints[i]);
	free(c->endpoints);
	cidr_list_free(&c->access.rules);
}

static void listen_describe(const void *config, struct buf *out)
{
	const struct listen_settings *c = config;

	buf_add_text(out, "each connection to");
	for (size_t i = 0; i < c->count; i++) {
		buf_add_text(out, i ? ", " : " ");
		buf_add_text(out, c->endpoints[i].word);
	}
}

/* ---- sockets --------------------------------------------------------------------------------- */

static void listen_close(struct source *base)
{
	struct listen_source *s = (struct listen_source *)base;

	s->stopped = true;
	for (size_t i = 0; i < s->n_datagrams; i++)
		io_stop(base->reactor, &s->datagrams[i].io);
	for (size_t i = 0; i < s->n_listeners; i++)
		acceptor_close(&s->acceptors[i]);
	LIST_EACH(at, after, &s->connections)
	connection_over(CONTAINER_OF(at, struct connection, link));
	answers_drop(s);
	for (size_t i = 0; i < s->n_listeners; i++)
		listener_close(&s->listeners[i]);
	peer_table_free(&s->peers);
	free(s->listeners);
	free(s->acceptors);
	free(s->datagrams);
}

static void watch_datagrams(struct listen_source *s, const struct listener *l, int fd)
{
	struct datagram_socket *d = &s->datagrams[s->n_datagrams++];

	d->owner = s;
	d->listener = l;
	io_init(&d->io, fd, IO_READ, on_datagram);
	d->io.priority = s->base.priority;
}

/* Makes ready to accept from the listener that was opened last. */
static void add_listener(struct listen_source *s)
{
	struct listener *l = &s->listeners[s->n_listeners];

	acceptor_init(&s->acceptors[s->n_listeners++], s->base.reactor, l, s->base.priority,
		      on_accepted, s, s->base.rule);
	for (int i = 0; i < l->count; i++)
		if (l->datagram[i])
			watch_datagrams(s, l, l->fds[i]);
	access_report_bound(&s->base, l);
}

static int listen_open(struct source *base, struct error *e)
{
	struct listen_source *s = (struct listen_source *)base;
	const struct listen_settings *c = base->config;

	list_init(&s->connections);
	list_init(&s->answers);
	peer_table_init(&s->peers);
	s->listeners = calloc(c->count, sizeof *s->listeners);
	s->acceptors = calloc(c->count, sizeof *s->acceptors);
	s->datagrams = calloc(c->count * LISTENER_MOST, sizeof *s->datagrams);
	if (!s->listeners || !s->acceptors || !s->datagrams) {
		error_errno(e, "cannot listen");
		listen_close(base);
		return -1;
	}
	for (size_t i = 0; i < c->count; i++) {
		struct listener *kept = source_kept(base, &c->endpoints[i]);

		if (listener_open_from(&s->listeners[i], kept, &c->endpoints[i], &c->socket, e) <
		    0) {
			listen_close(base);
			return -1;
		}
		add_listener(s);
	}
	return 0;
}

/* Starts or stops accepting, by everything that may stand against it. */
static void review(struct listen_source *s)
{
	bool accept = !s->stopped && !s->base.paused;
	struct error e;
	int result = 0;

	for (size_t i = 0; i < s->n_listeners; i++)
		result |= acceptor_want(&s->acceptors[i], accept);
	for (size_t i = 0; i < s->n_datagrams; i++) {
		if (accept)
			result |= io_start(s->base.reactor, &s->datagrams[i].io);
		else
			io_stop(s->base.reactor, &s->datagrams[i].io);
	}
	if (result == 0) {
		LIST_EACH(at, after, &s->connections)
		reader_review(CONTAINER_OF(at, struct connection, link));
		return;
	}
	error_errno(&e, "cannot accept");
	s->base.host->failed(&s->base, &e);
}

static void listen_start(struct source *base)
{
	review((struct listen_source *)base);
}

/* Replies to datagrams leave by the socket that they came to: that one is closed last. */
static bool carries_streams(const struct listener *l)
{
	for (int i = 0; i < l->count; i++)
		if (l->datagram[i])
			return false;
	return true;
}

static void listen_stop(struct source *base)
{
	struct listen_source *s = (struct listen_source *)base;

	s->stopped = true;
	review(s);
	for (size_t i = 0; i < s->n_listeners; i++)
		if (carries_streams(&s->listeners[i]))
			listener_close(&s->listeners[i]);
}

static struct listener *listen_listener(struct source *base, const struct endpoint *ep)
{
	struct listen_source *s = (struct listen_source *)base;
	const struct listen_settings *c = base->config;

	for (size_t i = 0; i < s->n_listeners; i++)
		if (endpoint_same(&c->endpoints[i], ep))
			return &s->listeners[i];
	return NULL;
}

static void listen_run_ended(struct source *base, void *token, const struct run_outcome *outcome)
{
	struct token *t = token;

	(void)base;
	if (t)
		t->over(t, outcome);
}

static int listen_check_machine(const void *config, struct trial *t, struct error *e)
{
	const struct listen_settings *c = config;

	for (size_t i = 0; i < c->count; i++)
		if (trial_add(t, &c->endpoints[i], &c->socket, e) < 0)
			return -1;
	return 0;
}

/* ---- the kind -------------------------------------------------------------------------------- */

static const struct event_name listen_events[] = {
    {"connect", "a peer connected; subject: its address"},
    {"datagram", "a datagram came; subject: its sender (no command: its text)"},
    {"line", "without a command: a line that a peer sent"},
    {0},
};

static bool includes(const struct listen_settings *c, int kinds)
{
	return endpoints_include(c->endpoints, c->count, kinds);
}

static int check_ip(const void *config, struct error *e)
{
	const struct listen_settings *c = config;

	return access_check(c->endpoints, c->count, e);
}

static int check_stream(const void *config, struct error *e)
{
	if (includes(config, ~(1 << ENDPOINT_UDP)))
		return 0;
	return error_set(e, "has no effect here: datagrams have no connection");
}

static int check_port(const void *config, struct error *e)
{
	if (includes(config, ENDPOINTS_IP))
		return 0;
	error_set(e, "has no effect here: no TCP or UDP port is bound");
	return error_hint(e, "it is for endpoints like 7000 or udp:7000");
}

/* An abstract name is no file. */
static int check_file(const void *config, struct error *e)
{
	const struct listen_settings *c = config;

	for (size_t i = 0; i < c->count; i++)
		if (c->endpoints[i].kind == ENDPOINT_UNIX && c->endpoints[i].path[0] != '@')
			return 0;
	error_set(e, "has no effect here: it is for Unix sockets");
	return error_hint(e, "an endpoint like unix:/run/x.sock has an owner and a mode");
}

static bool listen_doubtful(const void *config, bool has_command, struct error *e)
{
	const struct listen_settings *c = config;
	const char *escape = c->banner ? strchr(c->banner, '\\') : NULL;

	(void)has_command;
	if (!escape || !escape[1] || !strchr("nrt", escape[1]))
		return false;
	error_option(e, "banner", "is sent as it stands: \\%c is two characters", escape[1]);
	error_hint(e, "bash and zsh make the character of it in $'...'");
	return true;
}

#define CONFIG struct listen_settings

static const struct option listen_options[] = {
    ACCESS_OPTIONS("refuse more connections at once", check_ip, check_ip),
    OPTION_ROW("backlog", COUNT, backlog, "N", "connections that wait in the kernel (4096)",
	       .least = 1, .most = 1 << 20, .check = check_stream),
    OPTION_ROW("mode", CUSTOM, socket.mode, "MODE", "of a Unix socket (0600)", .parse = parse_mode,
	       .check = check_file),
    OPTION_ROW("owner", TEXT, socket.owner, "USER[:GROUP]", "of a Unix socket",
	       .check = check_file),
    OPTION_ROW("reuseport", FLAG, socket.reuseport, NULL, "share the port", .check = check_port),
    OPTION_ROW("banner", TEXT, banner, "TEXT", "sent to each peer first", .check = check_stream),
    {0},
};

static const struct refusal listen_refuses[] = {
    {"debounce max-wait throttle retry backoff initial each to socket quiet-for times unique by",
     "each connection has a run of its own",
     "leave it out; --max-conns, --max-per-ip and --jobs limit a listener"},
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
    .doubtful = listen_doubtful,
    .refuses = listen_refuses,
    .waits_for_room = true,
    .gives_input = true,
    .default_on_busy = 4 /* BUSY_PARALLEL */,
    .subjects_from_outside = true,
    .config_size = sizeof(struct listen_settings),
    .config_init = listen_init,
    .config_arguments = listen_arguments,
    .config_release = listen_release,
    .jobs = listen_jobs,
    .describe = listen_describe,
    .size = sizeof(struct listen_source),
    .open = listen_open,
    .start = listen_start,
    .pause = listen_start,
    .resume = listen_start,
    .stop = listen_stop,
    .close = listen_close,
    .run_ended = listen_run_ended,
    .listener = listen_listener,
    .check_machine = listen_check_machine,
};
