/*
 * An input of `lines`: a descriptor, a file that is read once, or a path that is followed
 * (followed.c).
 *
 * Its files are read one after the other. Where the last line of one that has left its path has no
 * end yet, those behind it wait for that, at most PART.
 */
#include "source/lines/lines.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t PART = 1000000000;

static const struct lines_config *config_of(const struct line_input *in)
{
	return in->owner->base.config;
}

/* ---- what is read next ----------------------------------------------------------------------- */

/* At the end of a file that was left. False: those behind it wait for the end of its line. */
static bool pass_by(struct line_file *f)
{
	if (!file_has_part(f))
		return true;
	if (file_quiet_for(f) < PART) {
		lines_need_tick(f->input->owner);
		return false;
	}
	file_end_line(f);
	return !f->input->owner->base.paused;
}

/* Reads the first file that is not at its end, and no other. */
static void read_next(struct line_input *in)
{
	bool found = false;

	LIST_EACH(at, after, &in->files)
	{
		struct line_file *f = line_file_of(at);

		file_want(f, !found && !f->at_end);
		found = found || !f->at_end || (after != &in->files && !pass_by(f));
	}
}

void input_go_on(struct line_input *in)
{
	struct lines_source *s = in->owner;

	LIST_EACH(at, after, &in->files)
	if (!s->base.paused && !s->stopped)
		lines_cut(line_file_of(at));
	if (!s->base.paused && !s->stopped && !s->resting && !in->over && !progress_is_full(s))
		read_next(in);
}

void input_rest(struct line_input *in)
{
	LIST_EACH(at, after, &in->files)
	file_want(line_file_of(at), false);
}

bool input_is_done(const struct line_input *in)
{
	struct link *first = in->files.next;

	return in->over && (first == &in->files ||
			    line_file_of(first)->taken == line_file_of(first)->buf.length);
}

int input_open_path(const struct line_input *in)
{
	int fd = open(in->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode)))
		return fd;
	close(fd);
	errno = EISDIR;
	return -1;
}

/* ---- files say ------------------------------------------------------------------------------- */

/* Has the file more than this descriptor shows? On an overlay it may be that of the lower layer,
 * and the file was written since (Documentation/filesystems/overlayfs.rst, "Non-standard
 * behavior"). */
static bool shows_less(const struct line_file *f)
{
	struct stat st;

	return f->regular && !f->far && stat(f->input->path, &st) == 0 && st.st_dev == f->device &&
	       st.st_ino == f->inode && st.st_size > f->offset + f->hole;
}

void input_file_ended(struct line_input *in, struct line_file *f)
{
	int fd = !f->left && shows_less(f) ? input_open_path(in) : -1;

	if (fd >= 0) {
		file_reopen(f, fd);
		return;
	}
	if (in->owner->of) {
		of_pipe_ended(in->owner);
		return;
	}
	if (!in->followed) {
		in->over = true;
		lines_cut(f);
		lines_review(in->owner);
		return;
	}
	input_go_on(in);
}

/* One that went away ends like a file, with EIO. */
static bool is_terminal(const struct line_file *f)
{
	struct stat st;

	return fstat(f->fd, &st) == 0 && S_ISCHR(st.st_mode);
}

void input_file_failed(struct line_input *in, struct line_file *f)
{
	int error = errno;

	f->at_end = true;
	file_want(f, false);
	if (in->followed && !f->left) {
		followed_try_again(in, error);
		input_go_on(in);
		return;
	}
	if (error != EIO || !is_terminal(f)) {
		log_error(in->owner->base.rule, "cannot read %s: %s", in->path, strerror(error));
		in->owner->base.fell_short = true;
	}
	if (!in->followed)
		in->over = true;
	lines_cut(f);
	lines_review(in->owner);
}

/* ---- from time to time ----------------------------------------------------------------------- */

bool input_tick(struct line_input *in)
{
	bool more = false;

	LIST_EACH(at, after, &in->files)
	if (line_file_of(at)->left)
		more |= followed_linger(line_file_of(at));
	if (in->again)
		followed_retry(in);
	input_go_on(in);
	return more || in->again;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* `-` and fd:N: the descriptor, or -1 when the word is a path. */
static int descriptor_of(const char *word)
{
	if (strcmp(word, "-") == 0)
		return 0;
	return strncmp(word, "fd:", 3) == 0 ? atoi(word + 3) : -1;
}

static int take_descriptor(struct line_input *in, int fd, struct error *e)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0)
		return error_errno(e, "cannot read %s", in->path);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return error_set(e, "cannot read %s: it is a directory", in->path);
	if ((flags & O_ACCMODE) == O_WRONLY)
		return error_set(e, "cannot read %s: it is open for writing only", in->path);
	return file_new(in, fd, false) ? 0 : error_errno(e, "cannot read %s", in->path);
}

static int open_plain(struct line_input *in, struct error *e)
{
	int fd = input_open_path(in);

	if (fd >= 0 && file_new(in, fd, true))
		return 0;
	error_errno(e, "cannot read %s", in->path);
	if (errno == ENOENT && strpbrk(in->path, "*?["))
		error_hint(e, "it is a path, not a pattern: without quotes the shell expands it");
	else if (errno == ENOENT)
		error_hint(e, "add --follow to wait for it");
	fd_close(&fd);
	return -1;
}

int input_open(struct line_input *in, struct error *e)
{
	int fd = descriptor_of(in->path);

	list_init(&in->files);
	if (in->owner->of)
		return file_new(in, -1, true) ? 0 : error_errno(e, "--of");
	if (fd >= 0)
		return take_descriptor(in, fd, e);
	return config_of(in)->follow ? followed_start(in, e) : open_plain(in, e);
}

void input_close(struct line_input *in)
{
	if (in->followed)
		follow_stop(&in->follow);
	LIST_EACH(at, after, &in->files)
	file_free(line_file_of(at));
}
