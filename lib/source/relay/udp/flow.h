/* The datagrams of a session, both ways. */
#ifndef EVWATCH_SOURCE_RELAY_UDP_FLOW_H
#define EVWATCH_SOURCE_RELAY_UDP_FLOW_H

#include "source/relay/udp/state.h"

/* Each of these returns 0, or the errno of a refusal that an earlier datagram brought back. */

/* Sends `n` datagrams of the batch from `first` on to the target. */
int datagrams_send(struct session *s, int first, int n);
/* Sends those that waited. */
int datagrams_send_held(struct session *s);
/* Takes what the target sent, and gathers it for the client. */
int datagrams_receive(struct session *s);

/* Counts the datagrams of the batch that --rate allows, and returns how many; keeps --dump. */
int datagrams_take_in(struct session *s, int first, int n);
/*
 * Keeps them for the target's address, or for another target. What finds no room is lost; of a
 * session that is open a copy was sent, and it is false then: there is no use in the others.
 */
bool datagrams_hold(struct session *s, int first, int n);

/* It is silent from now on; with another trust, perhaps. */
void session_touch(struct session *s, enum trust trust);

#endif
