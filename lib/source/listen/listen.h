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
#include "net/cidr.h"
#include "net/endpoint.h"
#include "reactor/reactor.h"
#include "source/source.h"

struct listen_settings {
	struct endpoint *endpoints; /* owned */
	size_t count;
	struct listen_config socket;
	struct cidr_list access;
	uint64_t max_conns, max_per_ip, backlog;
	char *banner;
};

/* One socket that listens. */
struct acceptor {
	struct listen_source *owner;
	struct io_watcher io;
	struct listener *listener;
	int index; /* of the listener's descriptors */
};

struct listen_source {
	struct source base;
	struct listener *listeners; /* owned, one each of the endpoints */
	struct acceptor *acceptors; /* owned */
	size_t n_listeners, n_acceptors;
	struct link connections;
	uint64_t n_connections, n_accepted;
	struct peer_table peers;
	struct timer short_of_descriptors; /* accepting goes on when it fires */
	bool short_now, stopped;
};

/* A connection that was accepted and is not over: the token of its event. */
struct connection {
	struct link link;
	struct listen_source *owner;
	struct peer *peer; /* of the count per address, or NULL */
	/* Without a command its lines are read here. */
	struct io_watcher io;
	struct buf line;
	char remote[128];
};

/* ---- listen.c ---- */
/* Starts or stops accepting, by everything that may stand against it. */
void listen_review(struct listen_source *s);

/* ---- accept.c ---- */
void on_acceptable(struct reactor *r, struct io_watcher *w, unsigned ready);
void connection_over(struct connection *c);

/* ---- reader.c ---- */
/* Reads lines from the connection; takes `fd` over. */
void reader_open(struct connection *c, int fd);

/* ---- datagram.c ---- */
void on_datagram(struct reactor *r, struct io_watcher *w, unsigned ready);
/* Sends what the command wrote back to where the datagram came from; frees the token. */
void datagram_answer(void *token, const struct run_outcome *outcome);

#endif
