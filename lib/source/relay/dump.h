/*
 * --dump: what is carried, in hex and as text, for people.
 *
 *	# 2026-11-25T09:14:26.123456+01:00 relay1 3: 127.0.0.1:41234 > db1:5432
 *	00000000  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 0a           |Hello, world.|
 *
 * The number is the connection's, `<` is the way back, and offsets are counted from the start of
 * that way. A reader that does not keep up loses bytes, and the dump says how many: the connections
 * do not wait for it.
 */
#ifndef EVWATCH_SOURCE_RELAY_DUMP_H
#define EVWATCH_SOURCE_RELAY_DUMP_H

#include "base/buf.h"
#include "source/relay/relayed.h"

struct error;
struct source;

struct dump {
	struct source *source; /* NULL: nothing is dumped */
	int fd;                /* the file; -1: standard output, by way of the host */
	uint64_t lost;         /* bytes since the last that were written */
	struct buf text;       /* scratch */
};

/* Appends to the file at `path`, or writes to standard output (`-`). Returns 0, or -1 with `e`. */
int dump_open(struct dump *d, struct source *s, const char *path, struct error *e);
void dump_close(struct dump *d);

/*
 * These bytes come behind what went this way before. A file that fails is reported once;
 * nothing is dumped from then on.
 */
void dump_add(struct dump *d, const struct relayed *c, enum way way, const void *bytes,
	      size_t length);

#endif
