/* Connections: which peers are accepted, how many, and the details of their events. */
#include "source/listen/listen.h"

#include "base/array.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void connection_over(struct connection *c)
{
	struct listen_source *s = c->owner;
	int fd = c->io.fd;

	io_stop(s->base.reactor, &c->io);
	fd_close(&fd);
	buf_free(&c->line);
	peer_leave(&s->peers, c->peer);
	list_remove(&c->link);
	s->n_connections--;
	free(c);
	for (size_t i = 0; i < s->n_listeners; i++)
		acceptor_retry(&s->acceptors[i]);
}

static void on_run_over(struct token *t, const struct run_outcome *outcome)
{
	(void)outcome;
	connection_over(CONTAINER_OF(t, struct connection, token));
}

/* ---- details -------------------------------------------------------------------------------- */

enum { MOST_DETAILS = 16 };

/* The details of a connection, with room for their texts. */
struct facts {
	struct detail details[MOST_DETAILS];
	size_t n;
	const struct connection *connection;
	char connections[24], number[24], pid[16], uid[16], gid[16];
};

static void add_fact(struct facts *t, const char *name, const char *value)
{
	t->details[t->n++] = (struct detail){.name = name, .value = value};
}

static void add_number(struct facts *t, const char *name, const char *value)
{
	t->details[t->n++] = (struct detail){.name = name, .value = value, .number = true};
}

static void host_text(const struct address *a, char host[HOST_TEXT], char port[PORT_TEXT])
{
	snprintf(host, HOST_TEXT, "%s", address_host(a).text);
	*port = '\0';
	if (a->any.sa_family != AF_UNIX)
		snprintf(port, PORT_TEXT, "%u", (unsigned)address_port(a));
}

static void add_ports(struct facts *t)
{
	add_number(t, "EVWATCH_REMOTE_PORT", t->connection->port);
	add_number(t, "EVWATCH_LOCAL_PORT", t->connection->local_port);
}

static void add_ip(struct facts *t)
{
	add_ports(t);
	/* UCSPI-TCP's names (ucspi-tcp, s6-networking); names are not looked up. */
	add_fact(t, "PROTO", "TCP");
	add_fact(t, "TCPREMOTEIP", t->connection->host);
	add_fact(t, "TCPREMOTEPORT", t->connection->port);
	add_fact(t, "TCPLOCALIP", t->connection->local_host);
	add_fact(t, "TCPLOCALPORT", t->connection->local_port);
	add_fact(t, "TCPCONNNUM", t->number);
	add_fact(t, "TCPREMOTEHOST", NULL);
	add_fact(t, "TCPLOCALHOST", NULL);
	add_fact(t, "TCPREMOTEINFO", NULL);
}

/* UCSPI-UNIX: the peer is described by its credentials (unix(7), SO_PEERCRED). */
static void add_unix(struct facts *t, int fd)
{
	struct ucred peer;
	socklen_t length = sizeof peer;

	add_fact(t, "PROTO", "IPC");
	add_fact(t, "IPCLOCALPATH", t->connection->local_host);
	add_fact(t, "IPCREMOTEPATH", t->connection->host);
	add_fact(t, "IPCCONNNUM", t->number);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return;
	snprintf(t->pid, sizeof t->pid, "%d", (int)peer.pid);
	snprintf(t->uid, sizeof t->uid, "%u", (unsigned)peer.uid);
	snprintf(t->gid, sizeof t->gid, "%u", (unsigned)peer.gid);
	add_fact(t, "IPCREMOTEPID", t->pid);
	add_fact(t, "IPCREMOTEEUID", t->uid);
	add_fact(t, "IPCREMOTEEGID", t->gid);
}

static void describe(struct facts *t, struct connection *c, int fd, const struct address *remote)
{
	struct listen_source *s = c->owner;

	memset(t, 0, sizeof *t);
	t->connection = c;
	snprintf(t->connections, sizeof t->connections, "%llu",
		 (unsigned long long)s->n_connections);
	snprintf(t->number, sizeof t->number, "%llu",
		 (unsigned long long)(c->peer ? c->peer->count : s->n_connections));
	add_fact(t, "EVWATCH_REMOTE_ADDR", t->connection->host);
	add_fact(t, "EVWATCH_LOCAL_ADDR", t->connection->local_host);
	add_number(t, "EVWATCH_CONNECTIONS", t->connections);
	if (address_is_ip(remote))
		add_ip(t);
	else if (remote->any.sa_family == AF_UNIX)
		add_unix(t, fd);
	else
		add_ports(t); /* vsock: the "host" is a context id */
}

/* ---- accepting ------------------------------------------------------------------------------- */

const char *refusal(struct listen_source *s, const struct address *remote, struct peer **peer)
{
	const struct listen_settings *c = s->base.config;

	*peer = NULL;
	if (!cidr_list_permits(&c->access.rules, remote))
		return "not allowed";
	if (c->access.max_conns && s->n_connections >= c->access.max_conns)
		return "too many connections (--max-conns)";
	if (!address_is_ip(remote))
		return NULL;
	*peer =
	    peer_enter(&s->peers, remote, c->access.max_per_ip ? c->access.max_per_ip : UINT64_MAX);
	return *peer ? NULL : "too many connections from this address (--max-per-ip)";
}

static void send_banner(const struct listen_source *s, int fd)
{
	const struct listen_settings *c = s->base.config;

	if (c->banner)
		send(fd, c->banner, strlen(c->banner), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void emit_connection(struct connection *c, int fd, const struct address *remote,
			    const char *subject)
{
	struct listen_source *s = c->owner;
	struct event event = event_make("connect");
	struct facts facts;

	describe(&facts, c, fd, remote);
	event.subjects = &subject;
	event.n_subjects = 1;
	event.details = facts.details;
	event.n_details = facts.n;
	event.connection = fd;
	event.token = &c->token;
	s->base.host->emit(&s->base, &event, 1);
}

static void name_ends(struct connection *c, int fd, const struct address *remote)
{
	struct address local = socket_name(fd);

	host_text(remote, c->host, c->port);
	host_text(&local, c->local_host, c->local_port);
}

void on_accepted(void *owner, int fd, const struct address *remote)
{
	struct listen_source *s = owner;
	struct connection *c = calloc(1, sizeof *c);
	const char *why;

	why = c ? refusal(s, remote, &c->peer) : "out of memory";
	if (why) {
		log_info(s->base.rule, "%s is refused: %s", address_text(remote).text, why);
		shutdown(fd, SHUT_RDWR);
		close(fd);
		free(c);
		return;
	}
	name_ends(c, fd, remote);
	c->token.over = on_run_over;
	c->owner = s;
	c->io.fd = -1;
	list_append(&s->connections, &c->link);
	s->n_connections++;
	s->n_accepted++;
	send_banner(s, fd);
	if (s->base.has_command)
		emit_connection(c, fd, remote, address_text(remote).text);
	else
		reader_open(c, fd);
}
