/*
 * A crew: forks of this process that do the same work, each with a channel to it. One that ends is
 * replaced, until all are asked to stop.
 *
 *	(not running) --fork--> RUNNING --it ended--> (a pause, doubling while it keeps dying) --+
 *	      ^                    |                                                            |
 *	      |                    +--stopped, and it ended--> (over)                            |
 *	      +----------------------------------------------------------------------------------+
 *
 * None outlives this process, however that ends (prctl(2)), and none gets its signals: a terminal,
 * or pkill(1), sends them to all. What a member is to know, its channel says.
 *
 * The hard part is the fork: a thread that resolves a name may hold a lock of libc, which nobody
 * would release in the child. So it waits until this process has one thread only, but not for long:
 * a server that does not answer may keep one for minutes, and is waited for without a lock.
 */
#ifndef EVWATCH_CREW_CREW_H
#define EVWATCH_CREW_CREW_H

#include "net/channel.h"
#include "reactor/reactor.h"

struct crew;

struct crew_member {
	size_t number; /* from 0 */
	struct crew *crew;
	struct channel channel; /* our end; private from here on */
	struct child_watcher child;
	struct timer again; /* starts it once more */
	int64_t started, pause;
	int waits;    /* moments for threads to end, so far */
	bool running; /* until its last words are taken, too */
};

struct crew_calls {
	/*
	 * In the child, which ignores all signals but those of faults, stops and children: does the
	 * work, and ends the process. `fd` is its end of the channel. It has a copy of all memory.
	 */
	void (*work)(struct crew_member *m, int fd);
	/* A message came from it: as of struct channel, without the end of them. */
	void (*said)(struct crew_member *m, unsigned char type, const char *bytes, size_t length);
	/*
	 * It ended, and its last words came before. Appends what is lost by that, for the log:
	 * `; 3 connections are lost`. The crew may be closed inside once it is stopped.
	 */
	void (*ended)(struct crew_member *m, struct buf *lost);
};

struct crew {
	/* Public, before crew_open. */
	struct reactor *reactor;
	const char *rule; /* for the log */
	const struct crew_calls *calls;
	void *owner;
	/* Private. */
	struct crew_member *all; /* owned */
	size_t n;
	struct timer patience; /* for those that do not end when asked to */
	bool heard;            /* something of them, since that was last over */
	bool stopped;
};

/* Of `n` members, none of which runs yet. Returns 0, or -1 with ENOMEM. */
int crew_open(struct crew *c, size_t n);
/* Starts all of them; those that cannot be started are tried again. */
void crew_start(struct crew *c);

/* Says this to all that run. */
void crew_say(struct crew *c, unsigned char type);
/* Does one run? */
bool crew_runs(const struct crew *c);

/* Nobody is replaced any more. That they are to end is for the owner to say. */
void crew_stop(struct crew *c);
/* They should have ended: those that say nothing any more are killed in a moment. */
void crew_hurry(struct crew *c);
/* Kills them all at once. Does no harm when it is not open. */
void crew_close(struct crew *c);

#endif
