/*
 * Where a command writes: through, to a file, grouped, tagged, or captured.
 *
 * Grouped and captured output goes into unlinked files that the command writes itself; it is read
 * when the command has ended. Tagged output goes through a pipe a stream, line by line.
 */
#ifndef EVWATCH_JOB_OUTPUT_H
#define EVWATCH_JOB_OUTPUT_H

#include "base/buf.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>

struct error;
struct job_config;
struct reactor;
struct sink;

enum output_way { OUTPUT_INHERIT, OUTPUT_GROUP, OUTPUT_NULL, OUTPUT_FILE };

/* What a rule's outputs have in common. */
struct output_plan {
	struct reactor *reactor;
	enum output_way way;
	bool tag, clear;
	char *prefix;           /* owned: what --tag puts before each line */
	int file;               /* OUTPUT_FILE, or /dev/null; else -1 */
	struct sink *sinks[2];  /* borrowed: standard output and error; FILE: both `file_sink` */
	struct sink *file_sink; /* owned */
	struct link streams;    /* pipes that commands still hold */
};

int output_plan_open(struct output_plan *p, struct reactor *r, const struct job_config *c,
		     const char *rule, struct sink *out, struct sink *err, struct error *e);
void output_plan_close(struct output_plan *p);
/* Opens the file of OUTPUT_FILE anew (it was rotated away). -1 with errno: it goes on in the old.
 */
int output_plan_reopen(struct output_plan *p, const char *path);

/* The output of one run. */
struct output {
	struct output_plan *plan;
	int files[2]; /* unlinked files of grouped output, or of what is captured; else -1 */
	bool capture;
};

/*
 * Opens what the run needs and sets fds[1] and fds[2] for the command; close them with
 * output_started once it has started (or could not). Returns 0, or -1 with errno.
 */
int output_open(struct output *o, struct output_plan *p, bool capture, int fds[3]);
void output_started(struct output *o, int fds[3]);

/* The command has ended: grouped output is written whole. `captured` gets at most 64 KiB. */
void output_finish(struct output *o, struct buf *captured);

#endif
