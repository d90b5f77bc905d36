/*
 * relay: what the files of this folder share.
 *
 * config.c owns what the rule says; targets.c the choice among targets; relay.c the listener and
 * the life of the whole; opening.c a connection until a target took it, pair.c until it is over;
 * flow.c moves the bytes of one direction, as fast as limit.c lets it. Both directions are the same
 * code. proxy.c is the header in front of it. udp.c and udp_session.c carry datagrams instead
 * (udp.h); workers.c has it all done by several processes (workers.h).
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

struct carried;
struct proxy_header;

/* A pipe that splice(2) moves bytes through; lent to a flow while it is busy. */
struct pipe {
	int read_end, write_end;
	size_t held; /* bytes in it, which the destination did not take yet */
};

/* What was read, and the destination did not take yet. */
struct left {
	uint32_t length, sent;
	char bytes[];
};

enum { BUFFER = 64 * 1024, PIPES_KEPT = 64 };

struct relay_source {
	struct source base;
	struct listener listener;
	struct acceptor acceptor;
	struct resolver *resolver;
	struct targets targets;
	struct link pairs;
	struct link starved;            /* those that wait for a descriptor */
	struct timer feed;              /* looks after them */
	size_t n_pairs, n_resolving;    /* of those that wait for an address */
	uint64_t n_accepted, n_refused; /* since the start */
	bool told_no_target;            /* since one worked */
	bool told_starved;
	bool told_header; /* that one is wrong, since one was right */
	struct peer_table peers;
	struct timer drain;
	bool stopped, ended;
	struct dump dump;
	char *buffer;                   /* one for all flows: empty between two callbacks */
	struct pipe *pipes[PIPES_KEPT]; /* owned; empty ones */
	size_t n_pipes;
	struct udp_relay *udp;      /* owned; NULL: it carries streams */
	struct workers *workers;    /* owned; NULL: this process carries */
	struct worker_place *place; /* of a worker; NULL: it is none */
};

/* One direction: from end `from` of its pair to the other one. While it is idle it holds nothing.
 */
struct flow {
	uint64_t bytes;    /* moved */
	struct left *left; /* owned */
	struct pipe *pipe; /* owned */
	bool tcp;          /* a short read leaves nothing, unless there is a FIN or urgent data */
	bool to_the_end;   /* one of these was told: only EAGAIN says that nothing is left */
	bool drained;      /* nothing was left: what comes from now on is a change */
	bool bulk;         /* a buffer's worth at least was moved the last time */
	bool ended;        /* the source sent FIN */
	bool told; /* and the loop told it once more: it is not watched for reading any more */
	bool shut; /* and it was passed on */
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

enum pair_state { PAIR_NEW, PAIR_CONNECTING, PAIR_OPEN };

/* Thousands may be idle: what only an option needs is allocated with that option. */
struct pair {
	struct link link;
	struct relay_source *owner;
	struct end ends[2]; /* the client, the target */
	struct connector *connector;
	struct peer *peer;
	struct limit *limits;        /* owned, one each end; NULL: as fast as it goes */
	struct proxy_header *header; /* owned: whom the client is for; NULL: for itself */
	uint64_t number;             /* of the connections accepted; from 1 */
	int64_t started;
	uint32_t target, attempts;
	/* The client's address, as short as it is: struct address has room for a Unix path. */
	unsigned char remote[sizeof(struct sockaddr_in6)];
	uint8_t remote_length;
	uint8_t state; /* enum pair_state */
	bool resolving;
	bool calm;            /* both ends are watched for changes, and nothing else */
	struct timer timer[]; /* one, with --idle or --proxy accept */
};

enum { CLIENT, TARGET };

static inline struct end *end_other(struct pair *p, const struct end *e)
{
	return e == &p->ends[CLIENT] ? &p->ends[TARGET] : &p->ends[CLIENT];
}

/* Something is held back because the destination does not take it. */
static inline bool flow_is_blocked(const struct flow *f)
{
	return f->left || (f->pipe && f->pipe->held);
}

/* ---- flow.c ---- */
enum flow_result {
	FLOW_FINE,
	FLOW_READ_FAILED,  /* the end it comes from was reset, or failed: errno */
	FLOW_WRITE_FAILED, /* the other one */
};

/* Moves what can be moved from `from` to its counterpart. */
enum flow_result flow_run(struct pair *p, struct end *from);
/* Holds these bytes instead of what it held, to be passed on first. Returns 0, or -1 with ENOMEM.
 */
int flow_hold(struct flow *f, const char *bytes, size_t length);
void flow_close(struct relay_source *s, struct flow *f);
void pipes_close(struct relay_source *s);

/* ---- opening.c ---- */
/* Do its pairs have a timer each? */
bool pair_is_timed(const struct relay_source *s);
/* Of a stream, or of a listening socket: what is accepted inherits both. True: it is TCP. */
bool set_without_delay(int fd);
/* Returns 0, or -1 when there is no memory: refused, told, everything closed. */
int pair_open(struct relay_source *s, int fd, const struct address *remote, struct peer *peer);
/* Those that wait for a descriptor try again. */
timer_call starved_feed;
/* It waits for no address any more. */
void pair_resolved(struct pair *p);
/* The client is known: a target is chosen. */
void pair_serve(struct pair *p);

/* ---- pair.c ---- */
/* A target took it, by this connection, which may be TCP: it carries from now on. */
void pair_start(struct pair *p, int fd, bool tcp);
/* Whom it is from: what its PROXY header told, or its own address. */
struct address pair_remote(const struct pair *p);
struct carried pair_carried(const struct pair *p, const struct address *remote);
/* Closing it will send a reset instead of a FIN. */
void socket_reset_on_close(int fd);
/*
 * Ends it at once; `why` is for the log, and NULL while it is PAIR_NEW. With `reset` both sides are
 * reset.
 */
void pair_close(struct pair *p, const char *why, bool reset);
/* What comes from this end may be read (again). */
void pair_readable(struct pair *p, struct end *from);

/* Dumps what was read from this end and is not counted yet. */
void pair_dump(const struct pair *p, const struct end *from, const void *bytes, size_t length);

/* ---- proxy.c ---- */
/* Reads the client's PROXY header, then calls pair_serve. */
void header_await(struct pair *p);
/* Sends one to the target. Returns 0, or -1 with errno. */
int header_send(const struct pair *p, int fd);

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
/* Counts one more connection of this address. With *why, which is NULL before: it is one too many.
 */
struct peer *relay_admit(struct relay_source *s, const struct address *remote, const char **why);
/* Opens all that carries, besides the listener, which is bound. -1 with `e`. */
int relay_carrier_open(struct relay_source *s, struct error *e);
/* Accepts, or lets them wait in the backlog, by all that may stand against it. */
void relay_review(struct relay_source *s);
/* A connection of some worker is over: may the one that waits here begin? */
void relay_room(struct relay_source *s);
/* A pair is gone. */
void relay_pair_over(struct relay_source *s, const struct pair *p);
/* Once it is stopped: is there nothing left that it carries? */
void relay_check_ended(struct relay_source *s);

#endif
