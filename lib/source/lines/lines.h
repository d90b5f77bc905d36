/*
 * What the files of `lines` share: config.c what the user says, input.c where bytes come from,
 * followed.c what stands at a followed path, rotated.c what stood there unseen, file.c one open
 * file, far.c one of a file system that may hang, of.c the command of --of, cut.c how bytes become
 * lines, lines.c the life of it all.
 *
 * An input has the files whose lines are still to come, in their order: one that is not followed
 * has one; of a path that is followed those that were rotated away come first. The first of them
 * that is not at its end is read, while lines are wanted.
 */
#ifndef EVWATCH_SOURCE_LINES_LINES_H
#define EVWATCH_SOURCE_LINES_LINES_H

#include "base/buf.h"
#include "base/list.h"
#include "follow/follow.h"
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
	char *match;   /* ERE, or NULL */
	size_t groups; /* of it */
	uint64_t max_line;
	char *catch_up; /* the directory of its record, or NULL */
	char *of;       /* shell text, whose output is read; NULL: `paths` are */
	int restart;    /* of that: enum restart (restart.h); -1: RESTART_NO */
};

struct far_file;
struct line_input;
struct lines_source;
struct of;
struct progress;

enum {
	LINE_FILE_START = 1024, /* bytes by which a file is known again, at most */
	LINE_SLICE = 65536,     /* bytes that are read at once, at most */
};

/* An open file, pipe or terminal. */
struct line_file {
	struct link link; /* of its input's files */
	struct line_input *input;
	struct io_watcher io;
	int fd;               /* -1: the command of --of does not run, or it is `far` */
	struct far_file *far; /* a thread has the descriptor; NULL: the loop has */
	bool mine;            /* opened here: closed here */
	bool regular;         /* and followed: read by its offset */
	bool fifo;            /* opened here: opened again when its last writer goes */
	bool at_end;          /* of a followed file: nothing to read until it grows */
	bool left;            /* its path leads to another file, or to none */
	bool wanted;          /* and far: its next piece */
	bool flushing;        /* what has no line's end is a line all the same */
	dev_t device;
	ino_t inode;
	off_t offset; /* read up to here */
	off_t hole;   /* and so many NUL bytes follow, which may still be written (fallocate(2)) */
	int64_t grew; /* when it last did, or left its path; by the clock of the loop */
	unsigned start_length; /* of what was read the first bytes, by which it is known again */
	uint64_t start_hash;   /* of these */

	struct buf buf;
	size_t taken;   /* of `buf`, as lines */
	size_t scanned; /* without a line's end, behind `taken` */
	off_t removed;  /* NUL bytes that were taken out of the line at `taken` */
	bool cutting;   /* the rest of a line that was too long is dropped */

	/* --catch-up */
	off_t place; /* in the file, of the line at `taken` */
	off_t done;  /* up to here lines are over */
	off_t slot;  /* of it in the record; -1: not there yet */
	struct link pending;
};

static inline struct line_file *line_file_of(struct link *link)
{
	return CONTAINER_OF(link, struct line_file, link);
}

enum { ROTATED_MOST = 64 }; /* files of a path that is rotated, kept or taken at once */

struct line_input {
	struct lines_source *owner;
	const char *path; /* borrowed: the word; "-" and fd:N are descriptors */
	struct follow follow;
	struct link files; /* of struct line_file, owned */
	bool followed;
	bool unanswered; /* a file system that may hang has not said what stands at its path */
	bool over;       /* no more bytes will come */
	bool lost;       /* --catch-up: what was read last is gone */
	bool told_many;  /* that more was rotated than is read */
	bool again;      /* it could not be opened or read, and is tried again every second */
	int said;        /* the errno that a warning was about; 0: none */
};

struct lines_source {
	struct source base;
	struct line_input *inputs; /* owned */
	size_t n_inputs;
	struct match *match;                             /* owned; NULL: every line */
	struct match_span groups[MATCH_MOST_GROUPS + 1]; /* of the line that is matched */
	const char *matching; /* a line that needs more turns, in a file's buffer; or NULL */
	size_t budget;        /* steps of matching that are left in this turn */
	struct timer rest;
	bool resting; /* the budget is used up: nothing is read or cut until `rest` is due */
	bool cutting_lines, logged_too_long, stopped;
	struct of *of;             /* owned; NULL: no command is read */
	struct progress *progress; /* owned; NULL: nothing is remembered */
	void *token;               /* of the line that is matched */
	struct timer tick;         /* while a file lingers, or is tried again */
};

/* ---- config.c ---- */
extern const struct option lines_options[];
extern const struct event_name lines_events[];
void lines_init(void *config);
int lines_arguments(void *config, char *const *words, size_t n, struct error *e);
void lines_release(void *config);
void lines_describe(const void *config, struct buf *out);
bool lines_doubtful(const void *config, bool has_command, struct error *e);
uint64_t lines_most_subjects(const void *config);
bool lines_endless(const void *config);
/* --match, for match_free. NULL with `e` filled. */
struct match *lines_compile(const struct lines_config *c, struct error *e);

/* ---- input.c ---- */
/* Opens one input. Returns 0, or -1 with `e`. What is followed may be missing. */
int input_open(struct line_input *in, struct error *e);
void input_close(struct line_input *in);
/* Cuts what was read, and reads on, while lines are wanted. */
void input_go_on(struct line_input *in);
/* Stops reading. */
void input_rest(struct line_input *in);
/* Looks after files that were rotated away, and what is tried again. Returns whether there are any.
 */
bool input_tick(struct line_input *in);
/* Opens what stands at its path. -1 with errno. */
int input_open_path(const struct line_input *in);
/* A file of it is at its end, or cannot be read (errno). */
void input_file_ended(struct line_input *in, struct line_file *f);
void input_file_failed(struct line_input *in, struct line_file *f);
bool input_is_done(const struct line_input *in);

/* ---- followed.c ---- */
/* The first file that stands there is read from its end, or as --from says. Returns 0, or -1. */
int followed_start(struct line_input *in, struct error *e);
/* Says why nothing is read, and opens the path anew in a while where nobody reports a change. */
void followed_try_again(struct line_input *in, int error);
/* What could not be read is opened anew: its descriptor may be the fault (ESTALE, nfs(5)). */
void followed_retry(struct line_input *in);
/* Looks after a file that left its path. Returns whether it is to be looked after again. */
bool followed_linger(struct line_file *f);
/* Once: that more was rotated than is read. */
void followed_say_many(struct line_input *in);
void followed_say_lost(struct line_input *in);
/* One more file has a descriptor: closes what need not be open. */
void followed_shed(struct line_input *in, int fd);

/* ---- file.c ---- */
/* Adds a file that was opened. NULL with ENOMEM, and the descriptor is as it was. */
struct line_file *file_new(struct line_input *in, int fd, bool mine);
void file_free(struct line_file *f);
/* Hashes the first bytes, at most LINE_FILE_START. False: the file has fewer. */
bool file_start_hash(int fd, unsigned length, uint64_t *hash);
/* What is before this offset was read. */
void file_skip(struct line_file *f, off_t offset);
/* Starts or stops reading. */
void file_want(struct line_file *f, bool more);
/* Is there room for a slice behind what the buffer holds? If not, that is logged, and tried again.
 */
bool file_has_room(struct line_file *f);
/* Takes what was read there: n as read(2) says, with errno. */
void file_took(struct line_file *f, ssize_t n);
/* Waits for the file system; `f` may be a copy, in a thread: makes out the size, and from where it
 * is to be read. Returns whether that is its start, as it was truncated: then it is restarted. */
bool file_see(struct line_file *f, off_t *size);
void file_restart(struct line_file *f);
/* The same: what was read of the start is remembered. */
void file_learn_start(struct line_file *f);
/* It may have grown, or been truncated. */
void file_look(struct line_file *f);
/* ns since it grew, or left its path. */
int64_t file_quiet_for(const struct line_file *f);
/* Has it bytes of a line whose end is to come? */
bool file_has_part(const struct line_file *f);
/* What was read last without its line's end is a line. */
void file_end_line(struct line_file *f);
/* Reads on from another descriptor of the same file, or FIFO. */
void file_reopen(struct line_file *f, int fd);

/* ---- far.c ---- */
/* Has the thread of a site read a file from now on, whose device and inode are set, or
 * which has left its path and is looked for by its inode. `fd` is of it, and owned from then on;
 * -1: it is to be opened, and what stood at the path after `last` (NULL: no file did) looked for.
 * Returns 0, or -1 with ENOMEM. */
int far_open(struct line_file *f, struct site *site, int fd, const struct line_file *last);
/* One that is not far is allowed. */
void far_close(struct line_file *f);
/* It may have been written, and its path is opened `anew`. */
void far_look(struct line_file *f, bool anew);
/* Asks for the next piece, or for none. */
void far_want(struct line_file *f, bool more);

/* ---- progress.c: --catch-up ---- */
/* How far a file was read, before evwatch was started. */
struct line_mark {
	off_t offset;
	ino_t inode;
	unsigned start_length;
	uint64_t start_hash;
};
/* Takes the lock and reads the record. Returns 0, or -1 with `e`. */
int progress_open(struct lines_source *s, struct error *e);
/* Its lock on the record, or -1. */
int progress_lock(const struct lines_source *s);
/* What the inputs have now is the record: it starts, or one begins that was unanswered. */
void progress_start(struct lines_source *s);
void progress_close(struct lines_source *s);
/* Has the rule as many lines as may be run again? */
bool progress_is_full(const struct lines_source *s);
/* A line that ends at f->place is handed on; the token is for progress_end. NULL: not wanted. */
void *progress_begin(struct line_file *f);
/* The run of it is over, or there is none. */
void progress_end(void *token);
/* Its lines count no more: it is closed. */
void progress_forget(struct line_file *f);
/* The same, and it is read from its start: it was truncated. */
void progress_restart(struct line_file *f);
/* Calls for every file of the input in the old record, in their order. Returns how many. */
typedef void progress_call(struct line_input *in, const struct line_mark *mark, void *context);
size_t progress_each(struct line_input *in, progress_call *call, void *context);
/* Is it this file, by its first bytes, and has it as many? */
bool progress_is_of(const struct line_mark *mark, int fd);

/* ---- rotated.c ---- */
/* Opens the files of the record that are still there. Returns 0, 1 if the last of them is not, -1
 * if there is no record of this input. */
int rotated_restore(struct line_input *in);
/* Opens the file of this inode, at the path or beside it. -1: there is none. */
int rotated_open(const char *path, ino_t inode);
/* What stood at the path after a file and before the one that stands there now. */
struct missed {
	ino_t after;
	unsigned start_length; /* of that file, where it cannot be read here */
	uint64_t start_hash;
	size_t n;
	struct {
		int fd;
		ino_t inode;
	} found[ROTATED_MOST];
	bool cut; /* there are more */
};
/* Opens it, and waits for the file system; `now` is what stands there. */
void rotated_find(const char *path, int now, struct missed *m);
/* Puts what was found before `now`; the thread of `site` reads it, or the loop (NULL). What is not
 * taken is left, for rotated_drop. */
void rotated_take(struct line_input *in, struct missed *m, struct line_file *now,
		  struct site *site);
void rotated_drop(struct missed *m);

/* ---- of.c: the command of --of ---- */
/* Makes it ready. Returns 0, or -1 with `e`. */
int of_open(struct lines_source *s, struct error *e);
void of_start(struct lines_source *s);
/* No line is wanted any more: TERM to its process group, KILL after the stop timeout. When the
 * command has ended, so has the source. */
void of_stop(struct lines_source *s);
/* Does the command run? */
bool of_runs(const struct lines_source *s);
void of_close(struct lines_source *s);
/* Its pipe has no writer any more. */
void of_pipe_ended(struct lines_source *s);

/* ---- cut.c ---- */
/* Hands on the lines that are whole, for as long as they are wanted. */
void lines_cut(struct line_file *f);
/* Goes on with the line whose matching took all of a turn. */
void lines_match_on(struct lines_source *s);

/* ---- lines.c ---- */
/* Something is to be looked after every 200 ms. */
void lines_need_tick(struct lines_source *s);
/* Ends the source where no input has anything left. */
void lines_review(struct lines_source *s);
/* Reads nothing until a run is over. */
void lines_wait(struct lines_source *s);
/* Matching took all of this turn: nothing is read or cut before the next one. */
void lines_rest(struct lines_source *s);

#endif
