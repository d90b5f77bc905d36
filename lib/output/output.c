/* See output.h. */
#include "output/output.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/safe_open.h"
#include "base/units.h"
#include "output/sink.h"
#include "output/stream.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_LIMIT = 1024 * 1024 }; /* bytes that wait for a slow log file */
#define FLUSH NS_PER_S             /* at the end, for it to take them */

/* ---- the plan -------------------------------------------------------------------------------- */

/* A colour that stays with the rule's name; none where NO_COLOR (no-color.org) is set. */
static char *make_prefix(const struct output_plan *p, const char *rule, int fd)
{
	static const int colours[] = {36, 33, 32, 35, 34, 31};
	const char *none = getenv("NO_COLOR");
	struct buf b = {0};
	unsigned sum = 0;

	for (const char *c = rule; *c; c++)
		sum = sum * 31 + (unsigned char)*c;
	if (!p->tag)
		buf_add_text(&b, "");
	else if (isatty(fd) && !(none && *none))
		buf_printf(&b, "\033[%dm%s:\033[0m ", colours[sum % 6], rule);
	else
		buf_printf(&b, "%s: ", rule);
	return buf_take(&b);
}

static int make_prefixes(struct output_plan *p, const char *rule)
{
	for (int i = 0; i < 2; i++) {
		p->prefixes[i] = make_prefix(p, rule, p->way == OUTPUT_FILE ? p->file : i + 1);
		if (!p->prefixes[i])
			return -1;
	}
	return 0;
}

/*
 * Without waiting for anything. A FIFO is opened for reading too, as Linux allows (fifo(7)): so it
 * needs no reader, and what is written while there is none waits in it for the next one.
 */
static int open_log(const char *path, struct error *e)
{
	struct stat st;
	int way = stat(path, &st) == 0 && S_ISFIFO(st.st_mode) ? O_RDWR : O_WRONLY;
	int fd =
	    safe_open(path, way | O_APPEND | O_CREAT, 0666, SAFE_FIFO | SAFE_DEVICE, "--output", e);

	/* Commands get it as their standard output, and expect it to block. */
	if (fd >= 0 && fd_set_nonblocking(fd, false) < 0) {
		error_errno(e, "--output %s", path);
		fd_close(&fd);
	}
	return fd;
}

static void on_file(void *plan, enum sink_news news, int error)
{
	const struct output_plan *p = plan;

	if (news == SINK_BROKEN)
		log_error(p->rule, "cannot write to %s: %s: its lines are lost", p->path,
			  strerror(error));
	else if (news == SINK_STALLED)
		log_error(p->rule, "cannot write to %s: %s: trying again every second", p->path,
			  strerror(error));
	else if (news == SINK_RESUMED)
		log_warn(p->rule, "%s can be written again", p->path);
}

static int open_target(struct output_plan *p, const char *path, struct error *e)
{
	p->path = path;
	p->file = open_log(path, e);
	if (p->file < 0)
		return -1;
	if (p->way != OUTPUT_FILE)
		return 0;
	p->file_sink = sink_open(p->reactor, p->file, FILE_LIMIT,
				 (struct sink_owner){on_file, p, sink_budget(p->sinks[0])});
	p->sinks[0] = p->sinks[1] = p->file_sink;
	return p->file_sink ? 0 : error_errno(e, "--output %s", path);
}

void output_plan_renamed(struct output_plan *p)
{
	for (int i = 0; i < 2; i++) {
		char *anew = make_prefix(p, p->rule, p->way == OUTPUT_FILE ? p->file : i + 1);

		if (!anew)
			continue; /* out of memory: the old one goes on */
		free(p->prefixes[i]);
		p->prefixes[i] = anew;
	}
}

int output_plan_open(struct output_plan *p, struct reactor *r, const struct output_config *c,
		     const char *rule, struct sink *out, struct sink *err, struct error *e)
{
	const char *where = c->where ? c->where : "inherit";

	*p = (struct output_plan){.reactor = r, .rule = rule, .tag = c->tag, .file = -1};
	p->screen = c->clear && isatty(1) ? out : NULL;
	p->sinks[0] = out;
	p->sinks[1] = err;
	list_init(&p->streams);
	if (strcmp(where, "inherit") == 0) {
		p->way = OUTPUT_INHERIT;
	} else if (strcmp(where, "group") == 0) {
		p->way = OUTPUT_GROUP;
	} else {
		bool null = strcmp(where, "null") == 0;

		p->way = null ? OUTPUT_NULL : OUTPUT_FILE;
		if (open_target(p, null ? "/dev/null" : where, e) < 0)
			return -1;
	}
	if (make_prefixes(p, rule) < 0)
		return error_errno(e, "cannot prepare the output");
	return 0;
}

void output_plan_close(struct output_plan *p)
{
	streams_close(&p->streams);
	if (p->file_sink) {
		if (sink_flush(p->file_sink, FLUSH) < 0)
			log_error(p->rule, "cannot write to %s: %s: its last lines are lost",
				  p->path, strerror(errno));
		sink_close(p->file_sink);
	}
	fd_close(&p->file);
	free(p->prefixes[0]);
	free(p->prefixes[1]);
	p->prefixes[0] = p->prefixes[1] = NULL;
}

/* Under the same number, which sinks and later runs use; what runs keeps the old file. */
int output_plan_reopen(struct output_plan *p)
{
	struct stat st;
	struct error e;
	int fd, result;

	if (p->way != OUTPUT_FILE || (stat(p->path, &st) == 0 && !S_ISREG(st.st_mode)))
		return 0; /* what is no file is not rotated */
	fd = open_log(p->path, &e);
	if (fd < 0)
		return -1;
	result = dup3(fd, p->file, O_CLOEXEC);
	fd_close(&fd);
	return result < 0 ? -1 : sink_renew(p->file_sink);
}

/* ---- one run --------------------------------------------------------------------------------- */

static int open_stream(struct output *o, int which, int *fd)
{
	struct output_plan *p = o->plan;
	bool capture = o->capture && which == 0;
	struct stream_setup setup = {
	    .reactor = p->reactor,
	    .list = &p->streams,
	    .rule = p->rule,
	    .sink = capture ? NULL : p->sinks[which],
	    .prefix = capture ? NULL : &p->prefixes[which],
	    .held = capture || p->way == OUTPUT_GROUP,
	};

	o->streams[which] = stream_open(&setup, fd);
	return o->streams[which] ? 0 : -1;
}

/* What one of the two needs. */
static int open_one(struct output *o, int which, int *fd)
{
	const struct output_plan *p = o->plan;

	if (*fd >= 0)
		return 0; /* a connection */
	if (o->capture && which == 0)
		return open_stream(o, which, fd);
	if (p->way == OUTPUT_GROUP || (p->tag && p->way != OUTPUT_NULL))
		return open_stream(o, which, fd);
	*fd = p->file;
	return 0;
}

int output_open(struct output *o, struct output_plan *p, bool capture, int fds[3])
{
	static const char clear[] = "\033[H\033[2J\033[3J";

	*o = (struct output){.plan = p, .capture = capture};
	if (p->screen)
		sink_write(p->screen, clear, sizeof clear - 1);
	if (open_one(o, 0, &fds[1]) == 0 && open_one(o, 1, &fds[2]) == 0)
		return 0;
	output_started(o, fds);
	output_finish(o, NULL);
	return -1;
}

/* The pipes' ends are the command's now. */
void output_started(struct output *o, int fds[3])
{
	for (int i = 0; i < 2; i++)
		if (o->streams[i])
			fd_close(&fds[i + 1]);
}

void output_finish(struct output *o, struct buf *captured)
{
	for (int i = 0; i < 2; i++) {
		struct stream *s = o->streams[i];

		o->streams[i] = NULL;
		if (s && o->capture && i == 0)
			stream_capture(s, captured);
		else if (s)
			stream_end(s);
	}
}
