/*
 * The carrier of datagrams: the sockets that clients speak to, and the life of all sessions. See
 * state.h.
 *
 * Datagrams come in batches; those of one session that follow each other go on in one call. The
 * replies of all sessions that were ready in a turn are gathered, and leave in one call as well.
 */
#include "source/relay/carrier.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/units.h"
#include "net/own.h"
#include "source/relay/udp/session.h"
#include "source/relay/udp/state.h"
#include "source/relay/workers/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { ROUNDS = 4 }; /* batches a turn: others want their turn, too */

#define LOOK  (50 * NS_PER_MS)  /* while draining */
#define QUIET (200 * NS_PER_MS) /* after an answer: no more of it will come */

static const struct relay_config *config_of(const struct udp_relay *u)
{
	return relay_config(u->source);
}

static void on_flush(struct reactor *r, struct timer *d)
{
	(void)r;
	udp_flush(CONTAINER_OF(d, struct udp_relay, flush));
}

/* ---- clients --------------------------------------------------------------------------------- */

static struct address sender_of(const struct packets *in, int i)
{
	struct address a = {.length = in->headers[i].msg_hdr.msg_namelen};

	memcpy(&a.storage, &in->names[i], sizeof in->names[i]);
	address_unmap(&a);
	return a;
}

static void key_make(struct session_key *key, const struct udp_socket *socket,
		     const union peer_name *client, const struct own_address *own)
{
	*key = (struct session_key){.family = (uint8_t)client->any.sa_family,
				    .socket = socket->number};
	memcpy(key->local, own->ip, sizeof own->ip);
	if (client->any.sa_family == AF_INET) {
		memcpy(key->remote, &client->v4.sin_addr, sizeof client->v4.sin_addr);
		key->port = client->v4.sin_port;
	} else {
		memcpy(key->remote, &client->v6.sin6_addr, sizeof client->v6.sin6_addr);
		key->port = client->v6.sin6_port;
		key->scope = client->v6.sin6_scope_id;
	}
}

/* At most once a second: whoever sends the most must not fill the log. */
static void log_refused(struct udp_relay *u, const struct address *remote, const char *why)
{
	int64_t now = reactor_now(u->source->base.reactor, CLOCK_OF_LOOP);

	if (!log_wants(LOG_INFO) || (u->logged && now - u->logged < NS_PER_S))
		return;
	u->logged = now;
	log_info(u->source->base.rule, "%s is refused: %s (%llu datagrams so far)",
		 address_text(remote).text, why, (unsigned long long)u->source->totals->refused);
}

/* A session for one that has none yet, or NULL: its `n` datagrams from `i` on are dropped. */
static struct session *admit(struct udp_socket *socket, const struct session_key *key, int i, int n)
{
	struct udp_relay *u = socket->owner;
	struct address remote = sender_of(u->in, i);
	struct session *s = NULL;
	const char *why = NULL;

	if (u->source->stopped)
		return NULL;
	if (!cidr_list_permits(&config_of(u)->access.rules, &remote))
		why = "not allowed";
	else if (listener_is_at(&u->source->listener, &remote))
		why = "it claims to be from this very port"; /* its answer would be a question */
	else if (!address_is_ip(&remote))
		why = strerror(EAFNOSUPPORT);
	else if (u->source->place && place_lags(u->source->place))
		why = "the events of others are not taken yet";
	else
		s = session_open(socket, key, &remote, &why);
	if (!s) {
		u->source->totals->refused += (uint64_t)n;
		log_refused(u, &remote, why);
		return NULL;
	}
	s->client = u->in->names[i];
	s->client_length = u->in->headers[i].msg_hdr.msg_namelen;
	own_address_take(&s->own, &u->in->headers[i].msg_hdr);
	if (!timer_active(&u->sweep))
		timer_start_in(u->source->base.reactor, &u->sweep, u->idle);
	return s;
}

/* `n` datagrams of one client from `first` on. */
static void carry(struct udp_socket *socket, const struct session_key *key, int first, int n)
{
	struct session *s = table_find(&socket->owner->sessions, key);

	if (!s)
		s = admit(socket, key, first, n);
	if (s)
		session_send(s, first, n);
}

static void carry_batch(struct udp_socket *socket, int n)
{
	struct packets *in = socket->owner->in;
	struct session_key keys[PACKETS_MOST];
	int next;

	for (int i = 0; i < n; i++) {
		struct own_address own;

		own_address_take(&own, &in->headers[i].msg_hdr);
		key_make(&keys[i], socket, &in->names[i], &own);
	}
	for (int i = 0; i < n; i = next) {
		next = i + 1;
		while (next < n && memcmp(&keys[next], &keys[i], sizeof *keys) == 0)
			next++;
		carry(socket, &keys[i], i, next - i);
	}
}

static void on_client(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct udp_socket *socket = CONTAINER_OF(w, struct udp_socket, io);
	int n = PACKETS_MOST;

	(void)r;
	(void)ready;
	for (int i = 0; i < ROUNDS && n == PACKETS_MOST && w->started; i++) {
		n = packets_receive(socket->owner->in, w->fd, 0, PACKETS_MOST, true);
		if (n > 0)
			carry_batch(socket, n);
	}
}

/* ---- silence --------------------------------------------------------------------------------- */

static struct session *oldest(const struct link *by_use)
{
	if (list_empty(by_use))
		return NULL;
	return CONTAINER_OF(by_use->next, struct session, link);
}

/* Did something come for it that was not looked at yet? This process may have been stopped. */
static bool is_due(const struct session *s)
{
	return fd_is_ready(s->socket->io.fd, IO_READ) || fd_is_ready(s->io.fd, IO_READ);
}

/* Returns when to look again, at most `next`. */
static int64_t end_idle_of(struct udp_relay *u, struct link *by_use, int64_t now, int64_t next)
{
	struct session *s;

	while ((s = oldest(by_use)) && s->last + u->idle <= now) {
		if (is_due(s))
			return now;
		session_close(s, "idle");
	}
	return s && s->last + u->idle < next ? s->last + u->idle : next;
}

static void end_idle(struct udp_relay *u, int64_t now)
{
	int64_t next = INT64_MAX;

	for (int trust = TRUST_NONE; trust < TRUSTS; trust++)
		next = end_idle_of(u, &u->by_use[trust], now, next);
	if (u->sessions.count)
		timer_start_at(u->source->base.reactor, &u->sweep, next);
}

static void end_all(struct udp_relay *u)
{
	struct session *s;

	for (int trust = TRUST_NONE; trust < TRUSTS; trust++)
		while ((s = oldest(&u->by_use[trust])))
			session_close(s, "stopped");
}

/* Those whose question was answered are over; the others have a little time left. */
static void end_answered(struct udp_relay *u, int64_t now)
{
	for (int trust = TRUST_NONE; trust < TRUSTS; trust++)
		LIST_EACH(at, after, &u->by_use[trust])
		{
			struct session *s = CONTAINER_OF(at, struct session, link);

			if (!s->unanswered && s->last + QUIET <= now)
				session_close(s, "stopped");
		}
	if (!u->sessions.count)
		return;
	if (now >= u->drain_end || timer_start_in(u->source->base.reactor, &u->sweep, LOOK) < 0)
		end_all(u);
}

static void on_sweep(struct reactor *r, struct timer *t)
{
	struct udp_relay *u = CONTAINER_OF(t, struct udp_relay, sweep);
	int64_t now = reactor_now(r, CLOCK_OF_LOOP);

	if (u->source->stopped)
		end_answered(u, now);
	else
		end_idle(u, now);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Without --max-conns half of the descriptors there may be: others want some, too. */
static size_t sessions_most(const struct relay_config *c)
{
	struct rlimit files;

	/* Each worker has a table of its own. */
	if (c->access.max_conns)
		return c->workers > 1 ? (c->access.max_conns - 1) / c->workers + 1
				      : c->access.max_conns;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY)
		return 1 << 15;
	return files.rlim_cur > 2 ? files.rlim_cur / 2 : 1;
}

static void add_sockets(struct udp_relay *u)
{
	const struct listener *l = &u->source->listener;

	for (int i = 0; i < l->count; i++) {
		struct udp_socket *socket = &u->sockets[i];

		socket->owner = u;
		socket->number = (uint8_t)i;
		io_init(&socket->io, l->fds[i], IO_READ, on_client);
		socket->io.priority = u->source->base.priority;
	}
	u->n_sockets = l->count;
}

static void udp_close(struct relay_source *source)
{
	struct udp_relay *u = source->carried;
	struct reactor *r = source->base.reactor;

	if (!u)
		return;
	end_all(u);
	for (int i = 0; i < u->n_sockets; i++)
		io_stop(r, &u->sockets[i].io);
	timer_stop(r, &u->sweep);
	timer_stop(r, &u->flush);
	table_free(&u->sessions);
	packets_free(u->in);
	packets_free(u->out);
	free(u);
	source->carried = NULL;
}

static int udp_open(struct relay_source *source, struct error *e)
{
	const struct relay_config *c = relay_config(source);
	struct udp_relay *u = calloc(1, sizeof *u);

	if (!u)
		return error_errno(e, "cannot relay");
	source->carried = u;
	source->search.make_room = session_make_room;
	u->source = source;
	u->most = sessions_most(c);
	u->idle = c->idle ? c->idle : UDP_IDLE;
	table_init(&u->sessions, &session_table);
	for (int trust = TRUST_NONE; trust < TRUSTS; trust++)
		list_init(&u->by_use[trust]);
	store_init(&u->store);
	timer_init(&u->sweep, CLOCK_OF_LOOP, on_sweep);
	timer_init(&u->flush, CLOCK_OF_LOOP, on_flush);
	u->flush.priority = source->base.priority;
	add_sockets(u);
	u->in = packets_new();
	u->out = packets_new();
	return u->in && u->out ? 0 : error_errno(e, "cannot relay");
}

static void udp_start(struct relay_source *source)
{
	struct udp_relay *u = source->carried;

	for (int i = 0; i < u->n_sockets; i++)
		if (io_start(source->base.reactor, &u->sockets[i].io) < 0)
			log_error(source->base.rule, "cannot receive: %s", strerror(errno));
}

/* Its sockets stay open: answers leave by them. */
static void udp_stop(struct relay_source *source)
{
	struct udp_relay *u = source->carried;
	int64_t now = reactor_now(source->base.reactor, CLOCK_OF_LOOP);

	source->stopped = true;
	u->drain_end = now + config_of(u)->drain;
	end_answered(u, now);
}

static bool udp_is_busy(const struct relay_source *source)
{
	return ((const struct udp_relay *)source->carried)->sessions.count > 0;
}

const struct carrier carrier_udp = {
    .open = udp_open,
    .start = udp_start,
    .stop = udp_stop,
    .busy = udp_is_busy,
    .close = udp_close,
};
