/*
 * --workers N: processes that share the port.
 *
 * The process of the loop binds the sockets, starts the workers, tells them to stop and replaces
 * those that die; it carries nothing itself. A worker is a fork with a reactor of its own that
 * relays as a process without workers does. What it has to say (events, lines of the log) goes to
 * the loop's process, so that it is counted and written in one place.
 *
 * Each worker has sockets of its own on the one port (SO_REUSEPORT, socket(7)), and the loop's
 * process keeps them all open: when a worker dies, who waits in its queue is served by the next
 * one. Unix, vsock and inherited sockets know no such thing; there all accept from the same one.
 *
 * workers.c is the loop's side, worker.c the other.
 */
#ifndef EVWATCH_SOURCE_RELAY_WORKERS_H
#define EVWATCH_SOURCE_RELAY_WORKERS_H

#include "net/channel.h"
#include "net/bound.h"
#include "reactor/reactor.h"
#include "source/relay/config.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct relay_source;
struct source;
struct workers;

/* What a channel carries: to the workers, and from them. */
enum worker_message {
	WORKER_STOP = 's',   /* accept no more, drain, end */
	WORKER_ROOM = 'r',   /* both ways: a connection is over while others wait (--max-conns) */
	WORKER_LINE = 'l',   /* of the log */
	WORKER_OUTPUT = 'o', /* of --dump -: bytes for standard output */
	WORKER_EVENT = 'e',  /* as worker_event_add packs it */
};

/* In memory that all share. */
struct worker_counts {
	atomic_ullong total;
	atomic_bool waits;                     /* somebody would have one more, were there room */
	atomic_uint connections[WORKERS_MOST]; /* of each worker */
	atomic_bool down[];                    /* each target: as the worker that looks saw it */
};

struct worker {
	struct workers *owner;
	size_t number;
	struct listener listener; /* of a socket that all share: the first one's alone */
	struct child_watcher child;
	struct channel channel;
	struct timer again; /* starts it once more */
	int64_t started, pause;
	bool running;
};

struct workers {
	struct relay_source *source;
	struct worker *all; /* owned */
	size_t n, n_running;
	bool stopped;
	bool heard;                   /* something of them, since `patience` was last over */
	struct timer patience;        /* for those that do not end when told to */
	struct worker_counts *counts; /* mmap(2) */
};

/* Binds the sockets of all. NULL with `e`. */
struct workers *workers_open(struct relay_source *source, size_t n, struct error *e);
void workers_start(struct workers *ws);
/* Closes the sockets and lets the workers drain. source.ended is told when the last one is gone. */
void workers_stop(struct workers *ws);
/* Kills those that still run. */
void workers_close(struct workers *ws);

/* The sockets of worker `w`. */
const struct listener *worker_listener(const struct worker *w);

/* ---- connections over all workers ------------------------------------------------------------ */

struct worker_place;

/*
 * A connection of this worker begins, or is over. False: there are --max-conns already, and
 * relay_room is called once that has changed.
 */
bool worker_enter(struct worker_place *place);
void worker_leave(struct worker_place *place);

/* ---- worker.c -------------------------------------------------------------------------------- */

/* What a worker knows of its place. */
struct worker_place {
	const struct workers *workers;
	size_t number;
	struct channel channel;
	struct reactor *reactor;
	int parked; /* a connection that waits for room, or -1 */
	struct address parked_remote;
	struct peer *parked_peer;
};

/* In the child of a fork, with all signals blocked: works, and ends the process. */
_Noreturn void worker_run(struct worker *w, int fd, pid_t parent);

/*
 * The loop's process lags behind: it has many events of this worker to take. Nothing that would
 * make more of them is begun until relay_review is called.
 */
bool worker_lags(const struct worker_place *place);

/* Hands an event on that worker_run packed. */
void worker_event_emit(struct source *s, const char *bytes, size_t length);

#endif
