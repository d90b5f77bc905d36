/*
 * See flow.h. Datagrams that come before the target answers for the first time are held, as long as
 * there is another target, or address, that could have them when this one refuses.
 */
#include "source/relay/udp/flow.h"

#include "source/relay/seeker.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { BURST = 8 };

struct address session_remote(const struct session *s)
{
	struct address a = {.length = s->client_length};

	memcpy(&a.storage, &s->client, sizeof s->client);
	address_unmap(&a);
	return a;
}

struct carried session_carried(const struct session *s)
{
	return (struct carried){
	    .remote = session_remote(s),
	    .number = s->number,
	    .target = s->state == SESSION_SEEKING ? seeker_target(s->seeker) : s->target,
	    .to = s->to,
	    .from = s->from,
	    /* Of an open one a copy was sent. */
	    .lost = s->lost + (s->state == SESSION_OPEN ? 0 : s->held.dropped),
	    .started = s->started,
	};
}

void session_touch(struct session *s, enum trust trust)
{
	s->last = reactor_now(session_reactor(s), CLOCK_OF_LOOP);
	s->trust = trust;
	list_remove(&s->link);
	list_append(&s->owner->by_use[trust], &s->link);
}

/* ---- --rate and --dump ----------------------------------------------------------------------- */

/*
 * How many of these datagrams may pass: a whole datagram, or none of it. The others are lost, since
 * nothing waits.
 */
static int limit(struct session *s, enum way way, const struct packets *p, int first, int n)
{
	uint64_t rate = session_config(s)->rate;
	int64_t now;

	if (!rate)
		return n;
	now = reactor_now(session_reactor(s), CLOCK_OF_LOOP);
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

	if (d->source) {
		struct carried carried = session_carried(s);

		dump_add(d, &carried, way == WAY_FROM, packets_bytes(p, i), p->headers[i].msg_len);
	}
}

/* ---- from the target ------------------------------------------------------------------------- */

static void on_reply_lost(void *context, int i, int error)
{
	struct udp_relay *u = context;

	(void)error;
	u->senders[i]->lost++;
}

void udp_flush(struct udp_relay *u)
{
	int n = u->n_out;

	u->n_out = 0;
	if (n)
		packets_send(u->out, u->out_socket->io.fd, 0, n, on_reply_lost, u);
}

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

/* Only a refusal ends anything; what else a network reports of one datagram is the loss of it. */
static int take_error(struct session *s, int error)
{
	if (error == ECONNREFUSED)
		return error;
	s->lost++;
	return 0;
}

int datagrams_receive(struct session *s)
{
	struct udp_relay *u = s->owner;
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
	s->heard = reactor_now(session_reactor(s), CLOCK_OF_LOOP);
	s->unanswered = false;
	n = limit(s, WAY_FROM, u->out, u->n_out, n);
	for (int i = u->n_out; i < u->n_out + n; i++)
		address_reply(s, i);
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
	struct packets *in = s->owner->in;

	n = limit(s, WAY_TO, in, first, n);
	for (int i = first; i < first + n; i++) {
		dump(s, WAY_TO, in, i);
		s->to += in->headers[i].msg_len;
	}
	s->unanswered = true;
	session_touch(s, s->trust == TRUST_ANSWERED ? TRUST_TALKS : s->trust);
	return n;
}

bool datagrams_hold(struct session *s, int first, int n)
{
	struct packets *in = s->owner->in;

	for (int i = first; i < first + n; i++) {
		if (store_add(&s->owner->store, &s->held, packets_bytes(in, i),
			      in->headers[i].msg_len))
			continue;
		if (s->state == SESSION_OPEN)
			return false;
		s->lost++;
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
	if (error != ECONNREFUSED || !s->seeker)
		s->lost++;
}

int datagrams_send(struct session *s, int first, int n)
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
	return sending.refusal;
}

int datagrams_send_held(struct session *s)
{
	struct sending sending = {.session = s};

	LIST_EACH(at, after, &s->held.held)
	{
		struct held *h = CONTAINER_OF(at, struct held, of_queue);

		if (send(s->io.fd, h->bytes, h->length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			on_lost(&sending, 0, errno);
	}
	return sending.refusal;
}
