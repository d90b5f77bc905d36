/*
 * The carrier of datagrams: the sockets that clients speak to, and the life of all sessions. See
 * udp.h.
 *
 * Datagrams come in batches; those of one session that follow each other go on in one call. The
 * replies of all sessions that were ready in a turn are gathered, and leave in one call as well.
 */
#include "source/relay/udp/udp.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/units.h"
#include "net/own.h"
#include "source/relay/workers/place.h"

#include <errno.h>
#include <sys/resource.h>

enum {
	ROUNDS = 4,                   /* batches a turn: others want their turn, too */
	STORE_MOST = 4 * 1024 * 1024, /* bytes that wait, of all sessions */
	QUEUE_MOST = 16               /* datagrams of one */
};

#define LOOK  (50 * NS_PER_MS)  /* while draining */
#define QUIET (200 * NS_PER_MS) /* after an answer: no more of it will come */
/* Without --idle: a NAT must not forget a mapping sooner (RFC 4787, REQ-5). */
#define IDLE (120 * NS_PER_S)

static void on_flush(struct reactor *r, struct timer *d)
{
	(void)r;
	udp_flush(CONTAINER_OF(d, struct udp_relay, flush));
}

/* ---- clients --------------------------------------------------------------------------------- */

static void key_make(struct session_key *key, const struct udp_socket *socket, struct packets *in,
		     int i)
{
	struct msghdr *m = &in->headers[i].msg_hdr;

	memset(key, 0, sizeof *key);
	memcpy(key->client, &in->names[i],
	       m->msg_namelen < sizeof key->client ? m->msg_namelen : sizeof key->client);
	own_address_take(&key->own, m);
	key->socket = socket->number;
}

/* The client, as the log and the rules see it. */
static struct address client_of(const struct session_key *key)
{
	struct address a = {.length = sizeof key->client};

	memcpy(&a.storage, key->client, sizeof key->client);
	if (a.any.sa_family == AF_INET)
		a.length = sizeof a.v4;
	address_unmap(&a);
	return a;
}

/* At most once a second: whoever sends the most must not fill the log. */
static void log_refused(struct udp_relay *u, const struct address *remote, const char *why)
{
	const struct relay_source *source = u->source;
	int64_t now = reactor_now(source->base.reactor, CLOCK_OF_LOOP);

	if (!log_wants(LOG_INFO) || (u->logged && now - u->logged < NS_PER_S))
		return;
	u->logged = now;
	log_info(source->base.rule, "%s is refused: %s (%llu datagrams so far)",
		 address_text(remote).text, why, (unsigned long long)source->totals->refused);
}

/* A session for one that has none yet, or NULL: its `n` datagrams are dropped. */
static struct session *admit(struct udp_socket *socket, const struct session_key *key, int n)
{
	struct udp_relay *u = socket->owner;
	struct relay_source *source = u->source;
	struct address remote = client_of(key);
	struct session *s = NULL;
	const char *why = NULL;

	if (source->stopped)
		return NULL;
	if (!cidr_list_permits(&relay_config(source)->access.rules, &remote))
		why = "not allowed";
	else if (listener_is_at(&source->listener, &remote))
		why = "it claims to be from this very port"; /* its answer would be a question */
	else if (!address_is_ip(&remote))
		why = strerror(EAFNOSUPPORT);
	else if (source->place && place_lags(source->place))
		why = "the events of others are not taken yet";
	else
		s = session_open(socket, key, &remote, &why);
	if (!s) {
		source->totals->refused += (uint64_t)n;
		log_refused(u, &remote, why);
	} else if (!timer_active(&u->sweep)) {
		timer_start_in(source->base.reactor, &u->sweep, 0);
	}
	return s;
}

/* Datagrams of one client that follow each other are carried together. */
static void carry_batch(struct udp_socket *socket, int n)
{
	struct udp_relay *u = socket->owner;
	struct session_key keys[PACKETS_MOST];
	int next;

	for (int i = 0; i < n; i++)
		key_make(&keys[i], socket, u->in, i);
	for (int i = 0; i < n; i = next) {
		struct session *s = table_find(&u->sessions, &keys[i]);

		next = i + 1;
		while (next < n && memcmp(&keys[next], &keys[i], sizeof *keys) == 0)
			next++;
		if (!s)
			s = admit(socket, &keys[i], next - i);
		if (s)
			session_send(s, i, next - i);
	}
}

static void on_client(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct udp_socket *socket = CONTAINER_OF(w, struct udp_socket, io);
	struct udp_relay *u = socket->owner;
	int n = PACKETS_MOST;

	(void)r;
	(void)ready;
	for (int i = 0; i < ROUNDS && n == PACKETS_MOST && w->started; i++) {
		n = packets_receive(u->in, w->fd, 0, PACKETS_MOST, true);
		if (n > 0)
			carry_batch(socket, n);
	}
}

/* ---- silence --------------------------------------------------------------------------------- */

/* Did something come for it that was not looked at yet? This process may have been stopped. */
static bool is_due(const struct session *s)
{
	return fd_is_ready(s->socket->io.fd, IO_READ) || fd_is_ready(s->io.fd, IO_READ);
}

/*
 * When the session is over, if it stays silent. Once the rule is stopped, those whose question was
 * answered are over; the others have --drain.
 */
static int64_t end_of(const struct session *s, const struct relay_source *source)
{
	int64_t idle = relay_config(source)->idle;

	if (source->stopped)
		return s->unanswered ? INT64_MAX : s->last + QUIET;
	return s->last + (idle ? idle : IDLE);
}

/* Returns when to look at these again. */
static int64_t sweep(const struct relay_source *source, struct link *by_use, int64_t now)
{
	LIST_EACH(at, after, by_use)
	{
		struct session *s = (void *)CONTAINER_OF(at, struct relayed, link);
		int64_t end = end_of(s, source);

		if (end <= now && (source->stopped || !is_due(s)))
			session_close(s, source->stopped ? "stopped" : "idle");
		else if (!source->stopped) /* the others are silent for less long */
			return end > now ? end : now;
	}
	return source->stopped ? now + LOOK : INT64_MAX;
}

static void on_sweep(struct reactor *r, struct timer *t)
{
	struct udp_relay *u = CONTAINER_OF(t, struct udp_relay, sweep);
	struct relay_source *source = u->source;
	int64_t now = reactor_now(r, CLOCK_OF_LOOP), next = INT64_MAX;

	for (int trust = TRUST_NONE; trust < TRUSTS; trust++) {
		int64_t look = sweep(source, &u->by_use[trust], now);

		if (look < next)
			next = look;
	}
	if (u->sessions.count)
		timer_start_at(r, t, next);
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
		socket->number = (uint32_t)i;
		io_init(&socket->io, l->fds[i], IO_READ, on_client);
		socket->io.priority = u->source->base.priority;
	}
	u->n_sockets = l->count;
}

static void udp_cut(struct relay_source *source)
{
	struct udp_relay *u = source->carried;

	for (int trust = TRUST_NONE; trust < TRUSTS; trust++)
		LIST_EACH(at, after, &u->by_use[trust])
	session_close((void *)CONTAINER_OF(at, struct relayed, link), "stopped");
}

static void udp_close(struct relay_source *source)
{
	struct udp_relay *u = source->carried;
	struct reactor *r = source->base.reactor;

	udp_cut(source);
	for (int i = 0; i < u->n_sockets; i++)
		io_stop(r, &u->sockets[i].io);
	timer_stop(r, &u->sweep);
	timer_stop(r, &u->flush);
	table_free(&u->sessions);
	packets_free(u->in);
	packets_free(u->out);
}

static int udp_open(struct relay_source *source, struct error *e)
{
	struct udp_relay *u = source->carried;

	u->source = source;
	u->most = sessions_most(relay_config(source));
	table_init(&u->sessions, &session_table);
	for (int trust = TRUST_NONE; trust < TRUSTS; trust++)
		list_init(&u->by_use[trust]);
	store_init(&u->store, STORE_MOST, QUEUE_MOST);
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

	timer_start_in(source->base.reactor, &u->sweep, 0);
}

/* Not what s->totals say: of a worker others can write those. */
static bool udp_is_busy(const struct relay_source *s)
{
	return ((const struct udp_relay *)s->carried)->sessions.count > 0;
}

const struct carrier carrier_udp = {
    .size = sizeof(struct udp_relay),
    .open = udp_open,
    .start = udp_start,
    .stop = udp_stop,
    .cut = udp_cut,
    .busy = udp_is_busy,
    .close = udp_close,
    .seeking = {.sought = session_sought, .make_room = session_make_room},
};
