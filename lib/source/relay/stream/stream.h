/*
 * The connections of a relay: what the files of this folder share.
 *
 * flow.c moves the bytes that come from one end of a pair, pair.c carries both ways until the pair
 * is over, opening.c is a connection until a target took it, with the PROXY header in front of it.
 * stream.c is the carrier: the listener, and the life of the whole. Each knows those before it in
 * this list.
 */
#ifndef EVWATCH_SOURCE_RELAY_STREAM_STREAM_H
#define EVWATCH_SOURCE_RELAY_STREAM_STREAM_H

#include "base/pipes.h"
#include "net/acceptor.h"
#include "source/relay/relaying.h"

/* What was read, and the destination did not take yet. */
struct left {
	uint32_t length, sent;
	char bytes[];
};

enum { BUFFER = 64 * 1024 };

/* The carrier's own. */
struct streams {
	struct acceptor acceptor;
	struct link pairs;
	/* A connection that was accepted and waits for room; fd -1: there is none. */
	struct {
		int fd;
		struct address remote;
		struct peer *peer;
	} parked;
	char *buffer; /* one for all flows: empty between two callbacks */
	struct pipes pipes;
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
	FLOW_ENDED,   /* FIN was read: the source sends no more */
	FLOW_SHUT,    /* and it was passed on */
};

/* An end of a pair, and the flow of what comes from it, which holds nothing while it is idle. */
struct end {
	struct io_watcher io;
	struct left *left; /* owned */
	struct pipe *pipe; /* lent, while it is busy */
	uint32_t burst;    /* bytes that were moved the last time, as far as they count here */
	uint8_t state;     /* enum flow_state */
	bool tcp;          /* a short read leaves nothing, unless there is a FIN or urgent data */
	bool gone;         /* its hang-up was reported: there is nothing more to learn of it */
	bool is_target;    /* ends[TARGET] of its pair */
};

enum { CLIENT, TARGET };

struct pair {
	struct relayed relayed;
	struct end ends[2];
	bool calm;            /* both ends are watched for changes, and nothing else */
	struct timer timer[]; /* one, with --idle or --proxy accept */
};

static inline struct pair *end_pair(struct end *e)
{
	return CONTAINER_OF(e - e->is_target, struct pair, ends);
}

static inline struct end *end_other(struct end *e)
{
	return e->is_target ? e - 1 : e + 1;
}

static inline struct streams *pair_streams(const struct pair *p)
{
	return p->relayed.source->carried;
}

static inline struct reactor *pair_reactor(const struct pair *p)
{
	return p->relayed.source->base.reactor;
}

static inline const struct relay_config *pair_config(const struct pair *p)
{
	return relay_config(p->relayed.source);
}

/* ---- flow.c ---- */

/* Something is held back because the destination does not take it. */
static inline bool flow_is_blocked(const struct end *from)
{
	return from->left || (from->pipe && from->pipe->held);
}

enum step {
	STEP_MOVED,
	STEP_DRY,          /* nothing to read, or the end of it */
	STEP_BLOCKED,      /* the destination takes no more */
	STEP_READ_FAILED,  /* the end it comes from was reset, or failed: errno */
	STEP_WRITE_FAILED, /* the other one */
};

/* Moves what can be moved from `from` to its counterpart. */
enum step flow_run(struct end *from);
/* Holds these bytes instead of what it held, to be passed on first. 0, or -1 with ENOMEM. */
int flow_hold(struct end *from, const char *bytes, size_t length);
void flow_close(struct end *from);

/* ---- pair.c ---- */

/* For a client; NULL with ENOMEM, and nothing is taken over then. */
struct pair *pair_new(struct relay_source *s, int fd, const struct address *remote,
		      struct peer *peer);
/* Has an end watched by this call, once it is started. */
void pair_watch(struct pair *p, struct end *e, unsigned interest, io_call *call);
/* An interest in changes only, or in levels where the backend has no edges: more, not less. */
unsigned pair_changes(const struct pair *p, unsigned interest);
/* A target took it, by this connection, which may be TCP: it carries from now on. */
void pair_start(struct pair *p, int fd, bool tcp);
/*
 * Ends it at once; `why` is for the log, and NULL while it is RELAYED_NEW. With `reset` both sides
 * are reset.
 */
void pair_close(struct pair *p, const char *why, bool reset);

/* ---- opening.c ---- */

/* Of a stream, or of a listening socket: what is accepted inherits both. True: it is TCP. */
bool set_without_delay(int fd);
/* As of struct search_calls. */
bool opening_is_wanted(const void *client);
void opening_sought(void *client, int fd);
/* Returns 0, or -1 when there is no memory: refused, reported, everything closed. */
int opening_start(struct relay_source *s, int fd, const struct address *remote, struct peer *peer);

#endif
