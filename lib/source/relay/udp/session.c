/*
 * A session: a client of a UDP relay and the socket that speaks to its target.
 *
 *	NEW --first datagram--> SEEKING --a target has an address--> OPEN --silent--> (over)
 *	                           ^  \--no target is left--> (over)   |
 *	                           +------- the target refuses --------+
 *
 * The hard part is a target that refuses: the ICMP error comes back on the connected socket, after
 * the datagram is gone. Where there is another target to try, or another address of this one, the
 * first datagrams are therefore held until somebody answers, and sent again to the next; so long
 * the session keeps its seeker.
 */
#include "source/relay/udp/udp.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* ---- the table ------------------------------------------------------------------------------- */

static uint64_t hash_key(const void *key)
{
	return hash_bytes(key, sizeof(struct session_key));
}

static uint64_t hash_session(const void *item)
{
	return hash_key(&((const struct session *)item)->key);
}

static bool is_of_key(const void *item, const void *key)
{
	return memcmp(&((const struct session *)item)->key, key, sizeof(struct session_key)) == 0;
}

const struct table_type session_table = {hash_session, hash_key, is_of_key};

/* ---- the end --------------------------------------------------------------------------------- */

static void stop_asking(struct session *s)
{
	if (s->asking)
		resolver_forget(s->relayed.source->resolver, s);
	s->asking = false;
}

/* The target is no longer its own; a socket is of one target. */
static void close_socket(struct session *s)
{
	stop_asking(s);
	io_stop_close(session_reactor(s), &s->io);
}

/* Nobody refuses any more: what is held is not needed. */
static void settle(struct session *s)
{
	seeker_free(s->relayed.seeker);
	s->relayed.seeker = NULL;
	store_drop(&session_relay(s)->store, &s->held);
	s->held.dropped = 0;
}

void session_close(struct session *s, const char *why)
{
	struct udp_relay *u = session_relay(s);

	for (int i = 0; i < u->n_out; i++)
		if (u->senders[i] == s) {
			udp_flush(u);
			break;
		}
	close_socket(s);
	/* Of an open one a copy was sent. */
	if (s->relayed.state != RELAYED_OPEN)
		s->relayed.lost += s->held.dropped;
	settle(s);
	table_remove(&u->sessions, &s->key);
	relayed_close(&s->relayed, why);
}

/* ---- making room ----------------------------------------------------------------------------- */

/* Ends the least trusted that was silent longest, but this one. */
static bool make_room(struct udp_relay *u, const struct session *but)
{
	for (int trust = TRUST_NONE; trust < TRUSTS; trust++)
		LIST_EACH(at, after, &u->by_use[trust])
		{
			struct session *s = (void *)CONTAINER_OF(at, struct relayed, link);

			if (s == but)
				continue;
			session_close(s, "replaced by a newer one");
			return true;
		}
	return false;
}

bool session_make_room(void *client)
{
	struct udp_relay *u = session_relay(client);

	if (!u->logged_shortage)
		log_warn(u->source->base.rule,
			 "no descriptor is left: new sessions replace those that were silent "
			 "longest (ulimit -n, --max-conns)");
	u->logged_shortage = true;
	return make_room(u, client);
}

/* ---- targets --------------------------------------------------------------------------------- */

/*
 * The target refused. While it had not answered there is a seeker, which knows what is left; later
 * a new one begins behind this target. The session may be over then.
 */
static void refused(struct session *s, int error)
{
	close_socket(s);
	if (relayed_seek_again(&s->relayed, strerror(error)) < 0)
		session_close(s, "out of memory");
}

static void on_target(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct session *s = CONTAINER_OF(w, struct session, io);
	int error = datagrams_receive(s);

	(void)r;
	(void)ready;
	if (error) {
		refused(s, error);
	} else if (s->trust != TRUST_NONE) {
		s->relayed.source->search.logged_none = false;
		if (s->relayed.seeker)
			settle(s);
	}
}

/* Takes a socket over that is connected to the target. False: the session is over. */
static bool watch(struct session *s, int fd)
{
	io_init(&s->io, fd, IO_READ, on_target);
	s->io.priority = s->relayed.source->base.priority;
	s->heard = session_now(s);
	if (io_start(session_reactor(s), &s->io) == 0)
		return true;
	session_close(s, strerror(errno));
	return false;
}

void session_sought(void *client, int fd)
{
	struct session *s = client;
	int error;

	if (fd < 0) {
		session_close(s, "no target");
		return;
	}
	relayed_serve(&s->relayed);
	if (!watch(s, fd))
		return;
	error = datagrams_send_held(s);
	if (error)
		refused(s, error);
	else if (!seeker_has_more(s->relayed.seeker))
		settle(s);
}

/* ---- a name that has another address --------------------------------------------------------- */

static bool is_among(const struct address *a, const struct address *all, int n)
{
	for (int i = 0; i < n; i++)
		if (all[i].length == a->length &&
		    memcmp(&all[i].storage, &a->storage, a->length) == 0)
			return true;
	return false;
}

/* The target is silent. Where its name has moved, the session does, too. */
static void on_asked(void *context, const struct address *addresses, int n, const char *why)
{
	struct session *s = context;
	const struct relay_source *source = s->relayed.source;
	struct connect_config config = {.from = relay_source_address(relay_config(source)),
					.own = &source->listener};
	struct address now = {.length = sizeof now.storage};
	int fd;

	s->asking = false;
	if (why || n == 0 || getpeername(s->io.fd, &now.any, &now.length) < 0 ||
	    is_among(&now, addresses, n))
		return;
	fd = connect_datagram(&addresses[0], &config);
	if (fd < 0)
		return;
	close_socket(s);
	watch(s, fd);
}

/* A target that has not answered for --dns-ttl is asked for by its name again, so often at most. */
static void look_after(struct session *s)
{
	const struct relay_source *source = s->relayed.source;
	const struct relay_config *c = relay_config(source);
	int64_t now = session_now(s);

	if (s->asking || now - s->heard < c->dns_ttl)
		return;
	s->heard = now;
	s->asking = true;
	if (resolver_ask(source->resolver, &c->targets[s->relayed.target], on_asked, s) < 0)
		s->asking = false;
}

/* ---- to the target --------------------------------------------------------------------------- */

void session_send(struct session *s, int first, int n)
{
	bool is_new = s->relayed.state == RELAYED_NEW;
	int error;

	n = datagrams_take_in(s, first, n);
	if ((is_new || s->relayed.seeker) && !datagrams_hold(s, first, n))
		settle(s);
	if (is_new) { /* what is held goes with it */
		if (relayed_seek(&s->relayed) < 0)
			session_close(s, "out of memory");
		return;
	}
	if (s->relayed.state != RELAYED_OPEN)
		return;
	error = datagrams_send(s, first, n);
	if (error)
		refused(s, error);
	else
		look_after(s);
}

/* ---- opening --------------------------------------------------------------------------------- */

static struct session *session_new(struct udp_socket *socket, const struct session_key *key,
				   const struct address *remote)
{
	struct udp_relay *u = socket->owner;
	struct session *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->socket = socket;
	s->key = *key;
	if (table_add(&u->sessions, s) < 0) {
		free(s);
		return NULL;
	}
	u->source->totals->accepted++;
	if (relayed_open(&s->relayed, u->source, remote) < 0) {
		table_remove(&u->sessions, key);
		free(s);
		return NULL;
	}
	list_init(&s->held.link);
	io_init(&s->io, -1, IO_READ, on_target);
	list_append(&u->by_use[TRUST_NONE], &s->relayed.link);
	return s;
}

struct session *session_open(struct udp_socket *socket, const struct session_key *key,
			     const struct address *remote, const char **why)
{
	struct udp_relay *u = socket->owner;
	struct peer *peer;
	struct session *s;

	*why = relayed_admit(u->source, remote, &peer);
	if (*why)
		return NULL;
	if (u->sessions.count >= u->most)
		make_room(u, NULL);
	s = session_new(socket, key, remote);
	if (s) {
		s->relayed.peer = peer;
		return s;
	}
	*why = "out of memory";
	peer_leave(&u->source->peers, peer);
	return NULL;
}
