/*
 * The datagrams of a session, both ways. Those that come before the target answers for the first
 * time are held, as long as there is another target, or address, that could have them when this one
 * refuses.
 */
#include "source/relay/udp/udp.h"

#include <errno.h>
#include <sys/socket.h>

enum { BURST = 8 };

/* It is silent from now on; with another trust, perhaps. */
static void session_touch(struct session *s, enum trust trust)
{
	s->last = session_now(s);
	s->trust = trust;
	list_remove(&s->relayed.link);
	list_append(&session_relay(s)->by_use[trust], &s->relayed.link);
}

/*
 * Counts as many of these datagrams as may pass: a whole datagram, or none of it. The others are
 * lost, since nothing waits. Returns how many pass.
 */
static int take(struct session *s, enum way way, struct packets *p, int first, int n)
{
	struct relayed *c = &s->relayed;

	for (int i = 0; i < n; i++) {
		size_t length = p->headers[first + i].msg_len;

		if (relayed_allows(c, way) == 0) {
			c->lost += (uint64_t)(n - i);
			return i;
		}
		relayed_account(c, way, packets_bytes(p, first + i), length);
		c->bytes[way] += length;
	}
	return n;
}

/* ---- from the target ------------------------------------------------------------------------- */

static void on_reply_lost(void *context, int i, int error)
{
	struct udp_relay *u = context;

	(void)error;
	u->senders[i]->relayed.lost++;
}

void udp_flush(struct udp_relay *u)
{
	int n = u->n_out;

	u->n_out = 0;
	if (n)
		packets_send(u->out, u->out_socket->io.fd, 0, n, on_reply_lost, u);
}

/* Addresses a reply to the client. */
static void address_reply(struct session *s, struct packets *out, int i)
{
	struct msghdr *m = &out->headers[i].msg_hdr;
	union peer_name *name = &out->names[i];

	memcpy(name, s->key.client, sizeof s->key.client);
	m->msg_name = name;
	m->msg_namelen = name->any.sa_family == AF_INET ? sizeof name->v4 : sizeof name->v6;
	own_address_put(&s->key.own, m, out->controls[i].bytes);
	session_relay(s)->senders[i] = s;
}

/* Only a refusal ends anything; what else a network reports of one datagram is the loss of it. */
static int take_error(struct session *s, int error)
{
	if (error == ECONNREFUSED)
		return error;
	s->relayed.lost++;
	return 0;
}

int datagrams_receive(struct session *s)
{
	struct udp_relay *u = session_relay(s);
	int room = PACKETS_MOST - u->n_out, n;

	if (room == 0 || (u->n_out && u->out_socket != s->socket)) {
		udp_flush(u);
		room = PACKETS_MOST;
	}
	n = packets_receive(u->out, s->io.fd, u->n_out, room < BURST ? room : BURST, false);
	if (n < 0)
		return take_error(s, errno);
	if (n == 0)
		return 0;
	s->heard = session_now(s);
	s->unanswered = false;
	n = take(s, FROM_TARGET, u->out, u->n_out, n);
	for (int i = u->n_out; i < u->n_out + n; i++)
		address_reply(s, u->out, i);
	u->out_socket = s->socket;
	u->n_out += n;
	session_touch(s, s->trust == TRUST_NONE ? TRUST_ANSWERED : s->trust);
	if (u->n_out == PACKETS_MOST || timer_start_soon(session_reactor(s), &u->flush) < 0)
		udp_flush(u);
	return 0;
}

/* ---- to the target --------------------------------------------------------------------------- */

int datagrams_take_in(struct session *s, int first, int n)
{
	n = take(s, TO_TARGET, session_relay(s)->in, first, n);
	s->unanswered = true;
	session_touch(s, s->trust == TRUST_ANSWERED ? TRUST_TALKS : s->trust);
	return n;
}

bool datagrams_hold(struct session *s, int first, int n)
{
	struct udp_relay *u = session_relay(s);

	for (int i = first; i < first + n; i++) {
		if (store_add(&u->store, &s->held, packets_bytes(u->in, i),
			      u->in->headers[i].msg_len))
			continue;
		if (s->relayed.state == RELAYED_OPEN)
			return false;
		s->relayed.lost++;
	}
	return true;
}

/* What became of a batch that was sent. */
struct sending {
	struct session *session;
	int refusal; /* the ICMP error that an earlier datagram brought back, or 0 */
};

static void on_lost(void *context, int i, int error)
{
	struct sending *sending = context;
	struct session *s = sending->session;

	(void)i;
	if (error == ECONNREFUSED)
		sending->refusal = error;
	/* One that was refused and is held is sent to the next target. */
	if (error != ECONNREFUSED || !s->relayed.seeker)
		s->relayed.lost++;
}

int datagrams_send(struct session *s, int first, int n)
{
	struct packets *in = session_relay(s)->in;
	struct sending sending = {.session = s};

	/* The socket is connected: names and controls were those of the client. */
	for (int i = first; i < first + n; i++) {
		struct msghdr *m = &in->headers[i].msg_hdr;

		m->msg_name = m->msg_control = NULL;
		m->msg_namelen = 0;
		m->msg_controllen = 0;
	}
	packets_send(in, s->io.fd, first, n, on_lost, &sending);
	return sending.refusal;
}

int datagrams_send_held(struct session *s)
{
	struct sending sending = {.session = s};
	const char *bytes;
	size_t at = 0;
	uint32_t length;

	while ((bytes = held_next(&s->held, &at, &length)))
		if (send(s->io.fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			on_lost(&sending, 0, errno);
	return sending.refusal;
}
