/*
 * A sink: a descriptor that is written without ever blocking the loop.
 *
 * Standard output, standard error and log files go through one. A stopped reader must not stop the
 * timers: bytes wait in memory, beyond a limit in an unlinked file (spool.h), and sink_full asks
 * who can wait to wait. The flags of descriptors shared with other processes (O_NONBLOCK) are left
 * alone.
 *
 * A regular file that cannot be written (a full disk) is tried again every second; until then its
 * bytes wait as for a slow reader.
 */
#ifndef EVWATCH_OUTPUT_SINK_H
#define EVWATCH_OUTPUT_SINK_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>

struct reactor;
struct sink;
struct spool_budget;

enum sink_news {
	SINK_ROOM,    /* a full one has room again */
	SINK_BROKEN,  /* for good, with an errno (EPIPE); what waited is lost */
	SINK_STALLED, /* it cannot be written now, with an errno (ENOSPC), and is tried again */
	SINK_RESUMED, /* that is over */
};
typedef void sink_call(void *context, enum sink_news news, int error);

/* Who uses a sink, and the budget of what waits for it on disk (borrowed). All may be NULL. */
struct sink_owner {
	sink_call *call;
	void *context;
	struct spool_budget *budget;
};

/* A sink over `fd`, which stays the caller's. NULL with ENOMEM. */
struct sink *sink_open(struct reactor *r, int fd, size_t limit, struct sink_owner owner);

/*
 * Notices the end of a pipe's reader though nothing is written: the sink breaks with EPIPE then.
 * Returns 0, or -1 with ENOMEM. Calls after the first do nothing.
 */
int sink_watch_reader(struct sink *s);

/* Takes all of the bytes. Returns 0, or -1: broken (errno as above) or ENOMEM. */
int sink_write(struct sink *s, const void *bytes, size_t length);

/*
 * The same for small pieces: what comes in one turn of the loop leaves in one write, which is the
 * first thing that the next turn does, without a wait between.
 */
int sink_gather(struct sink *s, const void *bytes, size_t length);

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

/* Of the bytes that wait on disk; may be NULL. */
struct spool_budget *sink_budget(const struct sink *s);

/*
 * Writes what waits, at most `wait` ns (-1: as long as it takes), and one second to a file that
 * stalled; for the end of the process. Returns 0, or -1 with errno: not all of it.
 */
int sink_flush(struct sink *s, long long wait);

/* Drops what waits; the descriptor stays open. */
void sink_close(struct sink *s);

#endif
