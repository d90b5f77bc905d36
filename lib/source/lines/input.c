/*
 * Inputs of `lines`: pipes, terminals, regular files, FIFOs, and files that are followed.
 *
 * Nothing here sets O_NONBLOCK on a descriptor that others share: a readable descriptor is read
 * once and does not block. A regular file is always readable, so it is read a slice a turn. A
 * followed file at its end is woken by inotify; it was rotated when its path names another file,
 * and truncated when it is shorter than what was read.
 */
#include "source/lines/lines.h"
#include "source/missing.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLICE = 65536 };

static void on_readable(struct reactor *r, struct io_watcher *w, unsigned ready);

static struct reactor *reactor_of(const struct line_input *in)
{
	return in->owner->base.reactor;
}

static const struct lines_config *config_of(const struct line_input *in)
{
	return in->owner->base.config;
}

static void watch_descriptor(struct line_input *in)
{
	io_init(&in->io, in->fd, IO_READ, on_readable);
	in->io.priority = in->owner->base.priority;
}

/* ---- followed files -------------------------------------------------------------------------- */

/* Watches the file for growth, and its folder for what takes its place. */
static int watch_path(struct line_input *in)
{
	int notify = in->owner->notify_fd;
	const char *slash = strrchr(in->path, '/');
	char *folder = slash ? strndup(in->path, (size_t)(slash - in->path) + 1) : strdup(".");
	int result = -1;

	if (folder)
		result = inotify_add_watch(notify, folder, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
	free(folder);
	if (result >= 0 && in->fd >= 0 &&
	    inotify_add_watch(notify, in->path, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF) < 0 &&
	    errno != ENOENT)
		result = -1;
	return result < 0 ? -1 : 0;
}

static int open_followed(struct line_input *in, bool at_end)
{
	struct stat st;

	in->fd = open(in->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	in->mine = true;
	if (in->fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (fstat(in->fd, &st) < 0)
		return -1;
	in->device = st.st_dev;
	in->inode = st.st_ino;
	in->offset = 0;
	if (at_end && S_ISREG(st.st_mode))
		in->offset = lseek(in->fd, 0, SEEK_END);
	in->fifo = S_ISFIFO(st.st_mode);
	in->at_end = false;
	watch_descriptor(in);
	return 0;
}

static bool was_rotated(const struct line_input *in)
{
	struct stat st;

	return stat(in->path, &st) == 0 && (st.st_dev != in->device || st.st_ino != in->inode);
}

/* What was read last without its line's end is a line: what comes next is of another file. */
static void end_line(struct line_input *in)
{
	char end = config_of(in)->nul ? '\0' : '\n';
	bool partial =
	    in->taken < in->buf.length ? in->buf.data[in->buf.length - 1] != end : in->cutting;

	if (partial)
		buf_add_char(&in->buf, end);
	lines_arrived(in);
}

static void rewind_truncated(struct line_input *in)
{
	struct stat st;

	if (fstat(in->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < in->offset) {
		log_info(in->owner->base.rule, "%s was truncated: reading from its start",
			 in->path);
		in->offset = lseek(in->fd, 0, SEEK_SET);
		end_line(in);
	}
}

static void reopen_rotated(struct line_input *in)
{
	io_stop(reactor_of(in), &in->io);
	fd_close(&in->fd);
	in->rotated = false;
	end_line(in);
	log_info(in->owner->base.rule, "%s was replaced: reading the new file", in->path);
	if (open_followed(in, false) < 0 || watch_path(in) < 0)
		log_error(in->owner->base.rule, "cannot follow %s: %s", in->path, strerror(errno));
}

void input_changed(struct line_input *in)
{
	if (!in->followed)
		return;
	if (in->fd < 0) {
		if (open_followed(in, false) < 0 || watch_path(in) < 0)
			log_error(in->owner->base.rule, "cannot follow %s: %s", in->path,
				  strerror(errno));
	} else {
		rewind_truncated(in);
	}
	in->at_end = false;
	if (!in->owner->base.paused)
		input_want(in, true);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The last writer of a FIFO went. A new descriptor waits for the next one; an old one only hangs
 * up. */
static void reopen_fifo(struct line_input *in)
{
	int fd = open(in->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	io_stop(reactor_of(in), &in->io);
	if (fd < 0) {
		in->over = true;
		return;
	}
	fd_close(&in->fd);
	in->fd = fd;
	watch_descriptor(in);
}

static void at_end_of_file(struct line_input *in)
{
	if (in->followed && !in->fifo) {
		if (in->rotated) {
			reopen_rotated(in);
			input_want(in, !in->owner->base.paused);
		} else if (was_rotated(in)) {
			in->rotated = true; /* it may have been written until then: read on */
		} else {
			in->at_end = true;
			io_stop(reactor_of(in), &in->io);
			rewind_truncated(in);
		}
		return;
	}
	if (in->fifo && in->mine) {
		in->flushing = true; /* until the next writer's bytes come */
		lines_arrived(in);
		reopen_fifo(in);
		input_want(in, !in->owner->base.paused);
		return;
	}
	in->over = true;
	io_stop(reactor_of(in), &in->io);
	lines_arrived(in);
}

static void on_readable(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct line_input *in = CONTAINER_OF(w, struct line_input, io);
	ssize_t n;

	(void)ready;
	if (buf_reserve(&in->buf, SLICE) < 0) {
		log_error(in->owner->base.rule, "out of memory: waiting to read %s", in->path);
		io_stop(r, w);
		return;
	}
	n = read(in->fd, in->buf.data + in->buf.length, SLICE);
	if (n > 0) {
		in->flushing = false;
		in->buf.length += (size_t)n;
		in->offset += n;
		lines_arrived(in);
	} else if (n == 0) {
		at_end_of_file(in);
	} else if (errno != EINTR && errno != EAGAIN) {
		/* A terminal that went away ends like a file (EIO). */
		if (errno != EIO)
			log_error(in->owner->base.rule, "cannot read %s: %s", in->path,
				  strerror(errno));
		in->over = true;
		io_stop(r, w);
		lines_arrived(in);
	}
}

void input_want(struct line_input *in, bool more)
{
	if (in->fd < 0 || in->over || in->at_end || in->owner->stopped)
		return;
	if (!more || in->owner->resting)
		io_stop(reactor_of(in), &in->io);
	else if (io_start(reactor_of(in), &in->io) < 0)
		log_error(in->owner->base.rule, "cannot watch %s: %s", in->path, strerror(errno));
}

/* ---- life ------------------------------------------------------------------------------------ */

static int open_plain(struct line_input *in)
{
	struct stat st;

	in->fd = open(in->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	in->mine = true;
	if (in->fd < 0 || fstat(in->fd, &st) < 0)
		return -1;
	in->fifo = S_ISFIFO(st.st_mode);
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return -1;
	}
	return 0;
}

/* `-` and fd:N: the descriptor, or -1 when the word is a path. */
static int descriptor_of(const char *word)
{
	if (strcmp(word, "-") == 0)
		return 0;
	return strncmp(word, "fd:", 3) == 0 ? atoi(word + 3) : -1;
}

int input_open(struct line_input *in, struct error *e)
{
	int flags;

	in->fd = descriptor_of(in->path);
	if (in->fd >= 0) {
		flags = fcntl(in->fd, F_GETFL);
		if (flags < 0)
			return error_errno(e, "cannot read %s", in->path);
		if ((flags & O_ACCMODE) == O_WRONLY)
			return error_set(e, "cannot read %s: it is open for writing only",
					 in->path);
		watch_descriptor(in);
		return 0;
	}
	in->followed = config_of(in)->follow;
	if (in->followed) {
		if (open_followed(in, !config_of(in)->from) < 0 || watch_path(in) < 0)
			return error_errno(e, "cannot follow %s", in->path);
		if (in->fd < 0)
			missing_warn(&in->owner->base, in->path);
		return 0;
	}
	if (open_plain(in) < 0) {
		error_errno(e, "cannot read %s", in->path);
		if (errno == ENOENT)
			error_hint(e, "with --follow it may come later");
		return -1;
	}
	watch_descriptor(in);
	return 0;
}

void input_close(struct line_input *in)
{
	io_stop(reactor_of(in), &in->io);
	if (in->mine)
		fd_close(&in->fd);
	buf_free(&in->buf);
}
