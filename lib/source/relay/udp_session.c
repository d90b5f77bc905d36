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

struct address session_remote(const struct session *s)
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
	struct address remote = session_remote(s);
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
	session_drop_held(s);
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
	session_ask(s);
}

/* An ICMP error came back: the target has other addresses, perhaps. */
void session_refused(struct session *s, int error)
{
	close_socket(s);
	if (!s->holds) {
		next_target(s, strerror(error));
		return;
	}
	s->address++;
	session_ask(s);
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

/* After this failure: is a descriptor free now that was an older session's? */
static bool find_descriptor(struct session *s, int error)
{
	struct udp_relay *u = s->owner;

	if (!fd_is_short(error))
		return false;
	if (!u->short_told)
		log_warn(u->source->base.rule,
			 "no descriptor is left: new sessions replace those that were silent "
			 "longest (ulimit -n, --max-conns)");
	u->short_told = true;
	return make_room(u, s);
}

static int connect_to(struct session *s, const struct address *to)
{
	struct connect_config config = {.from = relay_source_address(config_of(s)),
					.own = &s->owner->source->listener};
	int fd = connect_datagram(to, &config);

	if (fd < 0 && find_descriptor(s, errno))
		fd = connect_datagram(to, &config);
	io_init(&s->io, fd, IO_READ, session_on_target);
	s->io.priority = s->owner->source->base.priority;
	if (fd >= 0 && io_start(s->owner->source->base.reactor, &s->io) == 0)
		return 0;
	close_socket(s);
	return -1;
}

static void tell_open(struct session *s)
{
	struct address remote = session_remote(s);
	struct carried carried = carried_by(s, &remote);

	if (!s->told_open)
		report_event(s->owner->source, "open", &carried);
	s->told_open = true;
}

static void on_resolved(void *context, const struct address *addresses, int n, const char *why)
{
	struct session *s = context;
	int error = errno;

	s->state = SESSION_OPEN;
	if (find_descriptor(s, error)) {
		session_ask(s);
		return;
	}
	error = ECONNREFUSED;
	for (; !why && s->address < n; s->address++) {
		if (connect_to(s, &addresses[s->address]) == 0)
			break;
		error = errno;
	}
	if (why || s->address >= n) {
		next_target(s, why ? why : connect_error(error));
		return;
	}
	s->holds = s->address + 1 < n || s->attempts + 1 < most_attempts(s);
	tell_open(s);
	session_send_held(s);
}

/* Names are asked for again for each session; the answer may come at once. */
void session_ask(struct session *s)
{
	const struct endpoint *target = &config_of(s)->targets[s->target];

	s->state = SESSION_RESOLVING;
	while (resolver_ask(s->owner->source->resolver, target, on_resolved, s) < 0) {
		int error = errno;

		if (find_descriptor(s, error))
			continue;
		next_target(s, strerror(error));
		return;
	}
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
	io_init(&s->io, -1, IO_READ, session_on_target);
	list_append(&s->owner->by_use, &s->link);
	return s;
}

struct session *session_open(struct udp_socket *socket, const struct session_key *key,
			     const struct address *remote)
{
	struct udp_relay *u = socket->owner;
	const struct relay_config *c = u->source->base.config;
	struct session *s;
	struct peer *peer = peer_enter(&u->source->peers, remote,
				       c->access.max_per_ip ? c->access.max_per_ip : UINT64_MAX);

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
