/*
 * The connections of a relay: what the files of this folder share.
 *
 * flow.h moves the bytes of one direction; pair.h is both directions of a connection, opening.h a
 * connection until a target took it, with the PROXY header in front of it. stream.c is the carrier:
 * the listener, and the life of the whole. Each knows those before it in this list.
 */
#ifndef EVWATCH_SOURCE_RELAY_STREAM_STATE_H
#define EVWATCH_SOURCE_RELAY_STREAM_STATE_H

#include "source/relay/bucket.h"
#include "base/list.h"
#include "net/acceptor.h"
#include "reactor/reactor.h"
#include "source/relay/carried.h"
#include "source/relay/relay.h"

struct pair;
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

/* A connection that was accepted and waits for room. */
struct parked {
	int fd; /* -1: there is none */
	struct address remote;
	struct peer *peer;
};

/* The carrier's own. */
struct streams {
	struct relay_source *source;
	struct acceptor acceptor;
	struct link pairs;
	struct parked parked;
	struct timer drain;
	char *buffer;                   /* one for all flows: empty between two callbacks */
	struct pipe *pipes[PIPES_KEPT]; /* owned; empty ones */
	size_t n_pipes;
	void (*over)(struct streams *t); /* a pair is gone */
};

/*
 *	LEVEL <--> DRAINED
 *	  ^          |  its end, or urgent data, is reported
 *	  +-- ENDING <+ --FIN--> ENDED --nothing is held any more--> SHUT
 */
enum flow_state {
	FLOW_LEVEL,   /* something may be left to be read: its level is watched */
	FLOW_DRAINED, /* all was read: what comes from now on is a change */
	FLOW_ENDING,  /* a short read leaves something: only EAGAIN says that nothing is */
	FLOW_ENDED,   /* FIN was read */
	FLOW_SHUT,    /* and it was passed on */
};

/* One direction: from end `from` of its pair to the other one. While it is idle it holds nothing.
 */
struct flow {
	uint64_t bytes;    /* moved */
	struct left *left; /* owned */
	struct pipe *pipe; /* owned */
	uint32_t burst;    /* bytes that were moved the last time, as far as they count here */
	uint8_t state;     /* enum flow_state */
};

struct end {
	struct io_watcher io;
	struct flow flow; /* of what comes from this end */
	bool tcp;         /* a short read leaves nothing, unless there is a FIN or urgent data */
	bool gone;        /* its hang-up was reported: there is nothing more to learn of it */
	bool is_target;   /* ends[TARGET] of its pair */
};

/*
 * --rate: a token bucket each direction. What may not be read yet stays in the kernel, whose window
 * then tells the sender to wait.
 */
struct limits {
	struct bucket buckets[2]; /* of what comes from each end */
	struct timer again;       /* one may go on then */
	struct pair *pair;
};

enum pair_state { PAIR_NEW, PAIR_SEEKING, PAIR_OPEN };

/* Thousands may be idle: what only an option needs is allocated with that option. */
struct pair {
	struct link link;
	struct streams *owner;
	struct end ends[2];    /* the client, the target */
	struct seeker *seeker; /* owned; NULL: it seeks no target */
	struct peer *peer;
	struct limits *limits;       /* owned; NULL: as fast as it goes */
	struct proxy_header *header; /* owned: the real client; NULL: the peer itself */
	uint64_t number;             /* of the connections accepted; from 1 */
	int64_t started;
	uint32_t target;
	/* The client's address, as short as it is: struct address has room for a Unix path. */
	unsigned char remote[sizeof(struct sockaddr_in6)];
	uint8_t remote_length;
	uint8_t state;        /* enum pair_state */
	bool calm;            /* both ends are watched for changes, and nothing else */
	struct timer timer[]; /* one, with --idle or --proxy accept */
};

enum { CLIENT, TARGET };

static inline struct pair *end_pair(struct end *e)
{
	return CONTAINER_OF(e - e->is_target, struct pair, ends);
}

static inline struct end *end_other(struct pair *p, const struct end *e)
{
	return &p->ends[!e->is_target];
}

static inline struct reactor *pair_reactor(const struct pair *p)
{
	return p->owner->source->base.reactor;
}

static inline const struct relay_config *pair_config(const struct pair *p)
{
	return relay_config(p->owner->source);
}

/* The client: the address in its PROXY header, or its own. */
struct address pair_remote(const struct pair *p);
struct carried pair_carried(const struct pair *p);

#endif
