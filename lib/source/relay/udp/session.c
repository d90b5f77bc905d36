/*
 * See session.h.
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
#include "source/relay/udp/session.h"

#include "base/log.h"
#include "source/relay/report.h"
#include "source/relay/udp/flow.h"
#include "source/relay/seeker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
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
		resolver_forget(s->owner->source->resolver, s);
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
	seeker_free(s->seeker);
	s->seeker = NULL;
	store_drop(&s->owner->store, &s->held);
	s->held.dropped = 0;
}

void session_close(struct session *s, const char *why)
{
	struct udp_relay *u = s->owner;
	struct relay_source *source = u->source;
	struct carried carried;

	for (int i = 0; i < u->n_out; i++)
		if (u->senders[i] == s) {
			udp_flush(u);
			break;
		}
	close_socket(s);
	carried = session_carried(s); /* with the replies that were lost just now */
	report_over(source, &carried, why);
	if (s->reported_open)
		report_event(source, true, &carried);
	if (s->state == SESSION_OPEN)
		targets_leave(&source->targets, s->target);
	settle(s);
	peer_leave(&source->peers, s->peer);
	table_remove(&u->sessions, &s->key);
	list_remove(&s->link);
	source->totals->carried--;
	free(s);
	relay_check_ended(source);
}

/* ---- making room ----------------------------------------------------------------------------- */

/* The least trusted that was silent longest, but this one. */
static struct session *least_useful(const struct udp_relay *u, const struct session *but)
{
	for (int trust = TRUST_NONE; trust < TRUSTS; trust++)
		LIST_EACH(at, after, &u->by_use[trust])
		{
			struct session *s = CONTAINER_OF(at, struct session, link);

			if (s != but)
				return s;
		}
	return NULL;
}

static bool make_room(struct udp_relay *u, const struct session *but)
{
	struct session *s = least_useful(u, but);

	if (s)
		session_close(s, "replaced by a newer one");
	return s != NULL;
}

bool session_make_room(struct relay_source *source, const void *session)
{
	struct udp_relay *u = source->carried;

	if (!u->logged_shortage)
		log_warn(source->base.rule,
			 "no descriptor is left: new sessions replace those that were silent "
			 "longest (ulimit -n, --max-conns)");
	u->logged_shortage = true;
	return make_room(u, session);
}

/* ---- targets --------------------------------------------------------------------------------- */

static void on_sought(void *owner, int fd);
static io_call on_target;

/*
 * The target refused. While it had not answered there is a seeker, which knows what is left; later
 * a new one begins behind this target. The session may be over then.
 */
static void refused(struct session *s, int error)
{
	struct address remote = session_remote(s);

	close_socket(s);
	if (s->state == SESSION_OPEN && s->seeker) {
		s->state = SESSION_SEEKING;
		seeker_again(s->seeker, strerror(error));
		return;
	}
	s->seeker = seeker_new(s->owner->source, on_sought, s);
	if (!s->seeker) {
		session_close(s, "out of memory");
		return;
	}
	s->state = SESSION_SEEKING;
	seeker_start_after(s->seeker, &remote, s->target, strerror(error));
}

static void report_open(struct session *s)
{
	struct carried carried = session_carried(s);

	if (!s->reported_open)
		report_event(s->owner->source, false, &carried);
	s->reported_open = true;
}

static int watch(struct session *s, int fd)
{
	io_init(&s->io, fd, IO_READ, on_target);
	s->io.priority = s->owner->source->base.priority;
	s->heard = reactor_now(session_reactor(s), CLOCK_OF_LOOP);
	return io_start(session_reactor(s), &s->io);
}

static void on_sought(void *owner, int fd)
{
	struct session *s = owner;
	int error;

	if (fd < 0) {
		session_close(s, "no target");
		return;
	}
	s->state = SESSION_OPEN;
	s->target = seeker_target(s->seeker);
	if (watch(s, fd) < 0) {
		session_close(s, strerror(errno));
		return;
	}
	report_open(s);
	error = datagrams_send_held(s);
	if (error)
		refused(s, error);
	else if (!seeker_has_more(s->seeker))
		settle(s);
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
		s->owner->source->logged_no_target = false;
		if (s->seeker)
			settle(s);
	}
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
	struct connect_config config = {.from = relay_source_address(session_config(s)),
					.own = &s->owner->source->listener};
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
	if (watch(s, fd) < 0)
		session_close(s, strerror(errno));
}

/* A target that has not answered for --dns-ttl is asked for by its name again, so often at most. */
static void look_after(struct session *s)
{
	int64_t now = reactor_now(session_reactor(s), CLOCK_OF_LOOP);
	struct resolver *v = s->owner->source->resolver;
	const struct endpoint *target = &session_config(s)->targets[s->target];

	if (s->asking || now - s->heard < session_config(s)->dns_ttl)
		return;
	s->heard = now;
	s->asking = true;
	if (resolver_ask(v, target, on_asked, s) < 0)
		s->asking = false;
}

/* ---- to the target --------------------------------------------------------------------------- */

static void start_seeking(struct session *s)
{
	struct address remote = session_remote(s);

	s->state = SESSION_SEEKING;
	seeker_start(s->seeker, &remote);
}

void session_send(struct session *s, int first, int n)
{
	int error;

	n = datagrams_take_in(s, first, n);
	if (s->seeker && !datagrams_hold(s, first, n))
		settle(s);
	if (s->state == SESSION_NEW) {
		start_seeking(s); /* what is held goes with it */
		return;
	}
	if (s->state != SESSION_OPEN)
		return;
	error = datagrams_send(s, first, n);
	if (error)
		refused(s, error);
	else
		look_after(s);
}

/* ---- opening --------------------------------------------------------------------------------- */

static struct session *session_new(struct udp_socket *socket, const struct session_key *key)
{
	struct udp_relay *u = socket->owner;
	struct session *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->owner = u;
	s->socket = socket;
	s->key = *key;
	s->seeker = seeker_new(u->source, on_sought, s);
	if (!s->seeker || table_add(&u->sessions, s) < 0) {
		seeker_free(s->seeker);
		free(s);
		return NULL;
	}
	held_queue_init(&s->held);
	s->started = clock_read(CLOCK_OF_LOOP);
	s->number = ++u->source->totals->accepted;
	u->source->totals->carried++;
	io_init(&s->io, -1, IO_READ, on_target);
	list_append(&u->by_use[TRUST_NONE], &s->link);
	return s;
}

struct session *session_open(struct udp_socket *socket, const struct session_key *key,
			     const struct address *remote, const char **why)
{
	struct udp_relay *u = socket->owner;
	struct peer *peer = relay_admit(u->source, remote, why);
	struct session *s;

	if (*why)
		return NULL;
	if (u->sessions.count >= u->most)
		make_room(u, NULL);
	s = session_new(socket, key);
	if (s) {
		s->peer = peer;
		return s;
	}
	*why = "out of memory";
	peer_leave(&u->source->peers, peer);
	return NULL;
}
