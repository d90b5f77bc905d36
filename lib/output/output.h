/*
 * Where a command writes: through, to a file, grouped, tagged, or captured.
 *
 * Through and to a file the command writes itself; the rest goes through a pipe a stream
 * (stream.h). A connection is its standard output in any case, and then only its standard error is
 * treated so.
 */
#ifndef EVWATCH_OUTPUT_OUTPUT_H
#define EVWATCH_OUTPUT_OUTPUT_H

#include "base/list.h"

#include <stdbool.h>

struct buf;
struct error;
struct reactor;
struct sink;
struct stream;

enum output_way { OUTPUT_INHERIT, OUTPUT_GROUP, OUTPUT_NULL, OUTPUT_FILE };

/* As the options say. */
struct output_config {
	char *where; /* "inherit", "group", "null" or a file; NULL: inherit */
	bool tag;
	bool clear; /* the screen, before each run */
};

/* What a rule's outputs have in common. */
struct output_plan {
	struct reactor *reactor;
	const char *rule, *path; /* borrowed; path: of `file` */
	enum output_way way;
	bool tag;
	char *prefixes[2];      /* owned: what --tag puts before each line of either; else "" */
	int file;               /* OUTPUT_FILE, or /dev/null; else -1 */
	struct sink *sinks[2];  /* borrowed: standard output and error; FILE: both `file_sink` */
	struct sink *file_sink; /* owned */
	struct sink *screen;    /* borrowed: what --clear clears before each run; or NULL */
	struct link streams;    /* pipes that somebody still holds */
};

int output_plan_open(struct output_plan *p, struct reactor *r, const struct output_config *c,
		     const char *rule, struct sink *out, struct sink *err, struct error *e);
void output_plan_close(struct output_plan *p);
/* The text of `rule` is another now. */
void output_plan_renamed(struct output_plan *p);
/* Opens OUTPUT_FILE anew (it was rotated away). -1 with errno: it goes on in the old one. */
int output_plan_reopen(struct output_plan *p);

/* The output of one run. */
struct output {
	struct output_plan *plan;
	struct stream *streams[2]; /* of standard output and error, or NULL */
	bool capture;              /* the first one is captured */
};

/*
 * Opens what the run needs and sets fds[1] and fds[2] for the command; close them with
 * output_started once it has started (or could not). Returns 0, or -1 with errno.
 */
int output_open(struct output *o, struct output_plan *p, bool capture, int fds[3]);
void output_started(struct output *o, int fds[3]);

/* The command has ended: what is held is written whole. `captured` (may be NULL) gets a reply. */
void output_finish(struct output *o, struct buf *captured);

#endif
