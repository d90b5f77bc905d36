/*
 * UDP: each datagram is the input of a command, whose output is the reply.
 *
 * The reply leaves from the address that the datagram was sent to (IP_PKTINFO, ipv6(7)): on a host
 * of several addresses the kernel would choose another, and the peer would not know it.
 */
#include "source/listen/listen.h"

#include "base/array.h"
#include "base/log.h"
#include "base/text.h"
#include "net/own.h"
#include "net/socket.h"
#include "net/packets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { ROUND = 64 };

/* Where the reply goes, and from where. */
struct answer {
	struct token token; /* first: the token of its event */
	struct link link;
	struct listen_source *owner;
	int fd;
	struct address remote;
	struct own_address own;
	struct peer *peer; /* of the count per address, or NULL */
};

static void answer_free(struct answer *a)
{
	peer_leave(&a->owner->peers, a->peer);
	a->owner->n_connections--;
	list_remove(&a->link);
	free(a);
}

void answers_drop(struct listen_source *s)
{
	LIST_EACH(at, after, &s->answers)
	answer_free(CONTAINER_OF(at, struct answer, link));
}

/* Sends what the command wrote back to where the datagram came from. */
static void answer(struct token *t, const struct run_outcome *outcome)
{
	struct answer *a = CONTAINER_OF(t, struct answer, token);
	_Alignas(struct cmsghdr) char control[PACKET_CONTROL] = {0};
	struct iovec part = {(void *)(uintptr_t)outcome->output, outcome->output_length};
	struct msghdr m = {
	    .msg_name = &a->remote.any,
	    .msg_namelen = a->remote.length,
	    .msg_iov = &part,
	    .msg_iovlen = 1,
	};

	own_address_put(&a->own, &m, control);
	if (outcome->output_length && sendmsg(a->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_warn(a->owner->base.rule, "a reply is lost: %s", strerror(errno));
	answer_free(a);
}

/* ---- events ---------------------------------------------------------------------------------- */

/* The texts of an event's details. */
struct datagram_texts {
	struct buf subject;
	struct address_text remote_host, local_host;
	char remote_port[8], local_port[8], connections[24];
};

/* Our address that it came to; the port is the socket's. */
static struct address local_of(const struct answer *a)
{
	struct address local = socket_name(a->fd);

	if (a->own.family == AF_INET)
		memcpy(&local.v4.sin_addr, a->own.ip, sizeof local.v4.sin_addr);
	else if (a->own.family == AF_INET6)
		memcpy(&local.v6.sin6_addr, a->own.ip, sizeof local.v6.sin6_addr);
	address_unmap(&local);
	return local;
}

static void texts_make(struct datagram_texts *t, const struct answer *a)
{
	struct address local = local_of(a), remote = a->remote;

	address_unmap(&remote);
	t->remote_host = address_host(&remote);
	t->local_host = address_host(&local);
	snprintf(t->remote_port, sizeof t->remote_port, "%u", (unsigned)address_port(&remote));
	snprintf(t->local_port, sizeof t->local_port, "%u", (unsigned)address_port(&local));
	snprintf(t->connections, sizeof t->connections, "%llu",
		 (unsigned long long)a->owner->n_connections);
}

/* The sender for a command, whose input the datagram is; else the text of the datagram itself. */
static void make_subject(struct buf *out, const struct answer *a, const char *bytes, size_t length)
{
	if (a->owner->base.has_command) {
		buf_add_text(out, address_text(&a->remote).text);
		return;
	}
	buf_add(out, bytes, length);
	if (out->data)
		text_remove_nuls(out->data, length);
}

static void emit_datagram(struct answer *a, const char *bytes, size_t length)
{
	struct listen_source *s = a->owner;
	struct event event = event_make("datagram");
	struct datagram_texts t = {0};

	make_subject(&t.subject, a, bytes, length);
	texts_make(&t, a);
	const struct detail details[] = {
	    {.name = "EVWATCH_REMOTE_ADDR", .value = t.remote_host.text},
	    {.name = "EVWATCH_REMOTE_PORT", .value = t.remote_port, .number = true},
	    {.name = "EVWATCH_LOCAL_ADDR", .value = t.local_host.text},
	    {.name = "EVWATCH_LOCAL_PORT", .value = t.local_port, .number = true},
	    {.name = "EVWATCH_CONNECTIONS", .value = t.connections, .number = true},
	    {.name = "PROTO", .value = "UDP"},
	};
	event.subjects = (const char *const *)&t.subject.data;
	event.n_subjects = 1;
	event.details = details;
	event.n_details = ARRAY_LENGTH(details);
	if (s->base.has_command) {
		event.payload = bytes;
		event.payload_length = length;
		event.capture = true;
		a->token.over = answer;
		event.token = &a->token;
	}
	if (!t.subject.failed)
		s->base.host->emit(&s->base, &event, 1);
	else
		event.token = NULL;
	if (!event.token)
		answer_free(a);
	buf_free(&t.subject);
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* One that is refused is dropped: there is nobody to answer. */
static bool admit(struct answer *a, const struct datagram_socket *socket)
{
	struct address remote = a->remote;
	const char *why;

	address_unmap(&remote);
	/* Spoofed: the reply would be a question, and its reply one again. */
	if (listener_is_at(socket->listener, &remote))
		why = "it claims to be from this very port";
	else
		why = refusal(a->owner, &remote, &a->peer);
	if (!why) {
		a->owner->n_connections++;
		list_append(&a->owner->answers, &a->link);
		return true;
	}
	log_info(a->owner->base.rule, "a datagram of %s is refused: %s", address_text(&remote).text,
		 why);
	return false;
}

/* One datagram. False when there is none. */
static bool receive(struct datagram_socket *socket, char *room)
{
	struct answer *a = calloc(1, sizeof *a);
	_Alignas(struct cmsghdr) char control[PACKET_CONTROL];
	struct iovec part = {room, PACKET_ROOM};
	struct msghdr m = {.msg_iov = &part,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof control};
	ssize_t n;

	if (!a)
		return false;
	m.msg_name = &a->remote.any;
	m.msg_namelen = sizeof a->remote.storage;
	n = recvmsg(socket->io.fd, &m, MSG_DONTWAIT);
	a->remote.length = m.msg_namelen;
	a->owner = socket->owner;
	a->fd = socket->io.fd;
	if (n < 0) {
		free(a);
		return errno != EAGAIN; /* an ICMP error of an earlier reply, say */
	}
	own_address_take(&a->own, &m);
	if (admit(a, socket))
		emit_datagram(a, room, (size_t)n);
	else
		free(a);
	return true;
}

void on_datagram(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct datagram_socket *s = CONTAINER_OF(w, struct datagram_socket, io);
	char room[PACKET_ROOM];

	(void)r;
	(void)ready;
	for (int i = 0; i < ROUND && w->started && receive(s, room); i++)
		;
}
