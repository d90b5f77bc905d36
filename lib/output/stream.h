/*
 * A stream: the pipe that a command writes its output to, and the way of that output.
 *
 *	HELD --command ended--> LINES --end of file--> (freed)
 *	LINES --command ended, end of file--> (freed)
 *
 * LINES are handed on as they come, each whole, however long. HELD output waits, in memory and
 *beyond a limit in an unlinked file (spool.h), and is handed on in one piece when the command has
 *ended. What the command left behind may write on: those are lines again, between the pieces of
 *others.
 *
 * When what waits on disk has used up its budget nothing more is read while the sink is full, and
 * the command waits; where the sink has room, what is kept whole is what fills the disk: it is
 * handed on in pieces, and that is logged once.
 */
#ifndef EVWATCH_OUTPUT_STREAM_H
#define EVWATCH_OUTPUT_STREAM_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct link;
struct reactor;
struct sink;
struct stream;

enum { CAPTURED = 65536 }; /* the largest datagram that a reply can be */

struct stream_setup {
	struct reactor *reactor;
	struct link *list;   /* of all streams that still have a writer */
	struct sink *sink;   /* NULL: it is captured */
	const char *rule;    /* for the log */
	char *const *prefix; /* before each line; may become another; NULL: none */
	bool held;
};

/* Makes the pipe; its writing end *fd is the caller's. NULL with errno. */
struct stream *stream_open(const struct stream_setup *setup, int *fd);

/* The command has ended: what it wrote is handed on. The stream sees to its own end from here. */
void stream_end(struct stream *s);

/* The same for one that is captured: `bytes` get at most CAPTURED; what follows is dropped. */
void stream_capture(struct stream *s, struct buf *bytes);

/* Hands on what is there and frees them all: nobody reads any more. */
void streams_close(struct link *list);

#endif
