/* A session: a client of a UDP relay and the socket that speaks to its target. */
#ifndef EVWATCH_SOURCE_RELAY_UDP_SESSION_H
#define EVWATCH_SOURCE_RELAY_UDP_SESSION_H

#include "source/relay/udp/state.h"

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

/* For struct search: ends a session of less use than this one. False: there is none. */
bool session_make_room(struct relay_source *source, const void *session);

#endif
