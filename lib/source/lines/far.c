/*
 * A file of a file system that may hang: the thread of its mount (remote/sites.h) opens, reads and
 * closes it.
 *
 * One visit of the thread opens the file where it has no descriptor, looks whether it was
 * truncated, and reads a piece. The loop takes the piece, and asks for the next one while lines are
 * wanted; a piece that comes when none are is dropped, and read again later. Between the two the
 * thread alone has the descriptor, and the copy of the file's place that it works on. The
 * descriptor stays open, so that a file that was rotated or removed is read to its end.
 */
#include "source/lines/lines.h"

#include "base/fd.h"
#include "remote/sites.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct far_file {
	struct question base;
	struct line_file *file;
	struct timer soon; /* an answer is to be taken */
	bool busy;         /* a visit is under way, or its answer is not taken yet */
	bool again;        /* the file may have changed since that began */
	bool anew;         /* the next visit opens the path once more */

	/* The thread's during a visit, the loop's else. */
	char *path;            /* owned */
	struct line_file copy; /* of the file, with the descriptor */
	bool reopen, truncated;
	struct missed missed; /* what else the visit is to look for */
	char *bytes;          /* owned */
	ssize_t n;            /* as read(2) says */
	int error;
};

static struct far_file *of(struct question *q)
{
	return CONTAINER_OF(q, struct far_file, base);
}

/* ---- in the thread --------------------------------------------------------------------------- */

/* Is it the file that is meant? One that left its path is known by its first bytes as well. Of
 * another that stands at the path by now the next walk tells. */
static bool is_meant(struct line_file *f, int fd)
{
	struct line_mark mark = {f->offset, f->inode, f->start_length, f->start_hash};
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_ino != f->inode ||
	    (f->left && !progress_is_of(&mark, fd)))
		return false;
	f->device = st.st_dev;
	return true;
}

/* A FUSE may go by paths: what is read of a descriptor is then, in part, of the file that stands at
 * its path now. */
static bool has_strayed(const struct line_file *f)
{
	struct stat st;

	return fstat(f->fd, &st) == 0 && st.st_ino != f->inode;
}

/* A descriptor that was open shows what was cached then (nfs(5)): a new one replaces it, if it is
 * of the same file. Returns 0, or -1 with errno: there is none. */
static int open_file(struct far_file *far)
{
	struct line_file *f = &far->copy;
	int fd;

	if (f->fd >= 0 && !far->reopen && !has_strayed(f))
		return 0;
	fd = rotated_open(far->path, f->inode);
	if (fd >= 0 && !is_meant(f, fd)) {
		fd_close(&fd);
		errno = ENOENT;
	}
	if (fd < 0)
		return f->fd < 0 ? -1 : 0;
	fd_close(&f->fd);
	f->fd = fd;
	return 0;
}

/* NUL bytes at the end may still be written: no start is learnt from them. */
static ssize_t read_piece(struct far_file *far)
{
	struct line_file *f = &far->copy, read = *f;
	ssize_t n = pread(f->fd, far->bytes, LINE_SLICE, f->offset + f->hole);

	if (n < 0 || (n > 0 && !far->bytes[n - 1]))
		return n;
	read.offset += n ? f->hole + n : 0;
	file_learn_start(&read);
	f->start_length = read.start_length;
	f->start_hash = read.start_hash;
	return n;
}

static void *visit(struct question *q, uint64_t *sum)
{
	struct far_file *far = of(q);
	bool strayed;
	off_t size;

	*sum = q->sum + 1; /* each answer is news */
	rotated_drop(&far->missed);
	far->bytes = malloc(LINE_SLICE);
	far->n = far->bytes ? open_file(far) : -1;
	if (far->n == 0) {
		if (far->missed.after)
			rotated_find(far->path, far->copy.fd, &far->missed);
		strayed = has_strayed(&far->copy);
		far->truncated = !strayed && file_see(&far->copy, &size);
		far->n = strayed ? 0 : read_piece(far);
	}
	far->error = errno;
	return far;
}

/* An answer is the question itself. */
static void release(void *answer)
{
	(void)answer;
}

static void far_free(struct question *q)
{
	struct far_file *far = of(q);

	fd_close(&far->copy.fd);
	rotated_drop(&far->missed);
	free(far->bytes);
	free(far->path);
	free(far);
}

/* ---- in the loop ----------------------------------------------------------------------------- */

/* What a visit is to go by. */
static void prepare(struct far_file *far)
{
	int fd = far->copy.fd;

	far->copy = *far->file;
	far->copy.fd = fd;
	far->reopen = far->anew;
	far->busy = true;
	far->anew = far->again = false;
}

static void ask(struct far_file *far)
{
	prepare(far);
	question_repeat(&far->base);
}

void far_want(struct line_file *f, bool more)
{
	f->wanted = more;
	if (more && !f->far->busy)
		ask(f->far);
}

/* Until the answer comes there may be more to read. */
void far_look(struct line_file *f, bool anew)
{
	f->at_end = false;
	f->far->anew |= anew;
	if (f->far->busy)
		f->far->again = true;
	else
		ask(f->far);
}

/* One that left its path is not asked for again. */
static void failed(struct far_file *far)
{
	struct line_file *f = far->file;
	struct line_input *in = f->input;

	errno = far->error;
	if (errno == ENOENT) {
		f->at_end = true;
		if (f->left && f->offset)
			followed_say_lost(in);
	} else {
		input_file_failed(in, f);
	}
	if (f->left)
		far_close(f);
	input_go_on(in);
}

/* What is not wanted now, or is not all there is, is read again. */
static void take(struct far_file *far)
{
	struct line_file *f = far->file;

	f->device = far->copy.device;
	f->offset = far->copy.offset;
	f->hole = far->copy.hole;
	if (!f->left)
		f->input->said = 0;
	if (far->truncated)
		file_restart(f);
	if (far->missed.after) {
		far->missed.after = 0;
		rotated_take(f->input, &far->missed, f, far->base.site);
		input_go_on(f->input); /* those come first */
	}
	if (far->n ? !f->wanted || !file_has_room(f) : far->again)
		return;
	f->start_length = far->copy.start_length;
	f->start_hash = far->copy.start_hash;
	if (far->n)
		memcpy(f->buf.data + f->buf.length, far->bytes, (size_t)far->n);
	file_took(f, far->n);
}

static void on_soon(struct reactor *r, struct timer *t)
{
	struct far_file *far = CONTAINER_OF(t, struct far_file, soon);
	struct line_file *f = far->file;
	int fd = far->copy.fd;

	(void)r;
	if (far->n >= 0)
		take(far);
	free(far->bytes);
	far->bytes = NULL;
	far->busy = false;
	if (far->again || (far->n < 0 && (far->error == EINTR || f->left != far->copy.left)))
		far_look(f, false);
	else if (far->n < 0)
		failed(far);
	else if (f->wanted)
		ask(far);
	followed_shed(f->input, fd);
}

static void answered(struct question *q)
{
	struct far_file *far = of(q);

	timer_start_soon(far->file->input->owner->base.reactor, &far->soon);
}

static void forget(struct question *q)
{
	struct far_file *far = of(q);

	timer_stop(far->file->input->owner->base.reactor, &far->soon);
	far->file->far = NULL;
	far->file->at_end = true;
}

/* ---- life ------------------------------------------------------------------------------------ */

void far_close(struct line_file *f)
{
	if (f->far)
		question_drop(&f->far->base);
}

int far_open(struct line_file *f, struct site *site, int fd, const struct line_file *last)
{
	static const struct question_type type = {true, visit, release, answered, forget, far_free};
	struct far_file *far = calloc(1, sizeof *far);

	if (far)
		far->path = strdup(f->input->path);
	if (!far || !far->path) {
		free(far);
		return -1;
	}
	far->base.type = &type;
	far->file = f;
	timer_init(&far->soon, CLOCK_OF_LOOP, on_soon);
	far->soon.priority = f->input->owner->base.priority;
	if (last)
		far->missed = (struct missed){.after = last->inode,
					      .start_length = last->start_length,
					      .start_hash = last->start_hash};
	f->far = far;
	f->regular = true;
	f->at_end = false;
	far->copy.fd = fd;
	prepare(far);
	question_put(&far->base, site);
	return 0;
}
