/*
 * The datagrams of a relay: what the files of this folder share.
 *
 * store.h holds what cannot be sent yet; flow.h carries the datagrams of a session both ways,
 * session.h is its life, from the first datagram to the end. udp.c is the carrier: the sockets that
 * clients speak to, and the batches. Each knows those before it in this list. A session stands for
 * one client that speaks to one address of ours: its datagrams go out by a socket of its own,
 * connected to the target, and what comes back on that one leaves from the address that the client
 * knows.
 *
 * Nothing ever waits for room: a datagram that a socket does not take is lost, counted and logged,
 * as it would be in a router.
 */
#ifndef EVWATCH_SOURCE_RELAY_UDP_STATE_H
#define EVWATCH_SOURCE_RELAY_UDP_STATE_H

#include "source/relay/bucket.h"
#include "base/list.h"
#include "base/table.h"
#include "base/units.h"
#include "net/packets.h"
#include "reactor/reactor.h"
#include "source/relay/carried.h"
#include "source/relay/relay.h"
#include "source/relay/udp/store.h"

struct session;
struct udp_relay;

/* Without --idle: a NAT must not forget a mapping sooner (RFC 4787, REQ-5). */
#define UDP_IDLE (120 * NS_PER_S)

/* One of the sockets that clients speak to. */
struct udp_socket {
	struct io_watcher io;
	struct udp_relay *owner;
	uint8_t number;
};

/*
 * How far a client is to be believed that it is where it says: anybody can send one datagram in the
 * name of another. Those of less trust make room first.
 */
enum trust {
	TRUST_NONE,     /* the target never answered it */
	TRUST_ANSWERED, /* it did */
	TRUST_TALKS,    /* and the client went on after an answer */
	TRUSTS
};

struct udp_relay {
	struct relay_source *source;
	struct udp_socket sockets[LISTENER_MOST];
	int n_sockets;
	struct table sessions;      /* by client and local address */
	struct link by_use[TRUSTS]; /* of each trust: the one that was silent longest first */
	size_t most;                /* sessions at once */
	int64_t idle;
	struct timer sweep; /* looks for silent ones */
	int64_t drain_end;
	int64_t logged;       /* when a refusal was logged last */
	bool logged_shortage; /* of descriptors */
	struct store store;

	struct packets *in; /* owned: empty between two callbacks */
	/* Owned: replies of this turn's sessions leave together, all by one socket. */
	struct packets *out;
	struct session *senders[PACKETS_MOST];
	struct udp_socket *out_socket;
	int n_out;
	struct timer flush;
};

/* The client and the local address. No padding: hashed and compared as bytes. */
struct session_key {
	uint8_t remote[16], local[16];
	uint32_t scope;
	uint16_t port;
	uint8_t family, socket;
};

enum way { WAY_TO, WAY_FROM }; /* the target, and from it */

enum session_state { SESSION_NEW, SESSION_SEEKING, SESSION_OPEN };

struct session {
	struct io_watcher io; /* of the socket connected to the target; fd -1: none */
	struct link link;
	struct udp_relay *owner;
	struct udp_socket *socket; /* that the client speaks to */
	struct session_key key;
	union peer_name client;
	socklen_t client_length;
	struct own_address own;
	struct peer *peer;
	enum session_state state;
	enum trust trust;
	struct seeker *seeker; /* owned; NULL: there is no other target, or address, to try */
	size_t target;
	struct held_queue held;
	bool asking;     /* whether the target's name has another address by now */
	bool unanswered; /* the last datagram was the client's */
	bool reported_open;
	uint64_t number; /* of the sessions; from 1 */
	uint64_t to, from, lost;
	struct bucket buckets[2]; /* --rate, each way */
	int64_t started, last;
	int64_t heard; /* of the target, or when it was looked after last */
};

static inline const struct relay_config *session_config(const struct session *s)
{
	return relay_config(s->owner->source);
}

static inline struct reactor *session_reactor(const struct session *s)
{
	return s->owner->source->base.reactor;
}

/* The client, as the log and the rules see it. */
struct address session_remote(const struct session *s);
struct carried session_carried(const struct session *s);

/* Sends the replies that are gathered. */
void udp_flush(struct udp_relay *u);

#endif
