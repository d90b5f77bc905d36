/* See output.h. */
#include "job/output.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "job/job.h"
#include "job/sink.h"
#include "job/spool.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_LIMIT = 1024 * 1024, /* bytes that wait for a slow log file */
	CAPTURED = 65536,         /* the largest datagram that a reply can be */
	LONGEST_LINE = 65536,     /* a tagged line that never ends is cut here */
	CHUNK = 65536,
};

/* ---- the plan -------------------------------------------------------------------------------- */

/* A colour that stays with the rule's name; none where NO_COLOR (no-color.org) is set. */
static int make_prefix(struct output_plan *p, const char *rule)
{
	static const int colours[] = {36, 33, 32, 35, 34, 31};
	const char *none = getenv("NO_COLOR");
	struct buf b = {0};
	unsigned sum = 0;

	for (const char *c = rule; *c; c++)
		sum = sum * 31 + (unsigned char)*c;
	if (isatty(1) && !(none && *none))
		buf_printf(&b, "\033[%dm%s:\033[0m ", colours[sum % 6], rule);
	else
		buf_printf(&b, "%s: ", rule);
	p->prefix = buf_take(&b);
	return p->prefix ? 0 : -1;
}

static int open_log(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
}

static int open_target(struct output_plan *p, const char *path)
{
	p->file = open_log(path);
	if (p->file < 0)
		return -1;
	if (p->way != OUTPUT_FILE)
		return 0;
	p->file_sink = sink_open(p->reactor, p->file, FILE_LIMIT, NULL, NULL);
	p->sinks[0] = p->sinks[1] = p->file_sink;
	return p->file_sink ? 0 : -1;
}

int output_plan_open(struct output_plan *p, struct reactor *r, const struct job_config *c,
		     const char *rule, struct sink *out, struct sink *err, struct error *e)
{
	const char *where = c->output ? c->output : "inherit";

	*p = (struct output_plan){.reactor = r, .tag = c->tag, .clear = c->clear, .file = -1};
	p->sinks[0] = out;
	p->sinks[1] = err;
	list_init(&p->streams);
	if (p->tag && make_prefix(p, rule) < 0)
		return error_errno(e, "--tag");
	if (strcmp(where, "inherit") == 0) {
		p->way = OUTPUT_INHERIT;
	} else if (strcmp(where, "group") == 0) {
		p->way = OUTPUT_GROUP;
	} else {
		bool null = strcmp(where, "null") == 0;

		p->way = null ? OUTPUT_NULL : OUTPUT_FILE;
		if (open_target(p, null ? "/dev/null" : where) < 0)
			return error_errno(e, "--output %s", where);
	}
	return 0;
}

/* ---- tagged lines ---------------------------------------------------------------------------- */

struct stream {
	struct link link;
	struct output_plan *plan;
	struct io_watcher io;
	struct sink *sink;
	struct buf line;
};

static void write_tagged(struct output_plan *p, struct sink *sink, struct buf *out,
			 const char *line, size_t length)
{
	buf_clear(out);
	buf_add_text(out, p->prefix);
	buf_add(out, line, length);
	if (!length || line[length - 1] != '\n')
		buf_add_char(out, '\n');
	if (!out->failed)
		sink_write(sink, out->data, out->length);
}

/* Writes the whole lines of `text`, and with `all` what follows the last line break, too. */
static size_t write_lines(struct output_plan *p, struct sink *sink, const char *text, size_t length,
			  bool all)
{
	struct buf out = {0};
	size_t done = 0;

	while (done < length) {
		const char *end = memchr(text + done, '\n', length - done);
		size_t n = end ? (size_t)(end - text) + 1 - done : length - done;

		if (!end && !all)
			break;
		write_tagged(p, sink, &out, text + done, n);
		done += n;
	}
	buf_free(&out);
	return done;
}

static void stream_free(struct stream *s)
{
	int fd = s->io.fd;

	write_lines(s->plan, s->sink, s->line.data, s->line.length, true);
	io_stop(s->plan->reactor, &s->io);
	fd_close(&fd);
	list_remove(&s->link);
	buf_free(&s->line);
	free(s);
}

static void on_stream(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct stream *s = CONTAINER_OF(w, struct stream, io);
	ssize_t n;

	(void)r;
	(void)ready;
	if (buf_reserve(&s->line, CHUNK) < 0) {
		stream_free(s);
		return;
	}
	n = read(w->fd, s->line.data + s->line.length, CHUNK);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			stream_free(s);
		return;
	}
	s->line.length += (size_t)n;
	buf_consume(&s->line, write_lines(s->plan, s->sink, s->line.data, s->line.length,
					  s->line.length > LONGEST_LINE));
}

static int stream_open(struct output_plan *p, int which, int *fd)
{
	struct stream *s = calloc(1, sizeof *s);
	int pair[2];

	if (!s)
		return -1;
	if (pipe2(pair, O_CLOEXEC) < 0) {
		free(s);
		return -1;
	}
	fd_set_nonblocking(pair[0], true);
	s->plan = p;
	s->sink = p->sinks[which];
	io_init(&s->io, pair[0], IO_READ, on_stream);
	list_append(&p->streams, &s->link);
	*fd = pair[1];
	if (io_start(p->reactor, &s->io) == 0)
		return 0;
	fd_close(fd);
	stream_free(s);
	return -1;
}

void output_plan_close(struct output_plan *p)
{
	LIST_EACH(at, after, &p->streams)
	stream_free(CONTAINER_OF(at, struct stream, link));
	if (p->file_sink) {
		sink_flush(p->file_sink, 1000000000);
		sink_close(p->file_sink);
	}
	fd_close(&p->file);
	free(p->prefix);
	p->prefix = NULL;
}

/* Under the same number, which sinks and later runs use; what runs keeps the old file. */
int output_plan_reopen(struct output_plan *p, const char *path)
{
	struct stat st;
	int fd, result;

	if (p->way != OUTPUT_FILE || fstat(p->file, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	fd = open_log(path);
	if (fd < 0)
		return -1;
	result = dup3(fd, p->file, O_CLOEXEC);
	fd_close(&fd);
	return result < 0 ? -1 : 0;
}

/* ---- one run --------------------------------------------------------------------------------- */

static int open_files(struct output *o, int fds[3], int from, int to)
{
	for (int i = from; i < to; i++) {
		o->files[i] = unlinked_file();
		if (o->files[i] < 0)
			return -1;
		fds[i + 1] = o->files[i];
	}
	return 0;
}

static int open_streams(struct output *o, int fds[3])
{
	return stream_open(o->plan, 0, &fds[1]) < 0 || stream_open(o->plan, 1, &fds[2]) < 0 ? -1
											    : 0;
}

int output_open(struct output *o, struct output_plan *p, bool capture, int fds[3])
{
	static const char clear[] = "\033[H\033[2J\033[3J";
	int result = 0;

	*o = (struct output){.plan = p, .files = {-1, -1}, .capture = capture};
	if (p->clear && isatty(1))
		sink_write(p->sinks[0], clear, sizeof clear - 1);
	if (capture)
		result = open_files(o, fds, 0, 1);
	else if (fds[1] >= 0)
		; /* a connection */
	else if (p->way == OUTPUT_GROUP)
		result = open_files(o, fds, 0, 2);
	else if (p->tag && p->way != OUTPUT_NULL)
		result = open_streams(o, fds);
	else if (p->way != OUTPUT_INHERIT)
		fds[1] = fds[2] = p->file;
	if (result == 0)
		return 0;
	output_started(o, fds);
	fd_close(&o->files[0]);
	fd_close(&o->files[1]);
	return -1;
}

/* Pipes are the command's now; files are kept to be read. */
void output_started(struct output *o, int fds[3])
{
	for (int i = 1; i <= 2; i++)
		if (fds[i] >= 0 && fds[i] != o->plan->file && fds[i] != o->files[i - 1] &&
		    !o->capture && o->plan->tag)
			fd_close(&fds[i]);
}

static void write_group(struct output *o, int which)
{
	struct output_plan *p = o->plan;
	struct buf b = {0};
	off_t at = 0;
	ssize_t n;

	while (buf_reserve(&b, CHUNK) == 0 &&
	       (n = pread(o->files[which], b.data + b.length, CHUNK, at)) > 0) {
		size_t done;

		at += n;
		b.length += (size_t)n;
		done = b.length;
		if (p->tag)
			done = write_lines(p, p->sinks[which], b.data, b.length,
					   b.length > LONGEST_LINE);
		else
			sink_write(p->sinks[which], b.data, b.length);
		buf_consume(&b, done);
	}
	if (p->tag)
		write_lines(p, p->sinks[which], b.data, b.length, true);
	buf_free(&b);
}

void output_finish(struct output *o, struct buf *captured)
{
	if (o->capture && buf_reserve(captured, CAPTURED) == 0) {
		ssize_t n = pread(o->files[0], captured->data, CAPTURED, 0);

		captured->length = n > 0 ? (size_t)n : 0;
	}
	for (int i = 0; i < 2; i++) {
		if (o->files[i] >= 0 && !o->capture)
			write_group(o, i);
		fd_close(&o->files[i]);
	}
}
