/*
 * A sink: a descriptor that is written without ever blocking the loop.
 *
 * Standard output, standard error and log files go through one. A stopped reader must not stop the
 * timers: bytes wait in memory, beyond a limit in an unlinked file (spool.h), and sink_full asks
 * who can wait to wait. The flags of descriptors shared with other processes (O_NONBLOCK) are left
 * alone.
 */
#ifndef EVWATCH_OUTPUT_SINK_H
#define EVWATCH_OUTPUT_SINK_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>

struct reactor;
struct sink;

/* Called when a full sink has room again, or when it broke (EPIPE, ENOSPC: errno in `error`). */
typedef void sink_call(void *context, int error);

/* A sink over `fd`, which stays the caller's. NULL with ENOMEM. */
struct sink *sink_open(struct reactor *r, int fd, size_t limit, sink_call *call, void *context);

/*
 * Notices the end of a pipe's reader though nothing is written: the sink breaks with EPIPE then.
 * Returns 0, or -1 with ENOMEM. Calls after the first do nothing.
 */
int sink_watch_reader(struct sink *s);

/* Takes all of the bytes. Returns 0, or -1: broken (errno as above) or ENOMEM. */
int sink_write(struct sink *s, const void *bytes, size_t length);

/* Its descriptor stands for another file now: one that broke is tried again. -1 with ENOMEM. */
int sink_renew(struct sink *s);

/* More is waiting than the limit. */
bool sink_full(const struct sink *s);

/* Somebody who waits until a full sink has room again, or broke: called once. */
struct sink_waiter {
	struct link link; /* list_init it before, list_remove ends the wait */
	void (*room)(struct sink_waiter *w);
};
void sink_when_room(struct sink *s, struct sink_waiter *w);

/* Writes what waits, at most `wait` ns; for the end of the process. */
void sink_flush(struct sink *s, long long wait);

/* Drops what waits; the descriptor stays open. */
void sink_close(struct sink *s);

#endif
