/* relay: bytes both ways between each connection and one of the targets. See relay.h. */
#include "source/relay/relay.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "source/kinds.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- configuration --------------------------------------------------------------------------- */

static void relay_init(void *config)
{
	struct relay_config *c = config;

	c->connect_timeout = 5 * NS_PER_S;
	c->dns_ttl = 5 * NS_PER_S;
	c->drain = 2 * NS_PER_S;
}

static int parse_allow(void *config, const char *word, struct error *e)
{
	return cidr_list_add(&((struct relay_config *)config)->access, word, true, e);
}

static int parse_deny(void *config, const char *word, struct error *e)
{
	return cidr_list_add(&((struct relay_config *)config)->access, word, false, e);
}

static int check_streams(const struct endpoint *ep, const char *word, struct error *e)
{
	if (ep->kind != ENDPOINT_UDP)
		return 0;
	error_set(e, "%s: relaying UDP is not there yet", word);
	return error_hint(e, "streams can be relayed: TCP, Unix and vsock sockets");
}

static int parse_endpoint(struct endpoint *ep, char *const *words, size_t i, struct error *e)
{
	e->column = 0;
	if (endpoint_parse(ep, words[i], e) < 0)
		return error_at(e, (int)i, e->column);
	if ((i > 0 && endpoint_check_target(ep, words[i], e) < 0) ||
	    check_streams(ep, words[i], e) < 0) {
		endpoint_release(ep);
		return error_at(e, (int)i, 0);
	}
	return 0;
}

static int relay_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct relay_config *c = config;

	c->targets = calloc(n, sizeof *c->targets);
	if (!c->targets)
		return error_errno(e, "out of memory");
	if (parse_endpoint(&c->listen, words, 0, e) < 0)
		return -1;
	for (size_t i = 1; i < n; i++, c->n_targets++)
		if (parse_endpoint(&c->targets[c->n_targets], words, i, e) < 0)
			return -1;
	return 0;
}

static void relay_release(void *config)
{
	struct relay_config *c = config;

	endpoint_release(&c->listen);
	for (size_t i = 0; i < c->n_targets; i++)
		endpoint_release(&c->targets[i]);
	free(c->targets);
	cidr_list_free(&c->access);
}

static void relay_describe(const void *config, struct buf *out)
{
	const struct relay_config *c = config;

	buf_add_text(out, "each connection to ");
	endpoint_add(out, &c->listen);
	buf_add_text(out, ", carry its bytes to and from");
	for (size_t i = 0; i < c->n_targets; i++) {
		buf_add_text(out, i ? " or " : " ");
		endpoint_add(out, &c->targets[i]);
	}
}

/* ---- targets --------------------------------------------------------------------------------- */

static size_t least_used(const struct relay_source *s, size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		if (s->connections[i] < s->connections[best])
			best = i;
	return best;
}

static size_t by_source(const struct address *remote)
{
	struct buf host = {0};
	size_t hash;

	address_add_host(&host, remote);
	/* Not hash_bytes: a client's target is to stay the same over a restart. */
	hash = 5381;
	for (size_t i = 0; i < host.length; i++)
		hash = hash * 33 + (unsigned char)host.data[i];
	buf_free(&host);
	return hash;
}

size_t relay_choose(struct relay_source *s, const struct address *remote)
{
	const struct relay_config *c = s->base.config;

	switch (c->balance) {
	case BALANCE_FIRST:
		return 0;
	case BALANCE_SOURCE:
		return by_source(remote) % c->n_targets;
	case BALANCE_LEAST_CONN:
		return least_used(s, c->n_targets);
	default:
		return s->next_target++ % c->n_targets;
	}
}

/* ---- connections ----------------------------------------------------------------------------- */

static void accept_more(struct relay_source *s)
{
	const struct relay_config *c = s->base.config;
	bool room = !c->max_conns || s->n_pairs < c->max_conns;

	acceptor_want(&s->acceptor, !s->stopped && room);
}

static void on_accepted(void *owner, int fd, const struct address *remote)
{
	struct relay_source *s = owner;
	const struct relay_config *c = s->base.config;
	struct peer *peer = NULL;
	bool refused = !cidr_list_permits(&c->access, remote);

	if (!refused && address_is_ip(remote)) {
		peer = peer_enter(&s->peers, remote, c->max_per_ip ? c->max_per_ip : UINT64_MAX);
		refused = !peer;
	}
	if (refused) {
		log_info(s->base.rule, "a connection is refused (--allow, --deny, --max-per-ip)");
		shutdown(fd, SHUT_RDWR);
		close(fd);
		return;
	}
	pair_open(s, fd, remote, peer);
	if (c->max_conns)
		accept_more(s);
}

static void check_ended(struct relay_source *s)
{
	if (!s->stopped || s->n_pairs || s->ended)
		return;
	s->ended = true;
	s->base.host->ended(&s->base);
}

void relay_pair_over(struct relay_source *s, const struct pair *p)
{
	s->connections[p->target]--;
	peer_leave(&s->peers, p->peer);
	s->n_pairs--;
	acceptor_retry(&s->acceptor);
	if (((const struct relay_config *)s->base.config)->max_conns)
		accept_more(s);
	check_ended(s);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void close_pairs(struct relay_source *s, const char *why)
{
	LIST_EACH(at, after, &s->pairs)
	pair_close(CONTAINER_OF(at, struct pair, link), why, false);
}

static void on_drained(struct reactor *r, struct timer *t)
{
	struct relay_source *s = CONTAINER_OF(t, struct relay_source, drain);

	(void)r;
	close_pairs(s, "stopped");
	check_ended(s);
}

static void relay_close(struct source *base)
{
	struct relay_source *s = (struct relay_source *)base;

	s->stopped = s->ended = true;
	acceptor_close(&s->acceptor);
	close_pairs(s, "stopped");
	timer_stop(base->reactor, &s->drain);
	listener_close(&s->listener);
	if (s->resolver)
		resolver_free(s->resolver);
	pipes_close(s);
	peer_table_free(&s->peers);
	free(s->connections);
	free(s->buffer);
}

static void tell_bound(struct relay_source *s)
{
	for (int i = 0; i < s->listener.count; i++) {
		struct buf word = {0};

		listener_add_bound(&word, &s->listener, i);
		if (word.data)
			s->base.host->bound(&s->base, word.data);
		buf_free(&word);
	}
}

static int relay_open(struct source *base, struct error *e)
{
	struct relay_source *s = (struct relay_source *)base;
	const struct relay_config *c = base->config;
	struct listen_config socket = {.mode = 0600};

	list_init(&s->pairs);
	peer_table_init(&s->peers);
	timer_init(&s->drain, CLOCK_OF_LOOP, on_drained);
	if (listener_open(&s->listener, &c->listen, &socket, e) < 0)
		return -1;
	acceptor_init(&s->acceptor, base->reactor, &s->listener, base->priority, on_accepted, s,
		      base->rule);
	s->resolver = resolver_new(base->reactor, c->dns_ttl);
	s->connections = calloc(c->n_targets, sizeof *s->connections);
	s->buffer = malloc(BUFFER);
	if (s->resolver && s->connections && s->buffer) {
		tell_bound(s);
		return 0;
	}
	error_errno(e, "cannot relay");
	relay_close(base);
	return -1;
}

static void relay_start(struct source *base)
{
	accept_more((struct relay_source *)base);
}

/* No new connections; those that there are get --drain to finish. */
static void relay_stop(struct source *base)
{
	struct relay_source *s = (struct relay_source *)base;
	const struct relay_config *c = base->config;

	s->stopped = true;
	acceptor_close(&s->acceptor);
	listener_close(&s->listener);
	if (!c->drain || timer_start_in(base->reactor, &s->drain, c->drain) < 0)
		close_pairs(s, "stopped");
	check_ended(s);
}

/* ---- the kind -------------------------------------------------------------------------------- */

static const struct event_name relay_events[] = {
    {"open", "a connection stands (only with --json or --format)"},
    {"close", "it is over"},
    {0},
};

static const char *const balances[] = {"round-robin", "least-conn", "source", "first", NULL};

#define FIELD(name) offsetof(struct relay_config, name)

static const struct option relay_options[] = {
    {.name = "balance",
     .type = OPTION_CHOICE,
     .offset = FIELD(balance),
     .value = "HOW",
     .choices = balances,
     .help = "round-robin, least-conn, source, first"},
    {.name = "connect-timeout",
     .type = OPTION_DURATION,
     .offset = FIELD(connect_timeout),
     .value = "DUR",
     .help = "for each target (5s)"},
    {.name = "retry",
     .type = OPTION_COUNT,
     .offset = FIELD(retry),
     .value = "N",
     .most = 1000,
     .help = "try all targets N times more"},
    {.name = "idle",
     .type = OPTION_DURATION,
     .offset = FIELD(idle),
     .value = "DUR",
     .help = "close what carried nothing for DUR"},
    {.name = "max-conns",
     .type = OPTION_COUNT,
     .offset = FIELD(max_conns),
     .value = "N",
     .least = 1,
     .help = "at once; more wait in the backlog"},
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
    {.name = "drain",
     .type = OPTION_DURATION,
     .offset = FIELD(drain),
     .value = "DUR",
     .help = "let connections finish when stopped (2s)"},
    {.name = "dns-ttl",
     .type = OPTION_DURATION,
     .offset = FIELD(dns_ttl),
     .value = "DUR",
     .help = "keep a name's addresses (5s)"},
    {.name = "rate",
     .type = OPTION_RATE,
     .value = "RATE",
     .help = "of each connection",
     .not_yet = true},
    {.name = "bind",
     .type = OPTION_TEXT,
     .value = "ADDR",
     .help = "connect from this address",
     .not_yet = true},
    {.name = "proxy",
     .type = OPTION_TEXT,
     .value = "WHAT",
     .help = "PROXY header: send-v1, send-v2, accept",
     .not_yet = true},
    {.name = "check",
     .type = OPTION_DURATION,
     .value = "DUR",
     .help = "look every DUR whether targets work",
     .not_yet = true},
    {.name = "workers",
     .type = OPTION_COUNT,
     .value = "N",
     .help = "processes that share the port",
     .not_yet = true},
    {.name = "dump",
     .type = OPTION_TEXT,
     .value = "FILE|-",
     .help = "write the bytes in hex",
     .not_yet = true},
    {0},
};

const struct source_type source_relay = {
    .name = "relay",
    .summary = "carry connections to targets",
    .arguments = "LISTEN TARGET...",
    .least_arguments = 2,
    .most_arguments = -1,
    .examples = {"evwatch relay 7001 127.0.0.1:7000",
		 "evwatch relay '*:5432' db1:5432 db2:5432 --balance first -v"},
    .events = relay_events,
    .options = relay_options,
    .takes_no_command = true,
    .drains = true,
    .config_size = sizeof(struct relay_config),
    .config_init = relay_init,
    .config_arguments = relay_arguments,
    .config_release = relay_release,
    .describe = relay_describe,
    .size = sizeof(struct relay_source),
    .open = relay_open,
    .start = relay_start,
    .stop = relay_stop,
    .close = relay_close,
};
