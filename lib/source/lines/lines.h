/*
 * What the files of `lines` share: config.c what the user says, input.c where bytes come from,
 * cut.c how they become lines, lines.c the life of it all.
 *
 * An input fills its buffer while it is wanted; the source cuts lines from it and says when it
 * wants no more.
 */
#ifndef EVWATCH_SOURCE_LINES_LINES_H
#define EVWATCH_SOURCE_LINES_LINES_H

#include "base/buf.h"
#include "match/match.h"
#include "reactor/reactor.h"
#include "source/source.h"

#include <stdbool.h>
#include <sys/types.h>

struct lines_config {
	struct text_list paths;
	bool follow;
	int from; /* 0: end, 1: start */
	bool invert, nul, ignore_case;
	char *match; /* ERE, or NULL */
	uint64_t max_line;
};

struct lines_source;

struct line_input {
	struct lines_source *owner;
	const char *path; /* borrowed: the word; "-" and fd:N are descriptors */
	struct io_watcher io;
	int fd;    /* -1: not there (yet) */
	bool mine; /* opened here: closed here */
	bool fifo, followed;
	bool at_end;   /* of a followed file: inotify wakes it */
	bool over;     /* no more bytes will come */
	bool flushing; /* the last writer of a FIFO went: what has no end is a line, too */
	bool rotated;  /* its path names another file: it is read to its end, and left */
	dev_t device;  /* of a followed file, to see it rotated */
	ino_t inode;
	off_t offset;
	struct buf buf;
	size_t taken;   /* of `buf`, as lines */
	size_t scanned; /* without a line's end, behind `taken` */
	bool cutting;   /* the rest of a line that was too long is dropped */
};

struct lines_source {
	struct source base;
	struct line_input *inputs; /* owned */
	size_t n_inputs;
	struct match *match;                             /* owned; NULL: every line */
	struct match_span groups[MATCH_MOST_GROUPS + 1]; /* of the line that is matched */
	const char *matching; /* a line that needs more turns, in an input's buffer; or NULL */
	size_t budget;        /* steps of matching that are left in this turn */
	struct timer rest;
	bool resting; /* the budget is used up: nothing is read or cut until `rest` is due */
	bool cutting_lines, told_too_long, stopped;
	struct io_watcher notify; /* inotify: followed files and their folders */
	int notify_fd;
};

/* ---- config.c ---- */
extern const struct option lines_options[];
extern const struct event_name lines_events[];
void lines_init(void *config);
int lines_arguments(void *config, char *const *words, size_t n, struct error *e);
void lines_release(void *config);
void lines_describe(const void *config, struct buf *out);
bool lines_doubtful(const void *config, struct error *e);
/* --match, for match_free. NULL with `e` filled. */
struct match *lines_compile(const struct lines_config *c, struct error *e);

/* ---- input.c ---- */
/* Opens one input. Returns 0, or -1 with `e`. A followed file may be missing. */
int input_open(struct line_input *in, struct error *e);
void input_close(struct line_input *in);

/* Starts or stops reading. */
void input_want(struct line_input *in, bool more);

/* A followed file, or its folder, changed: reads on, or opens what took its place. */
void input_changed(struct line_input *in);

/* ---- cut.c ---- */
/* Hands on the lines that are whole, for as long as they are wanted. */
void lines_cut(struct line_input *in);
/* Goes on with the line whose matching took all of a turn. */
void lines_match_on(struct lines_source *s);

/* ---- lines.c, called by inputs ---- */
/* Bytes came in, or the end of the input. */
void lines_arrived(struct line_input *in);
/* Matching took all of this turn: nothing is read or cut before the next one. */
void lines_rest(struct lines_source *s);

#endif
