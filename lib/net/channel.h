/*
 * Messages between two of our own processes, over a socket pair. Saying something never waits: what
 * the other side has not taken yet is kept, in order.
 */
#ifndef EVWATCH_NET_CHANNEL_H
#define EVWATCH_NET_CHANNEL_H

#include "base/buf.h"
#include "reactor/reactor.h"

struct channel;

/*
 * A message came: `type` as it was said, the bytes borrowed. Type 0: the other side is gone, and
 * nothing more comes. The call may close the channel, but not free it.
 */
typedef void channel_call(struct channel *c, unsigned char type, const char *bytes, size_t length);

/* The other side has taken all that waited. The call may close the channel. */
typedef void channel_taken(struct channel *c);

struct channel {
	struct io_watcher io; /* fd -1: closed */
	struct reactor *reactor;
	channel_call *call;
	channel_taken *taken; /* public; NULL: nobody waits for it */
	void *owner;
	struct buf in, out;
};

/* Takes the descriptor over (non-blocking). Returns 0, or -1 with ENOMEM and it is closed. */
int channel_open(struct channel *c, struct reactor *r, int fd, channel_call *call, void *owner);

enum { MESSAGE_MOST = 1024 * 1024 }; /* bytes: who says it is longer is taken for gone */

/* Says `type` (not 0) and these bytes. Returns 0, or -1 with errno: ENOMEM, EPIPE, EMSGSIZE. */
int channel_say(struct channel *c, unsigned char type, const void *bytes, size_t length);

/* Bytes that the other side has not taken yet. */
size_t channel_waiting(const struct channel *c);

/* Waits until it has taken all, or `ms` are over: for a process that is about to end. */
void channel_flush(struct channel *c, int ms);

/* Hands on what came and was not looked at yet: when the other side is known to be gone. */
void channel_drain(struct channel *c);

/* Does no harm when it is closed already. */
void channel_close(struct channel *c);

#endif
