/* relay: bytes both ways between each connection and one of the targets. See state.h. */
#include "source/relay/state.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "net/trial.h"
#include "source/kinds.h"
#include "source/relay/report.h"
#include "source/relay/totals.h"
#include "source/relay/workers/place.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- what the carriers find open ------------------------------------------------------------- */

/* Datagrams have sessions instead of connections. */
static int check_sockets(const struct relay_source *s, struct error *e)
{
	bool datagrams = relay_config(s)->datagrams;

	for (int i = 0; i < s->listener.count; i++)
		if (s->listener.datagram[i] != datagrams)
			return error_set(
			    e, datagrams ? "a stream socket cannot be relayed to udp: targets"
					 : "a datagram socket is relayed to udp: targets only");
	return 0;
}

/* Workers share their port among themselves, but with nobody of before a reload. */
static int open_listener(struct relay_source *s, struct error *e)
{
	const struct endpoint *ep = &relay_config(s)->listen;
	const struct listen_config socket = {.mode = 0600};
	struct listener *kept = s->carrier == &carrier_workers ? NULL : source_kept(&s->base, ep);

	if (listener_open_from(&s->listener, kept, ep, &socket, e) < 0 || check_sockets(s, e) < 0)
		return -1;
	access_report_bound(&s->base, &s->listener);
	return 0;
}

/* A check begins as a connection does: a target that waits for a PROXY header gets one. */
static int check_targets(struct relay_source *s)
{
	const struct relay_config *c = relay_config(s);
	const struct health_config check = {
	    .interval = c->check,
	    .rise = c->rise,
	    .fall = c->fall,
	    .timeout = c->connect_timeout,
	    .from = relay_source_address(c),
	    .own = &s->listener,
	    .greeting = s->greeting,
	    .greeting_length =
		c->proxy_send ? proxy_header_write(c->proxy_send, NULL, NULL, s->greeting) : 0,
	};

	return pool_watch(&s->targets, &check, s->resolver, s->base.priority);
}

static int open_targets(struct relay_source *s)
{
	const struct relay_config *c = relay_config(s);
	struct totals *first = s->place ? worker_totals(s->place->board, c, 0) : s->totals;

	s->targets = (struct pool){
	    .reactor = s->base.reactor,
	    .rule = s->base.rule,
	    .endpoints = c->targets,
	    .n = c->n_targets,
	    .balance = (enum pool_balance)c->balance,
	    .counts = s->totals->targets,
	    .checks = first->targets,
	};
	if (pool_open(&s->targets) < 0)
		return -1;
	/* The first worker checks for all of them. */
	return c->check && s->totals == first ? check_targets(s) : 0;
}

static void review(void *source)
{
	relay_review(source);
}

static void init_search(struct relay_source *s)
{
	const struct relay_config *c = relay_config(s);

	s->search = (struct search){
	    .pool = &s->targets,
	    .resolver = s->resolver,
	    .connect = {c->connect_timeout, relay_source_address(c), &s->listener},
	    .retry = c->retry,
	    .calls = &s->carrier->seeking,
	    .changed = review,
	    .owner = s,
	};
	search_init(&s->search);
}

static int open_resolver(struct relay_source *s)
{
	s->resolver = resolver_new(s->base.reactor, relay_config(s)->dns_ttl, s->base.rule);
	if (!s->resolver || open_targets(s) < 0)
		return -1;
	resolver_on_answer(s->resolver, review, s);
	init_search(s);
	return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* --bind: an error now, and not with each connection. */
static int check_source(const struct relay_config *c, struct error *e)
{
	const struct address *from = relay_source_address(c);
	int fd;

	if (!from)
		return 0;
	fd = socket(from->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, &from->any, from->length) == 0) {
		close(fd);
		return 0;
	}
	error_errno(e, "cannot connect from %s", address_host(from).text);
	error_hint(e, "--bind takes an address of this machine: ip address");
	fd_close(&fd);
	return -1;
}

static void relay_close(struct source *base)
{
	struct relay_source *s = (struct relay_source *)base;

	s->stopped = s->ended = true;
	if (s->carried)
		s->carrier->close(s);
	free(s->carried);
	s->carried = NULL;
	search_close(&s->search);
	timer_stop(base->reactor, &s->drain);
	listener_close(&s->listener);
	pool_close(&s->targets);
	if (s->resolver)
		resolver_free(s->resolver);
	dump_close(&s->dump);
	peer_table_free(&s->peers);
	if (!s->place)
		free(s->totals);
}

/*
 * A worker has its sockets from the loop's process, which resolves nothing itself then, and opens
 * --dump only to show whether that can be done.
 */
static int open_all(struct relay_source *s, struct error *e)
{
	const char *dump = relay_config(s)->dump;

	if (!s->place && open_listener(s, e) < 0)
		return -1;
	if (s->carrier != &carrier_workers && open_resolver(s) < 0)
		return error_errno(e, "cannot relay");
	if (dump && dump_open(&s->dump, &s->base, dump, e) < 0)
		return -1;
	s->carried = calloc(1, s->carrier->size);
	return s->carried ? s->carrier->open(s, e) : error_errno(e, "cannot relay");
}

static void on_drained(struct reactor *r, struct timer *t)
{
	struct relay_source *s = CONTAINER_OF(t, struct relay_source, drain);

	(void)r;
	s->carrier->cut(s);
}

static int relay_open(struct source *base, struct error *e)
{
	struct relay_source *s = (struct relay_source *)base;
	const struct relay_config *c = base->config;

	timer_init(&s->drain, CLOCK_OF_LOOP, on_drained);
	peer_table_init(&s->peers);
	/* In a worker this process carries, whatever the rule says. */
	if (c->workers > 1 && !s->place)
		s->carrier = &carrier_workers;
	else
		s->carrier = c->datagrams ? &carrier_udp : &carrier_stream;
	s->totals = s->place ? worker_totals(s->place->board, c, s->place->number)
			     : calloc(1, totals_size(c));
	if (!s->totals)
		error_errno(e, "cannot relay");
	else if (check_source(c, e) == 0 && open_all(s, e) == 0)
		return 0;
	relay_close(base);
	return -1;
}

static void relay_start(struct source *base)
{
	struct relay_source *s = (struct relay_source *)base;

	s->carrier->start(s);
}

/* No new connections; those that there are, accepted or not, get --drain to finish. */
static void relay_stop(struct source *base)
{
	struct relay_source *s = (struct relay_source *)base;
	int64_t drain = relay_config(s)->drain;

	pool_unwatch(&s->targets);
	s->carrier->stop(s);
	s->stopped = true;
	if (!drain || timer_start_in(base->reactor, &s->drain, drain) < 0)
		s->carrier->cut(s);
	report_ended(s);
}

/* ---- for others ------------------------------------------------------------------------------ */

static struct listener *relay_listener(struct source *base, const struct endpoint *ep)
{
	struct relay_source *s = (struct relay_source *)base;
	const struct relay_config *c = base->config;

	if (s->carrier == &carrier_workers || !s->listener.count)
		return NULL;
	return endpoint_same(&c->listen, ep) ? &s->listener : NULL;
}

static void relay_status(const struct source *base, struct buf *out)
{
	const struct relay_source *s = (const struct relay_source *)base;

	if (s->carrier->add_up)
		s->carrier->add_up(s);
	totals_add_json(s->totals, relay_config(s), out);
}

static int relay_check_machine(const void *config, struct trial *t, struct error *e)
{
	const struct relay_config *c = config;
	const struct listen_config socket = {.mode = 0600, .reuseport = c->workers > 1};

	return trial_add(t, &c->listen, &socket, e);
}

/* ---- the kind -------------------------------------------------------------------------------- */

static const struct event_name relay_events[] = {
    {"open", "a connection stands (only with --json or --format)"},
    {"close", "it is over"},
    {0},
};

static const struct refusal relay_refuses[] = {
    {"to", "relay carries its connections itself", "listen runs a command for each of them"},
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
    .refuses = relay_refuses,
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
    .listener = relay_listener,
    .check_machine = relay_check_machine,
    .status = relay_status,
};
