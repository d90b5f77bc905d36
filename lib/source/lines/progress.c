/*
 * --catch-up: how far each file was read, by lines whose run is over. See lines.h.
 *
 * A record has a line a file, in the order of reading:
 *
 *	OFFSET INODE LENGTH HASH PATH
 *
 * PATH is the rule's word, escaped; LENGTH and HASH are of the file's first bytes, since inodes are
 * used again. The numbers have a fixed width: while the files stay the same a number is written
 *over the old one, which a kill cannot tear; when they change the whole record is replaced. The
 *disk is not waited for: after a power cut more lines may be run again.
 *
 * Lines may end out of order (--jobs): a file's offset is behind the last one before which all are
 * over. No more than --jobs lines are handed on beyond that: more would be run again after a kill.
 */
#include "source/lines/lines.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/safe_open.h"
#include "base/scan.h"
#include "base/text.h"
#include "source/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A line on its way through the rule. */
struct pending_line {
	struct link link, all;
	struct progress *owner;
	struct line_file *file; /* NULL: that is closed, or was truncated */
	off_t end;
	bool done;
};

struct progress {
	struct link lines; /* all that are pending */
	size_t n;
	char *path;
	int lock, fd;
	struct buf old; /* the record that was found, for inputs that are still to begin */
	bool said;      /* that it cannot be written */
};

/* ---- writing --------------------------------------------------------------------------------- */

static int numbers(char *text, size_t size, const struct line_mark *m)
{
	return snprintf(text, size, "%020" PRIu64 " %020" PRIu64 " %04u %016" PRIx64 " ",
			(uint64_t)m->offset, (uint64_t)m->inode, m->start_length, m->start_hash);
}

static struct line_mark mark_of(const struct line_file *f)
{
	return (struct line_mark){f->done, f->inode, f->start_length, f->start_hash};
}

static void say_unwritten(struct lines_source *s, const char *why)
{
	if (!s->progress->said)
		log_error(s->base.rule,
			  "cannot remember how far %s was read: %s: lines may be run again",
			  s->progress->path, why);
	s->progress->said = true;
}

static void write_file(struct line_file *f)
{
	struct lines_source *s = f->input->owner;
	struct line_mark mark = mark_of(f);
	char text[80];
	int n;

	if (f->slot < 0)
		return;
	n = numbers(text, sizeof text, &mark);
	if (pwrite(s->progress->fd, text, (size_t)n, f->slot) != n)
		say_unwritten(s, strerror(errno));
}

static void add_mark(struct buf *out, const struct line_input *in, const struct line_mark *mark)
{
	char text[80];

	numbers(text, sizeof text, mark);
	buf_add_text(out, text);
	escape_word(out, in->path, strlen(in->path));
	buf_add_char(out, '\n');
}

static void add_file(struct buf *out, struct line_file *f)
{
	struct line_mark mark = mark_of(f);

	f->slot = (off_t)out->length;
	add_mark(out, f->input, &mark);
}

static void keep_mark(struct line_input *in, const struct line_mark *mark, void *out)
{
	add_mark(out, in, mark);
}

/* A rename: a kill leaves the old record, or the new one. */
static void replace(struct lines_source *s)
{
	struct progress *p = s->progress;
	struct buf out = {0};
	struct error e = {.what = "out of memory"};

	fd_close(&p->fd);
	for (size_t i = 0; i < s->n_inputs; i++) {
		struct line_input *in = &s->inputs[i];

		LIST_EACH(at, after, &in->files)
		add_file(&out, line_file_of(at));
		if (in->unanswered)
			progress_each(in, keep_mark, &out);
	}
	if (out.failed ||
	    file_replace(p->path, out.data ? out.data : "", out.length, 0644, false, &e) < 0)
		say_unwritten(s, e.what);
	else
		p->fd = open(p->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	buf_free(&out);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void line_free(struct pending_line *line)
{
	list_remove(&line->link);
	list_remove(&line->all);
	line->owner->n--;
	free(line);
}

bool progress_is_full(const struct lines_source *s)
{
	return s->progress && s->progress->n >= s->base.jobs;
}

void *progress_begin(struct line_file *f)
{
	struct lines_source *s = f->input->owner;
	struct pending_line *line;

	if (!s->progress)
		return NULL;
	if (f->slot < 0)
		replace(s);
	line = calloc(1, sizeof *line);
	if (!line)
		return NULL;
	line->file = f;
	line->end = f->place;
	list_append(&f->pending, &line->link);
	list_append(&s->progress->lines, &line->all);
	s->progress->n++;
	line->owner = s->progress;
	return line;
}

void progress_end(void *token)
{
	struct pending_line *line = token;
	struct line_file *f = line ? line->file : NULL;
	bool further = false;

	if (line && !f)
		line_free(line);
	if (!f)
		return;
	line->done = true;
	LIST_EACH(at, after, &f->pending)
	{
		line = CONTAINER_OF(at, struct pending_line, link);
		if (!line->done)
			break;
		f->done = line->end;
		further = true;
		line_free(line);
	}
	if (further)
		write_file(f);
}

void progress_forget(struct line_file *f)
{
	LIST_EACH(at, after, &f->pending)
	{
		struct pending_line *line = CONTAINER_OF(at, struct pending_line, link);

		list_remove(&line->link);
		line->file = NULL;
		if (line->done)
			line_free(line);
	}
}

void progress_restart(struct line_file *f)
{
	progress_forget(f);
	f->done = f->place = 0;
	f->start_length = 0;
	f->start_hash = 0;
	if (f->input->owner->progress)
		write_file(f);
}

/* ---- the record of the time before ------------------------------------------------------------
 */

/* The next line about `path`. False: there is none. */
static bool next_mark(const char **at, const char *path, struct line_mark *mark)
{
	while (*at && **at) {
		const char *line = *at, *end = strchr(line, '\n');
		uint64_t offset, inode, length;

		*at = end ? end + 1 : NULL;
		if (!end || !scan_number(&line, 10, &offset) || !scan_number(&line, 10, &inode) ||
		    !scan_number(&line, 10, &length) || !scan_number(&line, 16, &mark->start_hash))
			return false;
		mark->offset = (off_t)offset;
		mark->inode = (ino_t)inode;
		mark->start_length = (unsigned)length;
		line += strspn(line, " ");
		if ((size_t)(end - line) == strlen(path) && memcmp(line, path, strlen(path)) == 0)
			return true;
	}
	return false;
}

size_t progress_each(struct line_input *in, progress_call *call, void *context)
{
	struct progress *p = in->owner->progress;
	struct buf path = {0};
	struct line_mark mark;
	const char *at = p ? p->old.data : NULL;
	size_t n = 0;

	escape_word(&path, in->path, strlen(in->path));
	while (!path.failed && next_mark(&at, path.data ? path.data : "", &mark)) {
		n++;
		call(in, &mark, context);
	}
	buf_free(&path);
	return n;
}

bool progress_is_of(const struct line_mark *mark, int fd)
{
	uint64_t hash;

	return lseek(fd, 0, SEEK_END) >= mark->offset && mark->start_length <= LINE_FILE_START &&
	       file_start_hash(fd, mark->start_length, &hash) &&
	       (!mark->start_length || hash == mark->start_hash);
}

static int read_old(struct progress *p, struct error *e)
{
	int fd = safe_open(p->path, O_RDONLY, 0, 0, "cannot read", e);
	ssize_t n = 1;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	while (n > 0 && buf_reserve(&p->old, 4096) == 0) {
		n = read(fd, p->old.data + p->old.length, 4096);
		p->old.length += n > 0 ? (size_t)n : 0;
		p->old.data[p->old.length] = '\0';
	}
	close(fd);
	if (n == 0 && (!p->old.length || p->old.data[p->old.length - 1] == '\n'))
		return 0;
	error_set(e, "%s does not hold how far files were read", p->path);
	return error_hint(e, "remove it, and nothing is caught up");
}

/* ---- life ------------------------------------------------------------------------------------ */

int progress_open(struct lines_source *s, struct error *e)
{
	const struct lines_config *c = s->base.config;
	struct progress *p;

	if (!c->catch_up)
		return 0;
	p = s->progress = calloc(1, sizeof *p);
	if (!p)
		return error_errno(e, "--catch-up");
	p->fd = p->lock = -1;
	list_init(&p->lines);
	p->lock = record_lock(&s->base, c->catch_up, e);
	p->path = record_path(c->catch_up, s->base.rule, ".lines");
	if (p->lock >= 0 && p->path)
		return read_old(p, e);
	return p->path ? -1 : error_errno(e, "--catch-up");
}

void progress_start(struct lines_source *s)
{
	if (s->progress)
		replace(s);
}

int progress_lock(const struct lines_source *s)
{
	return s->progress ? s->progress->lock : -1;
}

void progress_close(struct lines_source *s)
{
	struct progress *p = s->progress;

	if (!p)
		return;
	fd_close(&p->fd);
	fd_close(&p->lock);
	LIST_EACH(at, after, &p->lines)
	line_free(CONTAINER_OF(at, struct pending_line, all));
	buf_free(&p->old);
	free(p->path);
	free(p);
	s->progress = NULL;
}
