/*
 * The datagrams of a relay: what the files of this folder share.
 *
 * flow.c carries the datagrams of a session both ways, session.c is its life, from the first
 * datagram to the end. udp.c is the carrier: the sockets that clients speak to, and the batches.
 * Each knows those before it in this list. A session stands for
 * one client that speaks to one address of ours: its datagrams go out by a socket of its own,
 * connected to the target, and what comes back on that one leaves from the address that the client
 * knows.
 *
 * Nothing ever waits for room: a datagram that a socket does not take is lost, counted and logged,
 * as it would be in a router.
 */
#ifndef EVWATCH_SOURCE_RELAY_UDP_UDP_H
#define EVWATCH_SOURCE_RELAY_UDP_UDP_H

#include "base/store.h"
#include "base/table.h"
#include "net/packets.h"
#include "source/relay/relaying.h"

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

struct udp_relay;

/* One of the sockets that clients speak to. */
struct udp_socket {
	struct io_watcher io;
	struct udp_relay *owner;
	uint32_t number;
};

/* The carrier's own. */
struct udp_relay {
	struct relay_source *source;
	struct udp_socket sockets[LISTENER_MOST];
	int n_sockets;
	struct table sessions;      /* by their keys */
	struct link by_use[TRUSTS]; /* of each trust: the one that was silent longest first */
	size_t most;                /* sessions at once */
	struct timer sweep;         /* looks for silent ones */
	int64_t logged;             /* when a refusal was logged last */
	bool logged_shortage;       /* of descriptors */
	struct store store; /* of datagrams that wait for a target's address, or its first answer */

	struct packets *in; /* owned: empty between two callbacks */
	/* Owned: replies of this turn's sessions leave together, all by one socket. */
	struct packets *out;
	struct session *senders[PACKETS_MOST];
	struct udp_socket *out_socket;
	int n_out;
	struct timer flush;
};

/* The client and the address of ours it speaks to. No padding: hashed and compared as bytes. */
struct session_key {
	unsigned char client[sizeof(union peer_name)];
	struct own_address own;
	uint32_t socket; /* its number */
};

struct session {
	struct relayed relayed;
	struct io_watcher io;      /* of the socket connected to the target; fd -1: none */
	struct udp_socket *socket; /* that the client speaks to */
	struct session_key key;
	enum trust trust;
	struct held_queue held;
	bool asking;     /* whether the target's name has another address by now */
	bool unanswered; /* the last datagram was the client's */
	int64_t last;
	int64_t heard; /* of the target, or when it was looked after last */
};

static inline struct udp_relay *session_relay(const struct session *s)
{
	return s->relayed.source->carried;
}

static inline struct reactor *session_reactor(const struct session *s)
{
	return s->relayed.source->base.reactor;
}

static inline int64_t session_now(const struct session *s)
{
	return reactor_now(session_reactor(s), CLOCK_OF_LOOP);
}

/* ---- flow.c: each returns 0, or the errno of a refusal that an earlier datagram brought back ---
 */

/* Sends `n` datagrams of the batch from `first` on to the target. */
int datagrams_send(struct session *s, int first, int n);
/* Sends those that waited. */
int datagrams_send_held(struct session *s);
/* Takes what the target sent, and gathers it for the client. */
int datagrams_receive(struct session *s);

/* ---- flow.c, the others ---- */

/* Counts the datagrams of the batch that --rate allows, and returns how many; keeps --dump. */
int datagrams_take_in(struct session *s, int first, int n);
/*
 * Keeps them for the target's address, or for another target. What finds no room is lost; of a
 * session that is open a copy was sent, and it is false then: there is no use in the others.
 */
bool datagrams_hold(struct session *s, int first, int n);
/* Sends the replies that are gathered. */
void udp_flush(struct udp_relay *u);

/* ---- session.c ---- */

extern const struct table_type session_table;

/*
 * A new session. Where there is no room for it, one of the least trust that was silent longest
 * goes. NULL with *why (static).
 */
struct session *session_open(struct udp_socket *socket, const struct session_key *key,
			     const struct address *remote, const char **why);
void session_close(struct session *s, const char *why);

/* Carries `n` datagrams of the batch from `first` on. The session may be over then. */
void session_send(struct session *s, int first, int n);

/* As of struct search_calls. */
void session_sought(void *client, int fd);
bool session_make_room(void *client);

#endif
