/*
 * UDP relays: what the files of UDP share.
 *
 * udp.c owns the sockets that clients speak to, the batches and the life of the whole;
 * udp_session.c the sessions, from the first datagram to the end; udp_flow.c what they carry. A
 * session stands for one client that speaks to one address of ours: its datagrams go out by a
 * socket of its own, connected to the target, and what comes back on that one leaves from the
 * address that the client knows.
 *
 * Nothing ever waits for room: a datagram that a socket does not take is lost, counted and told, as
 * it would be in a router.
 */
#ifndef EVWATCH_SOURCE_RELAY_UDP_H
#define EVWATCH_SOURCE_RELAY_UDP_H

#include "base/bucket.h"
#include "base/list.h"
#include "base/table.h"
#include "base/units.h"
#include "net/bound.h"
#include "net/packets.h"
#include "reactor/reactor.h"

struct error;
struct peer;
struct relay_source;
struct udp_relay;

/* Without --idle: a NAT must not forget a mapping sooner (RFC 4787, REQ-5). */
#define UDP_IDLE (120 * NS_PER_S)

/* ---- udp.c ----------------------------------------------------------------------------------- */

/* For source->listener, whose sockets are bound. NULL with `e`. */
struct udp_relay *udp_open(struct relay_source *source, struct error *e);
void udp_start(struct udp_relay *u);
/* No new sessions; those with a question that is not answered yet get --drain for it. */
void udp_stop(struct udp_relay *u);
void udp_close(struct udp_relay *u);

struct session;

/* One of the sockets that clients speak to. */
struct udp_socket {
	struct io_watcher io;
	struct udp_relay *owner;
	uint8_t number;
};

struct udp_relay {
	struct relay_source *source;
	struct udp_socket sockets[LISTENER_MOST];
	int n_sockets;
	struct table sessions; /* by who speaks to whom */
	struct link by_use;    /* the one that was silent longest first */
	size_t most;           /* sessions at once */
	int64_t idle;
	struct timer sweep; /* looks for silent ones */
	int64_t drain_end;
	int64_t told;    /* when that was told last */
	bool short_told; /* of descriptors */

	struct packets *in; /* owned: empty between two callbacks */
	/* Owned: replies of this turn's sessions leave together, all by one socket. */
	struct packets *out;
	struct session *senders[PACKETS_MOST];
	struct udp_socket *out_socket;
	int n_out;
	struct timer flush;
};

/* Sends the replies that are gathered. */
void udp_flush(struct udp_relay *u);

/* ---- udp_session.c --------------------------------------------------------------------------- */

/* Who speaks to whom. No padding: hashed and compared as bytes. */
struct session_key {
	uint8_t remote[16], local[16];
	uint32_t scope;
	uint16_t port;
	uint8_t family, socket;
};

/* A datagram that waits for the target's address, or for its first answer. */
struct held {
	struct held *next;
	size_t length;
	char bytes[];
};

enum way { WAY_TO, WAY_FROM }; /* the target, and from it */

enum session_state { SESSION_NEW, SESSION_RESOLVING, SESSION_OPEN };

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
	size_t target, attempts;
	int address; /* of the target's: the one that is tried */
	struct held *held, **held_end;
	size_t n_held;
	bool holds;      /* until the first answer: there is another target, or address, to try */
	bool unanswered; /* the last datagram was the client's */
	bool told_open;
	uint64_t number; /* of the sessions; from 1 */
	uint64_t to, from, lost;
	struct bucket buckets[2]; /* --rate, each way */
	int64_t started, last;
};

extern const struct table_type session_table;

/*
 * A new session. The one that was silent longest makes room where there is none. NULL: it may not
 * be (--max-per-ip), or there is no memory; told.
 */
struct session *session_open(struct udp_socket *socket, const struct session_key *key,
			     const struct address *remote);
void session_close(struct session *s, const char *why);

/* The client, as the log and the rules see it. */
struct address session_remote(const struct session *s);
/* Asks for the target's address, and goes on from there. The session may be over then. */
void session_ask(struct session *s);
/* The target refused, with this errno: the next address, or target. It may be over then. */
void session_refused(struct session *s, int error);

/* ---- udp_flow.c ------------------------------------------------------------------------------ */

/* Carries `n` datagrams of the batch from `first` on. The session may be over then. */
void session_send(struct session *s, int first, int n);
/* Sends those that waited for the target's address. The session may be over then. */
void session_send_held(struct session *s);
void session_drop_held(struct session *s);
/* The socket to the target is readable. */
io_call session_on_target;

#endif
