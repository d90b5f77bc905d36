/*
 * relay: what the files of this folder share.
 *
 * config.c owns what the rule says; targets.c the choice among targets; relay.c the listener and
 * the life of the whole; pair.c a connection and its counterpart, from accept to the end of both;
 * flow.c moves the bytes of one direction, as fast as limit.c lets it. Both directions are the same
 * code. udp.c and udp_session.c carry datagrams instead (udp.h).
 */
#ifndef EVWATCH_SOURCE_RELAY_H
#define EVWATCH_SOURCE_RELAY_H

#include "base/bucket.h"
#include "base/list.h"
#include "net/acceptor.h"
#include "net/cidr.h"
#include "net/connect.h"
#include "net/resolver.h"
#include "reactor/reactor.h"
#include "source/relay/config.h"
#include "source/relay/dump.h"
#include "source/relay/targets.h"
#include "source/source.h"

/* A pipe that splice(2) moves bytes through; lent to a flow while it is busy. */
struct pipe {
	int read_end, write_end;
};

enum { BUFFER = 64 * 1024, PIPES_KEPT = 64 };

struct relay_source {
	struct source base;
	struct listener listener;
	struct acceptor acceptor;
	struct resolver *resolver;
	struct targets targets;
	struct link pairs;
	size_t n_pairs;
	uint64_t n_accepted, n_refused; /* since the start */
	bool told_no_target;            /* since one worked */
	struct peer_table peers;
	struct timer drain;
	bool stopped, ended;
	struct dump dump;
	char *buffer; /* one for all flows: empty between two callbacks */
	struct pipe pipes[PIPES_KEPT];
	size_t n_pipes;
	struct udp_relay *udp;      /* owned; NULL: it carries streams */
	struct workers *workers;    /* owned; NULL: this process carries */
	struct worker_place *place; /* of a worker; NULL: it is none */
};

/* One direction: from end `from` of its pair to the other one. */
struct flow {
	uint64_t bytes; /* moved */
	char *left;     /* owned: what the destination did not take; NULL: nothing */
	uint32_t left_length, left_sent;
	struct pipe pipe; /* -1, -1: none */
	size_t in_pipe;
	bool ended; /* the source sent FIN */
	bool shut;  /* and it was passed on */
};

struct end {
	struct io_watcher io;
	struct flow flow; /* of what comes from this end */
};

/* --rate, of one direction. */
struct limit {
	struct bucket bucket;
	struct timer again; /* may go on then */
	struct pair *pair;
};

enum pair_state { PAIR_CONNECTING, PAIR_OPEN };

struct pair {
	struct link link;
	struct relay_source *owner;
	struct end ends[2]; /* the client, the target */
	enum pair_state state;
	struct connector *connector;
	bool resolving;
	struct peer *peer;
	struct limit *limits; /* owned, one each end; NULL: as fast as it goes */
	size_t target, attempts;
	uint64_t number; /* of the connections accepted; from 1 */
	int64_t started;
	struct timer idle;
	/* The client's address, as short as it is: struct address has room for a Unix path. */
	uint8_t remote_length;
	unsigned char remote[sizeof(struct sockaddr_in6)];
};

enum { CLIENT, TARGET };

static inline struct end *end_other(struct pair *p, const struct end *e)
{
	return e == &p->ends[CLIENT] ? &p->ends[TARGET] : &p->ends[CLIENT];
}

/* ---- flow.c ---- */
enum flow_result {
	FLOW_FINE,
	FLOW_READ_FAILED,  /* the end it comes from was reset, or failed: errno */
	FLOW_WRITE_FAILED, /* the other one */
};

/* Moves what can be moved from `from` to its counterpart. */
enum flow_result flow_run(struct pair *p, struct end *from);
/* Something is held back because the destination does not take it. */
bool flow_is_blocked(const struct flow *f);
void flow_close(struct relay_source *s, struct flow *f);
void pipes_close(struct relay_source *s);

/* ---- pair.c ---- */
/* Returns 0, or -1 when there is no memory: refused, told, everything closed. */
int pair_open(struct relay_source *s, int fd, const struct address *remote, struct peer *peer);
/* Ends it at once; `why` is for the log. With `reset` both sides are reset. */
void pair_close(struct pair *p, const char *why, bool reset);
/* What comes from this end may be read (again). */
void pair_readable(struct pair *p, struct end *from);

/* Dumps what was read from this end and is not counted yet. */
void pair_dump(const struct pair *p, const struct end *from, const void *bytes, size_t length);

/* ---- limit.c ---- */
/* Returns 0, or -1 with ENOMEM. */
int limits_open(struct pair *p);
void limits_close(struct pair *p);
/* How much may be read from this end now: `most`, or less. */
size_t limit_allows(const struct pair *p, const struct end *from, size_t most);
/* So much was read. */
void limit_take(struct pair *p, const struct end *from, size_t bytes);
/* Is reading from this end to wait? Then pair_readable is called when it may go on. */
bool limit_holds(struct pair *p, const struct end *from);

/* ---- relay.c ---- */
/* Opens all that carries, besides the listener, which is bound. -1 with `e`. */
int relay_carrier_open(struct relay_source *s, struct error *e);
/* A connection of some worker is over: may the one that waits here begin? */
void relay_room(struct relay_source *s);
/* A pair is gone. */
void relay_pair_over(struct relay_source *s, const struct pair *p);
/* Once it is stopped: is there nothing left that it carries? */
void relay_check_ended(struct relay_source *s);

#endif
