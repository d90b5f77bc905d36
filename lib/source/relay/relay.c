/* relay: bytes both ways between each connection and one of the targets. See relay.h. */
#include "source/relay/relay.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/log.h"
#include "net/listener.h"
#include "source/kinds.h"
#include "source/relay/report.h"
#include "source/relay/udp.h"
#include "source/relay/workers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- connections ----------------------------------------------------------------------------- */

/*
 * Clients that wait for a name have a descriptor each, and the name and their targets need some,
 * too: if all were held by such, nobody would be served.
 */
static bool too_many_resolve(const struct relay_source *s)
{
	struct rlimit files;

	if (!s->n_resolving || getrlimit(RLIMIT_NOFILE, &files) < 0)
		return false;
	return s->n_resolving >= files.rlim_cur / 16;
}

static bool has_room(const struct relay_source *s)
{
	uint64_t most = ((const struct relay_config *)s->base.config)->access.max_conns;

	if (!list_empty(&s->starved) || too_many_resolve(s))
		return false;
	if (s->place)
		return s->place->parked < 0 && !worker_lags(s->place);
	return !most || s->n_pairs < most;
}

void relay_review(struct relay_source *s)
{
	acceptor_want(&s->acceptor, !s->stopped && has_room(s));
}

static void carry(struct relay_source *s, int fd, const struct address *remote, struct peer *peer)
{
	if (pair_open(s, fd, remote, peer) < 0 && s->place)
		worker_leave(s->place);
	relay_review(s);
}

/*
 * A worker cannot stop accepting when another one takes the last place: what it accepted then waits
 * here, as it would in the backlog.
 */
static void park(struct relay_source *s, int fd, const struct address *remote, struct peer *peer)
{
	s->place->parked = fd;
	s->place->parked_remote = *remote;
	s->place->parked_peer = peer;
	relay_review(s);
}

void relay_room(struct relay_source *s)
{
	int fd = s->place->parked;

	if (fd < 0 || s->stopped || !worker_enter(s->place))
		return;
	s->place->parked = -1;
	carry(s, fd, &s->place->parked_remote, s->place->parked_peer);
}

struct peer *relay_admit(struct relay_source *s, const struct address *remote, const char **why)
{
	uint64_t most = ((const struct relay_config *)s->base.config)->access.max_per_ip;
	struct peer *peer;

	if (!most || !address_is_ip(remote))
		return NULL;
	peer = peer_enter(&s->peers, remote, most);
	if (!peer)
		*why = errno == EUSERS ? "too many connections from there (--max-per-ip)"
				       : strerror(errno);
	return peer;
}

static void on_accepted(void *owner, int fd, const struct address *remote)
{
	struct relay_source *s = owner;
	const struct relay_config *c = s->base.config;
	struct peer *peer = NULL;
	const char *why = NULL;

	s->n_accepted++;
	if (!cidr_list_permits(&c->access.rules, remote))
		why = "not allowed";
	else if (!c->proxy_accept)
		peer = relay_admit(s, remote, &why);
	if (why) {
		report_refused(s, remote, why, NULL);
		shutdown(fd, SHUT_RDWR);
		close(fd);
		return;
	}
	if (s->place && !worker_enter(s->place))
		park(s, fd, remote, peer);
	else
		carry(s, fd, remote, peer);
}

void relay_check_ended(struct relay_source *s)
{
	bool busy = s->n_pairs || (s->udp && s->udp->sessions.count) ||
		    (s->workers && s->workers->n_running);

	if (!s->stopped || busy || s->ended)
		return;
	s->ended = true;
	report_totals(s);
	s->base.host->ended(&s->base);
}

void relay_pair_over(struct relay_source *s, const struct pair *p)
{
	if (p->state != PAIR_NEW)
		targets_leave(&s->targets, p->target);
	peer_leave(&s->peers, p->peer);
	s->n_pairs--;
	if (list_empty(&s->starved))
		acceptor_retry(&s->acceptor);
	else
		timer_start_in(s->base.reactor, &s->feed, 0);
	if (s->place)
		worker_leave(s->place);
	else if (((const struct relay_config *)s->base.config)->access.max_conns)
		relay_review(s);
	relay_check_ended(s);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void close_pairs(struct relay_source *s, const char *why)
{
	LIST_EACH(at, after, &s->pairs)
	pair_close(CONTAINER_OF(at, struct pair, link), why, false);
	LIST_EACH(at, after, &s->starved)
	pair_close(CONTAINER_OF(at, struct pair, link), why, true);
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
	if (s->workers)
		workers_close(s->workers);
	s->workers = NULL;
	timer_stop(base->reactor, &s->drain);
	timer_stop(base->reactor, &s->feed);
	listener_close(&s->listener);
	targets_close(&s->targets);
	if (s->resolver)
		resolver_free(s->resolver);
	pipes_close(s);
	dump_close(&s->dump);
	peer_table_free(&s->peers);
	free(s->buffer);
}

static void tell_bound(struct relay_source *s, const struct listener *l)
{
	for (int i = 0; i < l->count; i++) {
		struct buf word = {0};

		listener_add_bound(&word, l, i);
		if (word.data)
			s->base.host->bound(&s->base, word.data);
		buf_free(&word);
	}
}

/* Datagrams have sessions instead of connections. */
static int check_sockets(const struct relay_config *c, const struct listener *l, struct error *e)
{
	for (int i = 0; i < l->count; i++)
		if (l->datagram[i] != c->datagrams)
			return error_set(
			    e, c->datagrams ? "a stream socket cannot be relayed to udp: targets"
					    : "a datagram socket is relayed to udp: targets only");
	return 0;
}

static int open_targets(struct relay_source *s)
{
	const struct relay_config *c = s->base.config;
	atomic_bool *down = s->place ? s->place->workers->counts->down : NULL;

	if (targets_open(&s->targets, c, down) < 0)
		return -1;
	/* The first worker looks for all of them. */
	if (s->place && s->place->number > 0)
		return 0;
	return targets_watch(&s->targets, &s->base, s->resolver, &s->listener);
}

int relay_carrier_open(struct relay_source *s, struct error *e)
{
	const struct relay_config *c = s->base.config;

	list_init(&s->pairs);
	list_init(&s->starved);
	peer_table_init(&s->peers);
	timer_init(&s->drain, CLOCK_OF_LOOP, on_drained);
	timer_init(&s->feed, CLOCK_OF_LOOP, starved_feed);
	acceptor_init(&s->acceptor, s->base.reactor, &s->listener, s->base.priority, on_accepted, s,
		      s->base.rule);
	s->resolver = resolver_new(s->base.reactor, c->dns_ttl, s->base.rule);
	if (!s->resolver || open_targets(s) < 0)
		return error_errno(e, "cannot relay");
	if (c->dump && dump_open(&s->dump, &s->base, c->dump, e) < 0)
		return -1;
	if (c->datagrams) {
		s->udp = udp_open(s, e);
		return s->udp ? 0 : -1;
	}
	for (int i = 0; i < s->listener.count; i++)
		set_without_delay(s->listener.fds[i]);
	s->acceptor.nonblocking = true;
	s->buffer = malloc(BUFFER);
	return s->buffer ? 0 : error_errno(e, "cannot relay");
}

/* This process carries. */
static int open_alone(struct relay_source *s, struct error *e)
{
	const struct relay_config *c = s->base.config;
	struct listen_config socket = {.mode = 0600};

	if (listener_open_from(&s->listener, source_kept(&s->base, &c->listen), &c->listen, &socket,
			       e) < 0 ||
	    check_sockets(c, &s->listener, e) < 0 || relay_carrier_open(s, e) < 0)
		return -1;
	tell_bound(s, &s->listener);
	return 0;
}

static int open_workers(struct relay_source *s, struct error *e)
{
	const struct relay_config *c = s->base.config;
	const struct listener *l;

	s->workers = workers_open(s, c->workers, e);
	if (!s->workers)
		return -1;
	l = worker_listener(&s->workers->all[0]);
	/* Each opens the file of --dump itself; here it shows whether that can be done. */
	if (check_sockets(c, l, e) < 0 ||
	    (c->dump && dump_open(&s->dump, &s->base, c->dump, e) < 0))
		return -1;
	tell_bound(s, l);
	return 0;
}

/* --bind: told now, and not with each connection. */
static int check_source(const struct relay_config *c, struct error *e)
{
	const struct address *from = relay_source_address(c);
	struct buf name = {0};
	int fd;

	if (!from)
		return 0;
	fd = socket(from->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, &from->any, from->length) == 0) {
		close(fd);
		return 0;
	}
	address_add_host(&name, from);
	error_errno(e, "cannot connect from %s", name.data ? name.data : "that address");
	error_hint(e, "--bind takes an address of this machine: ip address");
	buf_free(&name);
	fd_close(&fd);
	return -1;
}

static int relay_open(struct source *base, struct error *e)
{
	struct relay_source *s = (struct relay_source *)base;
	const struct relay_config *c = base->config;

	list_init(&s->pairs);
	list_init(&s->starved);
	peer_table_init(&s->peers);
	if (check_source(c, e) < 0)
		return -1;
	if ((c->workers > 1 ? open_workers(s, e) : open_alone(s, e)) == 0)
		return 0;
	relay_close(base);
	return -1;
}

static void relay_start(struct source *base)
{
	struct relay_source *s = (struct relay_source *)base;

	if (s->workers)
		workers_start(s->workers);
	else if (s->udp)
		udp_start(s->udp);
	else
		relay_review(s);
}

/* No new connections; those that there are, accepted or not, get --drain to finish. */
static void relay_stop(struct source *base)
{
	struct relay_source *s = (struct relay_source *)base;
	const struct relay_config *c = base->config;

	if (c->drain)
		acceptor_finish(&s->acceptor);
	s->stopped = true;
	targets_unwatch(&s->targets);
	if (s->workers || s->udp) {
		if (s->workers)
			workers_stop(s->workers);
		else
			udp_stop(s->udp); /* its sockets stay open: answers leave by them */
		relay_check_ended(s);
		return;
	}
	acceptor_close(&s->acceptor);
	listener_close(&s->listener);
	if (s->place)
		fd_close(&s->place->parked);
	if (!c->drain || timer_start_in(base->reactor, &s->drain, c->drain) < 0)
		close_pairs(s, "stopped");
	relay_check_ended(s);
}

static struct listener *relay_listener(struct source *base, const struct endpoint *ep)
{
	struct relay_source *s = (struct relay_source *)base;
	const struct relay_config *c = base->config;

	return s->listener.count && endpoint_same(&c->listen, ep) ? &s->listener : NULL;
}

static void add_target_status(const struct relay_source *s, size_t i, struct buf *out)
{
	const struct relay_config *c = s->base.config;
	const struct target *t = &s->targets.all[i];
	struct buf name = {0};

	endpoint_add(&name, &c->targets[i]);
	buf_add_text(out, i ? ",{\"target\":" : "{\"target\":");
	json_add_string(out, name.data ? name.data : "", name.length);
	buf_printf(out, ",\"connections\":%zu,\"chosen\":%llu", t->connections,
		   (unsigned long long)t->chosen);
	buf_printf(out, ",\"failed\":%llu,\"bytes_to\":%llu,\"bytes_from\":%llu",
		   (unsigned long long)t->failed, (unsigned long long)t->to,
		   (unsigned long long)t->from);
	if (c->check)
		buf_printf(out, ",\"up\":%s", atomic_load(t->down) ? "false" : "true");
	buf_add_char(out, '}');
	buf_free(&name);
}

/* Workers are processes of their own: what they carry is in their logs. */
static void relay_status(const struct source *base, struct buf *out)
{
	const struct relay_source *s = (const struct relay_source *)base;
	const struct relay_config *c = base->config;
	size_t connections = 0;

	if (s->workers)
		return;
	for (size_t i = 0; i < c->n_targets; i++)
		connections += s->targets.all[i].connections;
	buf_printf(out, ",\"relay\":{\"connections\":%zu,\"accepted\":%llu,\"refused\":%llu",
		   connections, (unsigned long long)s->n_accepted,
		   (unsigned long long)s->n_refused);
	buf_add_text(out, ",\"targets\":[");
	for (size_t i = 0; i < c->n_targets; i++)
		add_target_status(s, i, out);
	buf_add_text(out, "]}");
}

/* ---- the kind -------------------------------------------------------------------------------- */

static const struct event_name relay_events[] = {
    {"open", "a connection stands (only with --json or --format)"},
    {"close", "it is over"},
    {0},
};

static const struct refusal relay_refuses[] = {
    {"to", "relay carries its connections itself", NULL},
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
    .status = relay_status,
};
