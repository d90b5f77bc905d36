/*
 * One open file of `lines`: pipe, terminal, FIFO, device, or a regular file that grows.
 *
 * Nothing here sets O_NONBLOCK on a descriptor that others share: a readable descriptor is read
 * once and does not block. A regular file is always readable, so it is read a slice a turn, until
 * its end.
 *
 * A followed file may have room that is written later: NUL bytes at its end are passed over, and
 * looked at again when it was modified (fallocate(2); a database's log).
 */
#include "source/lines/lines.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct lines_source *owner_of(const struct line_file *f)
{
	return f->input->owner;
}

static const struct lines_config *config_of(const struct line_file *f)
{
	return owner_of(f)->base.config;
}

/* ---- ends ------------------------------------------------------------------------------------ */

bool file_has_part(const struct line_file *f)
{
	char end = config_of(f)->nul ? '\0' : '\n';

	return f->taken < f->buf.length ? f->buf.data[f->buf.length - 1] != end : f->cutting;
}

/* What comes next is of another file, or of a line that was never joined with this one. There is
 * room for the byte: the buffer may hold a line that is being matched, and does not move. */
void file_end_line(struct line_file *f)
{
	if (file_has_part(f) && buf_add_char(&f->buf, config_of(f)->nul ? '\0' : '\n') == 0)
		f->place--; /* that byte is not in the file */
	lines_cut(f);
}

/* The last writer of a FIFO went. A new descriptor waits for the next one; an old one only hangs
 * up. */
static void fifo_ended(struct line_file *f)
{
	int fd;

	f->flushing = true; /* until the next writer's bytes come */
	lines_cut(f);
	fd = open(f->input->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		file_reopen(f, fd);
	else
		input_file_failed(f->input, f);
}

static void ended(struct line_file *f)
{
	f->at_end = true;
	file_want(f, false);
	input_file_ended(f->input, f);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* How many of `n` bytes, just read into the buffer's end, are to be taken now. */
static size_t less_the_hole(struct line_file *f, size_t n)
{
	const char *bytes = f->buf.data + f->buf.length;
	size_t left = n;

	if (!f->regular || config_of(f)->nul) {
		f->offset += (off_t)n;
		return n;
	}
	while (left && !bytes[left - 1])
		left--;
	if (!left) {
		f->hole += (off_t)n;
		return 0;
	}
	f->removed += f->hole; /* they are of the line that is read: there is no end among them */
	f->offset += f->hole + (off_t)left;
	f->hole = (off_t)(n - left);
	return left;
}

/* FNV-1a: the same in every process. False: the file is shorter. */
bool file_start_hash(int fd, unsigned length, uint64_t *hash)
{
	unsigned char bytes[LINE_FILE_START];

	if (pread(fd, bytes, length, 0) != (ssize_t)length)
		return false;
	*hash = UINT64_C(0xcbf29ce484222325);
	for (unsigned i = 0; i < length; i++)
		*hash = (*hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return true;
}

/* Only bytes that were read count: others may still be written. */
void file_learn_start(struct line_file *f)
{
	unsigned length = f->offset < LINE_FILE_START ? (unsigned)f->offset : LINE_FILE_START;

	if (f->fd >= 0 && (f->regular || owner_of(f)->progress) && length > f->start_length &&
	    file_start_hash(f->fd, length, &f->start_hash))
		f->start_length = length;
}

/* Was it truncated, and written again beyond where it is read? */
static bool was_overwritten(const struct line_file *f)
{
	uint64_t now;

	return f->start_length && file_start_hash(f->fd, f->start_length, &now) &&
	       now != f->start_hash;
}

static ssize_t read_more(struct line_file *f)
{
	char *room = f->buf.data + f->buf.length;

	return f->regular ? pread(f->fd, room, LINE_SLICE, f->offset + f->hole)
			  : read(f->fd, room, LINE_SLICE);
}

static void failed(struct line_file *f)
{
	/* Records that were overwritten before they were read (/dev/kmsg): the next ones come. */
	if (errno == EPIPE) {
		if (f->input->said != EPIPE)
			log_warn(owner_of(f)->base.rule,
				 "%s was overwritten before it was read: lines are missing",
				 f->input->path);
		f->input->said = EPIPE;
		return;
	}
	input_file_failed(f->input, f);
}

bool file_has_room(struct line_file *f)
{
	if (buf_reserve(&f->buf, LINE_SLICE + 1) == 0)
		return true;
	log_error(owner_of(f)->base.rule, "out of memory: waiting to read %s", f->input->path);
	file_want(f, false);
	f->input->again = true;
	lines_need_tick(owner_of(f));
	return false;
}

void file_took(struct line_file *f, ssize_t n)
{
	if (n > 0) {
		f->flushing = false;
		f->buf.length += less_the_hole(f, (size_t)n);
		f->buf.data[f->buf.length] = '\0';
		file_learn_start(f);
		f->grew = reactor_now(owner_of(f)->base.reactor, CLOCK_OF_LOOP);
		lines_cut(f);
	} else if (n < 0) {
		if (errno != EINTR && errno != EAGAIN)
			failed(f);
	} else if (f->fifo) {
		fifo_ended(f);
	} else {
		ended(f);
	}
}

static void on_readable(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct line_file *f = CONTAINER_OF(w, struct line_file, io);

	(void)r;
	(void)ready;
	if (file_has_room(f))
		file_took(f, read_more(f));
}

void file_want(struct line_file *f, bool more)
{
	struct reactor *r = owner_of(f)->base.reactor;

	more = more && !f->at_end && !owner_of(f)->stopped && !owner_of(f)->resting;
	if (f->far)
		far_want(f, more);
	else if (f->fd >= 0 && !more)
		io_stop(r, &f->io);
	else if (f->fd >= 0 && io_start(r, &f->io) < 0)
		log_error(owner_of(f)->base.rule, "cannot watch %s: %s", f->input->path,
			  strerror(errno));
}

/* ---- changes --------------------------------------------------------------------------------- */

/* Is what was a hole written to by now? */
static bool hole_was_written(const struct line_file *f)
{
	char first = '\0';

	return f->hole && pread(f->fd, &first, 1, f->offset) == 1 && first;
}

int64_t file_quiet_for(const struct line_file *f)
{
	return reactor_now(f->input->owner->base.reactor, CLOCK_OF_LOOP) - f->grew;
}

bool file_see(struct line_file *f, off_t *size)
{
	struct stat st;

	*size = 0;
	if (fstat(f->fd, &st) < 0 || (st.st_size < f->offset && f->left))
		return false; /* on a FUSE that is the size of what stands at the path now */
	*size = st.st_size;
	if (st.st_size < f->offset || (!f->left && was_overwritten(f))) {
		f->offset = f->hole = 0;
		f->start_length = 0;
		return true;
	}
	if (hole_was_written(f) || st.st_size < f->offset + f->hole)
		f->hole = 0;
	return false;
}

void file_restart(struct line_file *f)
{
	log_info(owner_of(f)->base.rule, "%s was truncated: reading from its start",
		 f->input->path);
	file_end_line(f);
	progress_restart(f);
}

void file_look(struct line_file *f)
{
	off_t size;

	if (f->far)
		far_look(f, false);
	if (!f->regular || f->fd < 0)
		return;
	if (file_see(f, &size))
		file_restart(f);
	if (size <= f->offset + f->hole)
		return;
	f->at_end = false;
	f->grew = reactor_now(owner_of(f)->base.reactor, CLOCK_OF_LOOP);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void watch(struct line_file *f)
{
	io_init(&f->io, f->fd, IO_READ, on_readable);
	f->io.priority = owner_of(f)->base.priority;
}

void file_skip(struct line_file *f, off_t offset)
{
	f->offset = f->place = f->done = offset;
	file_learn_start(f);
}

struct line_file *file_new(struct line_input *in, int fd, bool mine)
{
	struct line_file *f = calloc(1, sizeof *f);
	struct stat st;

	if (!f)
		return NULL;
	f->input = in;
	f->fd = fd;
	f->mine = mine;
	f->slot = -1;
	list_init(&f->pending);
	if (mine && fstat(fd, &st) == 0) {
		f->device = st.st_dev;
		f->inode = st.st_ino;
		f->fifo = S_ISFIFO(st.st_mode);
		f->regular = S_ISREG(st.st_mode) && in->followed;
	}
	watch(f);
	list_append(&in->files, &f->link);
	return f;
}

void file_reopen(struct line_file *f, int fd)
{
	io_stop(owner_of(f)->base.reactor, &f->io);
	fd_close(&f->fd);
	f->fd = fd;
	watch(f);
	f->at_end = false;
	input_go_on(f->input);
}

void file_free(struct line_file *f)
{
	progress_forget(f);
	list_remove(&f->link);
	far_close(f);
	if (f->fd >= 0)
		io_stop(owner_of(f)->base.reactor, &f->io);
	if (f->mine)
		fd_close(&f->fd);
	buf_free(&f->buf);
	free(f);
}
