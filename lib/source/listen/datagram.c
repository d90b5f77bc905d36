/*
 * UDP: each datagram is the input of a command, whose output is the reply.
 *
 * The reply leaves from the address that the datagram was sent to (IP_PKTINFO, ipv6(7)): on a host
 * of several addresses the kernel would choose another, and the peer would not know it.
 */
#include "source/listen/listen.h"

#include "base/array.h"
#include "base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { LARGEST = 65536, ROUND = 64, CONTROL = 128 };

/* Where the reply goes, and from where. */
struct answer {
	struct token token; /* first: the token of its event */
	struct listen_source *owner;
	int fd;
	struct address remote;
	size_t control_length;
	_Alignas(struct cmsghdr) char control[CONTROL];
};

/* Keeps of the control messages the one that says which of our addresses was meant. */
static void keep_local(struct answer *a, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO;
		bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO;

		if ((!v4 && !v6) || c->cmsg_len > CONTROL)
			continue;
		memcpy(a->control, c, c->cmsg_len);
		a->control_length =
		    CMSG_SPACE(v4 ? sizeof(struct in_pktinfo) : sizeof(struct in6_pktinfo));
		if (v4) {
			struct in_pktinfo *info = (void *)CMSG_DATA((struct cmsghdr *)a->control);

			info->ipi_ifindex = 0; /* the route may lead elsewhere */
		}
	}
}

/* Sends what the command wrote back to where the datagram came from. */
static void answer(struct token *t, const struct run_outcome *outcome)
{
	struct answer *a = CONTAINER_OF(t, struct answer, token);
	struct iovec part = {(void *)(uintptr_t)outcome->output, outcome->output_length};
	struct msghdr m = {
	    .msg_name = &a->remote.any,
	    .msg_namelen = a->remote.length,
	    .msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = a->control_length ? a->control : NULL,
	    .msg_controllen = a->control_length,
	};

	if (outcome->output_length && !a->owner->stopped &&
	    sendmsg(a->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_warn(a->owner->base.rule, "a reply is lost: %s", strerror(errno));
	free(a);
}

static void emit_datagram(struct datagram_socket *socket, struct answer *a, const char *bytes,
			  size_t length)
{
	struct listen_source *s = socket->owner;
	struct event event = event_make("datagram");
	struct buf remote = {0}, host = {0}, text = {0};
	char port[8];
	const char *subject;
	struct detail details[4];

	address_add(&remote, &a->remote);
	snprintf(port, sizeof port, "%u", (unsigned)address_add_host(&host, &a->remote));
	buf_add(&text, bytes, length);
	subject = s->base.has_command ? remote.data : text.data;
	details[0] = (struct detail){"EVWATCH_REMOTE_ADDR", host.data};
	details[1] = (struct detail){"EVWATCH_REMOTE_PORT", port};
	details[2] = (struct detail){"PROTO", "UDP"};
	event.subjects = &subject;
	event.n_subjects = 1;
	event.details = details;
	event.n_details = 3;
	if (s->base.has_command) {
		event.payload = bytes;
		event.payload_length = length;
		event.capture = true;
		a->token.over = answer;
		event.token = &a->token;
	}
	if (!remote.failed && !host.failed && !text.failed)
		s->base.host->emit(&s->base, &event, 1);
	if (!event.token)
		free(a);
	buf_free(&remote);
	buf_free(&host);
	buf_free(&text);
}

/* One datagram. False when there is none. */
static bool receive(struct datagram_socket *socket, char *room)
{
	const struct listen_settings *c = socket->owner->base.config;
	struct answer *a = calloc(1, sizeof *a);
	_Alignas(struct cmsghdr) char control[CONTROL];
	struct iovec part = {room, LARGEST - 1};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t n;

	if (!a)
		return false;
	m.msg_name = &a->remote.any;
	m.msg_namelen = sizeof a->remote.storage;
	m.msg_control = control;
	m.msg_controllen = sizeof control;
	n = recvmsg(socket->io.fd, &m, MSG_DONTWAIT);
	a->remote.length = m.msg_namelen;
	a->owner = socket->owner;
	a->fd = socket->io.fd;
	if (n < 0) {
		free(a);
		return errno != EAGAIN; /* an ICMP error of an earlier reply, say */
	}
	keep_local(a, &m);
	if (!cidr_list_permits(&c->access, &a->remote)) {
		free(a);
		return true;
	}
	emit_datagram(socket, a, room, (size_t)n);
	return true;
}

void on_datagram(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct datagram_socket *s = CONTAINER_OF(w, struct datagram_socket, io);
	char room[LARGEST];

	(void)r;
	(void)ready;
	for (int i = 0; i < ROUND && w->started && receive(s, room); i++)
		;
}
