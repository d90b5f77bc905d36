/* relay: bytes both ways between each connection and one of the targets. See relay.h. */
#include "source/relay/relay.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "source/kinds.h"
#include "source/relay/report.h"
#include "source/relay/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
	const char *why = NULL;

	s->n_accepted++;
	if (!cidr_list_permits(&c->access, remote)) {
		why = "not allowed";
	} else if (address_is_ip(remote)) {
		peer = peer_enter(&s->peers, remote, c->max_per_ip ? c->max_per_ip : UINT64_MAX);
		if (!peer)
			why = errno == EUSERS ? "too many connections from there (--max-per-ip)"
					      : strerror(errno);
	}
	if (why) {
		report_refused(s, remote, why);
		shutdown(fd, SHUT_RDWR);
		close(fd);
		return;
	}
	pair_open(s, fd, remote, peer);
	if (c->max_conns)
		accept_more(s);
}

void relay_check_ended(struct relay_source *s)
{
	bool busy = s->n_pairs || (s->udp && s->udp->sessions.count);

	if (!s->stopped || busy || s->ended)
		return;
	s->ended = true;
	report_totals(s);
	s->base.host->ended(&s->base);
}

void relay_pair_over(struct relay_source *s, const struct pair *p)
{
	targets_leave(&s->targets, p->target);
	peer_leave(&s->peers, p->peer);
	s->n_pairs--;
	acceptor_retry(&s->acceptor);
	if (((const struct relay_config *)s->base.config)->max_conns)
		accept_more(s);
	relay_check_ended(s);
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
	relay_check_ended(s);
}

static void relay_close(struct source *base)
{
	struct relay_source *s = (struct relay_source *)base;

	s->stopped = s->ended = true;
	acceptor_close(&s->acceptor);
	close_pairs(s, "stopped");
	if (s->udp)
		udp_close(s->udp);
	s->udp = NULL;
	timer_stop(base->reactor, &s->drain);
	listener_close(&s->listener);
	if (s->resolver)
		resolver_free(s->resolver);
	pipes_close(s);
	dump_close(&s->dump);
	peer_table_free(&s->peers);
	targets_close(&s->targets);
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

/* Datagrams have sessions instead of connections. */
static int check_sockets(const struct relay_source *s, struct error *e)
{
	const struct relay_config *c = s->base.config;

	for (int i = 0; i < s->listener.count; i++)
		if (s->listener.datagram[i] != c->datagrams)
			return error_set(
			    e, c->datagrams ? "a stream socket cannot be relayed to udp: targets"
					    : "a datagram socket is relayed to udp: targets only");
	return 0;
}

/* All that carries, besides the bound sockets. */
static int carrier_open(struct relay_source *s, struct error *e)
{
	const struct relay_config *c = s->base.config;

	if (check_sockets(s, e) < 0)
		return -1;
	acceptor_init(&s->acceptor, s->base.reactor, &s->listener, s->base.priority, on_accepted, s,
		      s->base.rule);
	s->resolver = resolver_new(s->base.reactor, c->dns_ttl);
	if (targets_open(&s->targets, c) < 0 || !s->resolver)
		return error_errno(e, "cannot relay");
	if (c->datagrams) {
		s->udp = udp_open(s, e);
		return s->udp ? 0 : -1;
	}
	s->buffer = malloc(BUFFER);
	if (!s->buffer)
		return error_errno(e, "cannot relay");
	return c->dump ? dump_open(&s->dump, &s->base, c->dump, e) : 0;
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
	if (carrier_open(s, e) == 0) {
		tell_bound(s);
		return 0;
	}
	relay_close(base);
	return -1;
}

static void relay_start(struct source *base)
{
	struct relay_source *s = (struct relay_source *)base;

	if (s->udp)
		udp_start(s->udp);
	else
		accept_more(s);
}

/* No new connections; those that there are get --drain to finish. */
static void relay_stop(struct source *base)
{
	struct relay_source *s = (struct relay_source *)base;
	const struct relay_config *c = base->config;

	s->stopped = true;
	if (s->udp) {
		/* Its sockets stay open: answers leave by them. */
		udp_stop(s->udp);
		relay_check_ended(s);
		return;
	}
	acceptor_close(&s->acceptor);
	listener_close(&s->listener);
	if (!c->drain || timer_start_in(base->reactor, &s->drain, c->drain) < 0)
		close_pairs(s, "stopped");
	relay_check_ended(s);
}

/* ---- the kind -------------------------------------------------------------------------------- */

static const struct event_name relay_events[] = {
    {"open", "a connection stands (only with --json or --format)"},
    {"close", "it is over"},
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
    .config_init = relay_config_init,
    .config_arguments = relay_config_arguments,
    .config_release = relay_config_release,
    .describe = relay_config_describe,
    .size = sizeof(struct relay_source),
    .open = relay_open,
    .start = relay_start,
    .stop = relay_stop,
    .close = relay_close,
};
