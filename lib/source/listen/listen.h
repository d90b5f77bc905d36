/*
 * listen: what the files of this folder share.
 *
 * listen.c owns the configuration and the sockets that listen; accept.c the connections, who may
 * come and how many; reader.c reads lines from them where there is no command; datagram.c is UDP.
 */
#ifndef EVWATCH_SOURCE_LISTEN_H
#define EVWATCH_SOURCE_LISTEN_H

#include "base/buf.h"
#include "base/list.h"
#include "net/acceptor.h"
#include "net/bound.h"
#include "reactor/reactor.h"
#include "source/access.h"
#include "source/source.h"

struct listen_settings {
	struct access access;       /* first: ACCESS_OPTIONS */
	struct endpoint *endpoints; /* owned */
	size_t count;
	struct listen_config socket;
	uint64_t backlog;
	char *banner;
};

/* A socket that datagrams come to. */
struct datagram_socket {
	struct listen_source *owner;
	const struct listener *listener; /* it is one of its sockets */
	struct io_watcher io;
};

/* The token of an event: a connection, or the sender of a datagram that waits for its answer. */
struct token {
	void (*over)(struct token *t, const struct run_outcome *outcome);
};

struct listen_source {
	struct source base;
	struct listener *listeners;        /* owned, one each of the endpoints */
	struct acceptor *acceptors;        /* owned, one each of the listeners */
	struct datagram_socket *datagrams; /* owned */
	size_t n_listeners, n_datagrams;
	struct link connections;
	struct link answers; /* that datagrams wait for */
	uint64_t n_connections, n_accepted;
	struct peer_table peers;
	bool stopped;
};

enum { HOST_TEXT = sizeof(struct address_text), PORT_TEXT = 16 }; /* bytes */

/* A connection that was accepted and is not over. */
struct connection {
	struct token token; /* first: the token of its event */
	struct link link;
	struct listen_source *owner;
	struct peer *peer; /* of the count per address, or NULL */
	/* Without a command its lines are read here. */
	struct io_watcher io;
	struct buf line;
	bool ended; /* it sends no more */
	/* Of the peer, and of our end; port empty: it has none. */
	char host[HOST_TEXT], port[PORT_TEXT];
	char local_host[HOST_TEXT], local_port[PORT_TEXT];
};

/* ---- accept.c ---- */
/* Why this peer may not come in, or NULL. Counts it when it may (peer_leave, one less). */
const char *refusal(struct listen_source *s, const struct address *remote, struct peer **peer);
void on_accepted(void *owner, int fd, const struct address *remote);
void connection_over(struct connection *c);

/* ---- reader.c ---- */
/* Reads lines from the connection; takes `fd` over. */
void reader_open(struct connection *c, int fd);
/* Hands on what may be, and reads on or stops by whether the source is paused; may end it. */
void reader_review(struct connection *c);

/* ---- datagram.c ---- */
/* Nobody waits for a reply any more. */
void answers_drop(struct listen_source *s);
void on_datagram(struct reactor *r, struct io_watcher *w, unsigned ready);

#endif
