/*
 * A session: a client of a UDP relay and the socket that speaks to its target. See udp.h.
 *
 *	NEW --first datagram--> RESOLVING --the target has an address--> OPEN --silent--> (over)
 *	                            ^   \--no target is left--> (over)    |
 *	                            +-------- the target refuses ---------+
 *
 * The hard part is a target that refuses: the ICMP error comes back on the connected socket, after
 * the datagram is gone. Where there is another target to try, or another address of this one, the
 * first datagrams are therefore held until somebody answers, and sent again to the next.
 */
#include "source/relay/udp.h"

#include "base/fd.h"
#include "base/log.h"
#include "source/relay/relay.h"
#include "source/relay/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { HELD_MOST = 16, BURST = 8 };

static void ask(struct session *s);

static const struct relay_config *config_of(const struct session *s)
{
	return s->owner->source->base.config;
}

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

/* ---- what is told ---------------------------------------------------------------------------- */

static struct address remote_of(const struct session *s)
{
	struct address a = {.length = s->client_length};

	memcpy(&a.storage, &s->client, sizeof s->client);
	address_unmap(&a);
	return a;
}

static struct carried carried_by(const struct session *s, const struct address *remote)
{
	return (struct carried){
	    .remote = remote,
	    .target = s->target,
	    .to = s->to,
	    .from = s->from,
	    .lost = s->lost,
	    .started = s->started,
	};
}

/* ---- --rate and --dump ----------------------------------------------------------------------- */

/*
 * How many of these datagrams may pass: a whole datagram, or none of it. The others are lost, since
 * nothing waits.
 */
static int limit(struct session *s, enum way way, const struct packets *p, int first, int n)
{
	uint64_t rate = config_of(s)->rate;
	int64_t now;

	if (!rate)
		return n;
	now = reactor_now(s->owner->source->base.reactor, CLOCK_OF_LOOP);
	for (int i = 0; i < n; i++) {
		if (bucket_allows(&s->buckets[way], rate, now) == 0) {
			s->lost += (uint64_t)(n - i);
			return i;
		}
		bucket_take(&s->buckets[way], rate, now, p->headers[first + i].msg_len);
	}
	return n;
}

static void dump(struct session *s, enum way way, struct packets *p, int i)
{
	struct dump *d = &s->owner->source->dump;
	struct address remote;
	struct dump_place at = {
	    .connection = s->number,
	    .offset = way == WAY_TO ? s->to : s->from,
	    .remote = &remote,
	    .target = &config_of(s)->targets[s->target],
	    .back = way == WAY_FROM,
	};

	if (!d->source)
		return;
	remote = remote_of(s);
	dump_add(d, &at, packets_bytes(p, i), p->headers[i].msg_len);
}

/* ---- datagrams that wait --------------------------------------------------------------------- */

static void held_drop(struct session *s)
{
	while (s->held) {
		struct held *h = s->held;

		s->held = h->next;
		free(h);
	}
	s->held_end = &s->held;
	s->n_held = 0;
}

/* False when there is no room for it. */
static bool hold(struct session *s, const char *bytes, size_t length)
{
	struct held *h = s->n_held < HELD_MOST ? malloc(sizeof *h + length) : NULL;

	if (!h)
		return false;
	h->next = NULL;
	h->length = length;
	memcpy(h->bytes, bytes, length);
	*s->held_end = h;
	s->held_end = &h->next;
	s->n_held++;
	return true;
}

/* What does not fit is lost while there is no address yet; later it only ends the holding. */
static void hold_batch(struct session *s, int first, int n)
{
	struct packets *in = s->owner->in;

	for (int i = first; i < first + n; i++) {
		if (hold(s, packets_bytes(in, i), in->headers[i].msg_len))
			continue;
		if (s->state != SESSION_OPEN) {
			s->lost++;
			continue;
		}
		s->holds = false;
		held_drop(s);
		return;
	}
}

/* ---- the end --------------------------------------------------------------------------------- */

/* The target it had is no longer its own; a socket is of one target. */
static void close_socket(struct session *s)
{
	int fd = s->io.fd;

	io_stop(s->owner->source->base.reactor, &s->io);
	fd_close(&fd);
	s->io.fd = -1;
}

void session_close(struct session *s, const char *why)
{
	struct udp_relay *u = s->owner;
	struct address remote = remote_of(s);
	struct carried carried;

	for (int i = 0; i < u->n_out; i++)
		if (u->senders[i] == s) {
			udp_flush(u);
			break;
		}
	if (s->state == SESSION_RESOLVING)
		resolver_forget(u->source->resolver, s);
	close_socket(s);
	carried = carried_by(s, &remote);
	report_over(u->source, &carried, why);
	if (s->told_open)
		report_event(u->source, "close", &carried);
	targets_leave(&u->source->targets, s->target);
	peer_leave(&u->source->peers, s->peer);
	held_drop(s);
	table_remove(&u->sessions, &s->key);
	list_remove(&s->link);
	free(s);
	relay_check_ended(u->source);
}

/* ---- targets --------------------------------------------------------------------------------- */

static size_t most_attempts(const struct session *s)
{
	const struct relay_config *c = config_of(s);

	return c->n_targets * (c->retry + 1);
}

/* This target did not work: the next one, or the end. */
static void next_target(struct session *s, const char *why)
{
	struct targets *targets = &s->owner->source->targets;
	bool last = ++s->attempts >= most_attempts(s);

	close_socket(s);
	report_target_failed(s->owner->source, s->target, why, last);
	if (last) {
		session_close(s, "no target");
		return;
	}
	targets_leave(targets, s->target);
	s->target = targets_next(targets, s->target);
	s->address = 0;
	targets_enter(targets, s->target);
	ask(s);
}

/* An ICMP error came back: the target has other addresses, perhaps. */
static void refused(struct session *s, int error)
{
	close_socket(s);
	if (!s->holds) {
		next_target(s, strerror(error));
		return;
	}
	s->address++;
	ask(s);
}

static void touch(struct session *s)
{
	s->last = reactor_now(s->owner->source->base.reactor, CLOCK_OF_LOOP);
	list_remove(&s->link);
	list_append(&s->owner->by_use, &s->link);
}

/* ---- from the target ------------------------------------------------------------------------- */

/* Addresses a reply to the client. */
static void address_reply(struct session *s, int i)
{
	struct packets *out = s->owner->out;
	struct msghdr *m = &out->headers[i].msg_hdr;

	out->names[i] = s->client;
	m->msg_name = &out->names[i];
	m->msg_namelen = s->client_length;
	own_address_put(&s->own, m, out->controls[i].bytes);
	s->owner->senders[i] = s;
	dump(s, WAY_FROM, out, i);
	s->from += out->headers[i].msg_len;
}

static void answered(struct session *s)
{
	s->unanswered = false;
	s->attempts = 0;
	s->holds = false;
	s->owner->source->told_no_target = false;
	if (s->held)
		held_drop(s);
	touch(s);
}

static void on_target(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct session *s = CONTAINER_OF(w, struct session, io);
	struct udp_relay *u = s->owner;
	int room = PACKETS_MOST - u->n_out, n;

	(void)ready;
	if (room == 0 || (u->n_out && u->out_socket != s->socket)) {
		udp_flush(u);
		room = PACKETS_MOST;
	}
	n = packets_receive(u->out, w->fd, u->n_out, room < BURST ? room : BURST, false);
	if (n < 0) {
		refused(s, errno);
		return;
	}
	if (n == 0)
		return;
	n = limit(s, WAY_FROM, u->out, u->n_out, n);
	for (int i = u->n_out; i < u->n_out + n; i++)
		address_reply(s, i);
	u->out_socket = s->socket;
	u->n_out += n;
	answered(s);
	if (u->n_out == PACKETS_MOST || deferred_start(r, &u->flush) < 0)
		udp_flush(u);
}

/* ---- to the target --------------------------------------------------------------------------- */

/* What became of a batch that was sent. */
struct sending {
	struct session *session;
	int refusal; /* the ICMP error that an earlier datagram brought back, or 0 */
};

static void on_lost(void *context, int i, int error)
{
	struct sending *sending = context;

	(void)i;
	if (error == ECONNREFUSED)
		sending->refusal = error;
	if (error != ECONNREFUSED || !sending->session->holds)
		sending->session->lost++;
}

static void transmit(struct session *s, int first, int n)
{
	struct packets *in = s->owner->in;
	struct sending sending = {.session = s};

	/* The socket is connected: names and controls were those of the client. */
	for (int i = first; i < first + n; i++) {
		struct msghdr *m = &in->headers[i].msg_hdr;

		m->msg_name = m->msg_control = NULL;
		m->msg_namelen = 0;
		m->msg_controllen = 0;
	}
	packets_send(in, s->io.fd, first, n, on_lost, &sending);
	if (sending.refusal)
		refused(s, sending.refusal);
}

static void send_held(struct session *s)
{
	struct sending sending = {.session = s};

	for (struct held *h = s->held; h; h = h->next)
		if (send(s->io.fd, h->bytes, h->length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			on_lost(&sending, 0, errno);
	if (!s->holds)
		held_drop(s);
	if (sending.refusal)
		refused(s, sending.refusal);
}

void session_send(struct session *s, int first, int n)
{
	struct packets *in = s->owner->in;

	n = limit(s, WAY_TO, in, first, n);
	for (int i = first; i < first + n; i++) {
		dump(s, WAY_TO, in, i);
		s->to += in->headers[i].msg_len;
	}
	s->unanswered = true;
	touch(s);
	if (s->state != SESSION_OPEN || s->holds)
		hold_batch(s, first, n);
	if (s->state == SESSION_NEW)
		ask(s);
	else if (s->state == SESSION_OPEN)
		transmit(s, first, n);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* The session that was silent longest makes room for `s`. False: there is no other. */
static bool make_room(struct udp_relay *u, const struct session *s)
{
	struct link *oldest = u->by_use.next;

	if (s && oldest == &s->link)
		oldest = oldest->next;
	if (oldest == &u->by_use)
		return false;
	session_close(CONTAINER_OF(oldest, struct session, link), "replaced by a newer one");
	return true;
}

/* A socket for the target's family; without a descriptor left, an older session's. */
static int socket_for(struct session *s, const struct address *to)
{
	struct udp_relay *u = s->owner;
	int type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd = socket(to->any.sa_family, type, 0);

	if (fd >= 0 || (errno != EMFILE && errno != ENFILE))
		return fd;
	if (!u->short_told)
		log_warn(u->source->base.rule,
			 "no descriptor is left: new sessions replace those that were silent "
			 "longest (ulimit -n, --max-conns)");
	u->short_told = true;
	return make_room(u, s) ? socket(to->any.sa_family, type, 0) : -1;
}

static int connect_to(struct session *s, const struct address *to)
{
	int fd = socket_for(s, to);

	if (fd < 0)
		return -1;
	io_init(&s->io, fd, IO_READ, on_target);
	s->io.priority = s->owner->source->base.priority;
	if (source_bind(fd, to, relay_source_address(config_of(s))) == 0 &&
	    connect(fd, &to->any, to->length) == 0 &&
	    io_start(s->owner->source->base.reactor, &s->io) == 0)
		return 0;
	close_socket(s);
	return -1;
}

static void tell_open(struct session *s)
{
	struct address remote = remote_of(s);
	struct carried carried = carried_by(s, &remote);

	if (!s->told_open)
		report_event(s->owner->source, "open", &carried);
	s->told_open = true;
}

static void on_resolved(void *context, const struct address *addresses, int n, const char *why)
{
	struct session *s = context;
	int error = ECONNREFUSED;

	s->state = SESSION_OPEN;
	for (; !why && s->address < n; s->address++) {
		if (connect_to(s, &addresses[s->address]) == 0)
			break;
		error = errno;
	}
	if (why || s->address >= n) {
		next_target(s, why ? why : strerror(error));
		return;
	}
	s->holds = s->address + 1 < n || s->attempts + 1 < most_attempts(s);
	tell_open(s);
	send_held(s);
}

/* Names are asked for again for each session; the answer may come at once. */
static void ask(struct session *s)
{
	const struct endpoint *target = &config_of(s)->targets[s->target];

	s->state = SESSION_RESOLVING;
	if (resolver_ask(s->owner->source->resolver, target, on_resolved, s) < 0)
		next_target(s, strerror(errno));
}

static struct session *session_new(struct udp_socket *socket, const struct session_key *key,
				   struct peer *peer)
{
	struct session *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->owner = socket->owner;
	s->socket = socket;
	s->key = *key;
	if (table_add(&s->owner->sessions, s) < 0) {
		free(s);
		return NULL;
	}
	s->peer = peer;
	s->held_end = &s->held;
	s->started = clock_read(CLOCK_OF_LOOP);
	s->number = ++s->owner->source->n_accepted;
	io_init(&s->io, -1, IO_READ, on_target);
	list_append(&s->owner->by_use, &s->link);
	return s;
}

struct session *session_open(struct udp_socket *socket, const struct session_key *key,
			     const struct address *remote)
{
	struct udp_relay *u = socket->owner;
	const struct relay_config *c = u->source->base.config;
	struct session *s;
	struct peer *peer =
	    peer_enter(&u->source->peers, remote, c->max_per_ip ? c->max_per_ip : UINT64_MAX);

	if (!peer)
		return NULL;
	if (u->sessions.count >= u->most)
		make_room(u, NULL);
	s = session_new(socket, key, peer);
	if (!s) {
		peer_leave(&u->source->peers, peer);
		return NULL;
	}
	s->target = targets_choose(&u->source->targets, remote);
	targets_enter(&u->source->targets, s->target);
	return s;
}
