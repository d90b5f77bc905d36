/*
 * An input of `lines`: a descriptor, a file that is read once, or a path that is followed.
 *
 * What stood at a followed path goes on being read when something else stands there: it may have
 * been written until then, and its writer may keep it open a while. So its files are a list. One
 * that has left the path is read to its end, before those behind it, and closed when it has not
 * grown for LINGER. Until then it is looked at five times a second; it has no watch any more. If
 * its last line has no end yet, those behind it wait for that, at most PART.
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
#include <sys/stat.h>
#include <unistd.h>

static const int64_t LINGER = 5000000000, PART = 1000000000;

enum { MOST_UNREAD = 1000 }; /* files of a path that wait to be read */

static const struct lines_config *config_of(const struct line_input *in)
{
	return in->owner->base.config;
}

static struct line_file *file_at(struct link *link)
{
	return CONTAINER_OF(link, struct line_file, link);
}

static struct line_file *last_file(struct line_input *in)
{
	struct link *last = in->files.prev;

	return last && last != &in->files ? file_at(last) : NULL;
}

/* What stands at the path, as far as it could be opened; NULL: nothing. */
static struct line_file *current(struct line_input *in)
{
	struct line_file *last = last_file(in);

	return last && !last->left ? last : NULL;
}

static int64_t quiet_for(const struct line_file *f)
{
	return reactor_now(f->input->owner->base.reactor, CLOCK_OF_LOOP) - f->grew;
}

/* ---- what is read next ----------------------------------------------------------------------- */

/* At the end of a file that was left. False: those behind it wait for the end of its line. */
static bool pass_by(struct line_file *f)
{
	if (!file_has_part(f))
		return true;
	if (quiet_for(f) < PART) {
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
		struct line_file *f = file_at(at);

		file_want(f, !found && !f->at_end);
		found = found || !f->at_end || (after != &in->files && !pass_by(f));
	}
}

void input_go_on(struct line_input *in)
{
	struct lines_source *s = in->owner;

	LIST_EACH(at, after, &in->files)
	if (!s->base.paused && !s->stopped)
		lines_cut(file_at(at));
	if (!s->base.paused && !s->stopped && !s->resting && !in->over && !progress_is_full(s))
		read_next(in);
}

void input_rest(struct line_input *in)
{
	LIST_EACH(at, after, &in->files)
	file_want(file_at(at), false);
}

bool input_is_done(const struct line_input *in)
{
	struct link *first = in->files.next;

	return in->over &&
	       (first == &in->files || file_at(first)->taken == file_at(first)->buf.length);
}

/* ---- followed paths -------------------------------------------------------------------------- */

/* Says once why nothing is read. */
static void say(struct line_input *in, int error)
{
	if (in->said == error)
		return;
	in->said = error;
	if (error == ENOENT)
		missing_warn(&in->owner->base, in->path);
	else
		log_warn(in->owner->base.rule, "cannot read %s: %s: waiting until it can be read",
			 in->path, strerror(error));
}

/* Nobody reports when descriptors are to be had again, or what ails a network. */
static void try_again(struct line_input *in, int error)
{
	say(in, error);
	if (error == ENOENT || error == EISDIR || error == EACCES)
		return;
	in->again = true;
	lines_need_tick(in->owner);
}

/* Opens what stands at the path. -1 with errno. */
static int open_path(const struct line_input *in)
{
	int fd = open(in->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode)))
		return fd;
	close(fd);
	errno = EISDIR;
	return -1;
}

/* The file that has this inode already: its path was switched away from it, and back. */
static struct line_file *same_file(struct line_input *in, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	LIST_EACH(at, after, &in->files)
	{
		struct line_file *f = file_at(at);

		if (f->device == st.st_dev && f->inode == st.st_ino)
			return f;
	}
	return NULL;
}

void input_say_many(struct line_input *in)
{
	if (!in->told_many)
		log_warn(in->owner->base.rule,
			 "%s was rotated more than %d times at once, or too many files are called "
			 "like it: lines of some of them may be missing",
			 in->path, ROTATED_MOST);
	in->told_many = true;
}

/* Closes one that was left and read to its end. False: its lines are not wanted now. */
static bool retire(struct line_file *f)
{
	file_end_line(f);
	if (f->taken < f->buf.length || f->input->owner->resting || !list_empty(&f->pending))
		return false;
	file_free(f);
	return true;
}

/*
 * Who may write the directory may rotate without end, and each file that is kept costs a descriptor
 * and a look. What is read to its end is closed early; then the oldest go unread.
 */
static void shed(struct line_input *in, int fd)
{
	size_t n = 0;

	LIST_EACH(at, after, &in->files)
	n++;
	LIST_EACH(at, after, &in->files)
	{
		struct line_file *f = file_at(at);

		if (n > ROTATED_MOST && f->left && f->at_end && after != &in->files && retire(f)) {
			input_say_many(in);
			n--;
		}
	}
	if (n > 1 && !in->owner->matching &&
	    (n > MOST_UNREAD || (n > ROTATED_MOST && fd >= fd_most_for_peers()))) {
		input_say_many(in);
		file_free(file_at(in->files.next));
	}
}

/* What stood at the path is read to its end, and so is what stood there before. */
static void leave_current(struct line_input *in)
{
	struct line_file *f = current(in);

	if (f) {
		f->left = true;
		f->grew = reactor_now(in->owner->base.reactor, CLOCK_OF_LOOP);
		lines_need_tick(in->owner);
	}
	LIST_EACH(at, after, &in->files)
	file_look(file_at(at));
}

/* Takes what stands at the path now, from its start. Returns it, or NULL: nothing can be read. */
static struct line_file *take_path(struct line_input *in)
{
	int fd = open_path(in);
	struct line_file *f = fd >= 0 ? same_file(in, fd) : NULL;

	in->again = false;
	if (fd < 0) {
		try_again(in, errno);
		return NULL;
	}
	if (f) {
		close(fd);
		list_remove(&f->link);
		list_append(&in->files, &f->link);
	} else {
		f = file_new(in, fd, true);
		if (!f) {
			close(fd);
			try_again(in, ENOMEM);
			return NULL;
		}
	}
	f->left = false;
	in->said = 0;
	return f;
}

static void on_changed(struct follow *follow, enum follow_change change)
{
	struct line_input *in = CONTAINER_OF(follow, struct line_input, follow);
	struct line_file *last = last_file(in), *now;

	leave_current(in);
	if (change == FOLLOW_GONE) {
		if (follow->error != ENOENT)
			say(in, follow->error);
	} else {
		if (change == FOLLOW_REPLACED)
			log_info(in->owner->base.rule, "%s was replaced: reading the new file",
				 in->path);
		now = take_path(in);
		if (now && last && last != now && follow->comings > 1)
			rotated_take_missed(in, last, now);
		if (now)
			shed(in, now->fd);
	}
	input_go_on(in);
}

/* Where others change files a descriptor shows what was cached when it was opened. */
static void refresh(struct line_input *in, struct line_file *f)
{
	int fd = open_path(in);

	if (fd >= 0 && same_file(in, fd) == f)
		file_reopen(f, fd);
	else if (fd >= 0)
		close(fd);
}

static void on_modified(struct follow *follow)
{
	struct line_input *in = CONTAINER_OF(follow, struct line_input, follow);
	struct line_file *f = current(in);

	if (f && follow->remote)
		refresh(in, f);
	if (f)
		file_look(f);
	else
		take_path(in);
	input_go_on(in);
}

static const struct follow_calls follow_calls = {on_changed, on_modified};

/* Goes on where the record says. False: there is none. */
static bool catch_up(struct line_input *in)
{
	int lost = rotated_restore(in);
	struct line_file *last = last_file(in), *now;

	if (lost < 0)
		return false;
	if (lost)
		log_warn(in->owner->base.rule,
			 "what was read last of %s is gone: lines may be missing", in->path);
	if (last)
		lines_need_tick(in->owner);
	if (in->follow.error) {
		say(in, in->follow.error);
		return true;
	}
	now = take_path(in);
	if (now && last && now != last)
		rotated_take_missed(in, last, now);
	return true;
}

/* The first file that stands there is read from its end, or as --from says. */
static int follow_path(struct line_input *in, struct error *e)
{
	struct line_file *f;

	in->followed = true;
	in->follow = (struct follow){.calls = &follow_calls, .rule = in->owner->base.rule};
	if (follow_start(in->owner->base.follows, &in->follow, in->path) < 0)
		return error_errno(e, "cannot follow %s", in->path);
	if (catch_up(in))
		return 0;
	if (in->follow.error) {
		say(in, in->follow.error);
		return 0;
	}
	f = take_path(in);
	if (!f && fd_is_short(errno))
		return error_errno(e, "cannot follow %s", in->path);
	if (f && f->regular && !config_of(in)->from)
		file_skip(f, lseek(f->fd, 0, SEEK_END));
	return 0;
}

/* ---- files say ------------------------------------------------------------------------------- */

/* Has the file more than this descriptor shows? On an overlay it may be that of the lower layer,
 * and the file was written since (Documentation/filesystems/overlayfs.rst, "Non-standard
 * behavior"). */
static bool shows_less(const struct line_file *f)
{
	struct stat st;

	return f->regular && stat(f->input->path, &st) == 0 && st.st_dev == f->device &&
	       st.st_ino == f->inode && st.st_size > f->offset + f->hole;
}

void input_file_ended(struct line_input *in, struct line_file *f)
{
	int fd = !f->left && shows_less(f) ? open_path(in) : -1;

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

void input_file_failed(struct line_input *in, struct line_file *f)
{
	int error = errno;

	f->at_end = true;
	file_want(f, false);
	if (in->followed && !f->left) {
		try_again(in, error);
		input_go_on(in);
		return;
	}
	/* A terminal that went away ends like a file (EIO). */
	if (error != EIO)
		log_error(in->owner->base.rule, "cannot read %s: %s", in->path, strerror(error));
	if (!in->followed)
		in->over = true;
	lines_cut(f);
	lines_review(in->owner);
}

/* ---- from time to time ----------------------------------------------------------------------- */

/* What could not be read is opened anew: its descriptor may be the fault (ESTALE, nfs(5)). */
static void retry(struct line_input *in)
{
	struct line_file *f = current(in);
	int fd = f && in->followed ? open_path(in) : -1;

	in->again = false;
	if (!in->followed)
		return; /* only memory was short */
	if (!f) {
		take_path(in);
	} else if (fd < 0) {
		try_again(in, errno);
	} else if (same_file(in, fd) == f) {
		in->said = 0;
		file_reopen(f, fd);
	} else {
		close(fd);
		leave_current(in);
		take_path(in);
	}
}

/* Looks after a file that left its path. Returns whether it is to be looked after again. */
static bool linger(struct line_file *f)
{
	bool followed_by = f->link.next != &f->input->files;

	file_look(f);
	if (!f->at_end || quiet_for(f) < LINGER)
		return true;
	return followed_by && !retire(f);
}

bool input_tick(struct line_input *in)
{
	bool more = false;

	LIST_EACH(at, after, &in->files)
	if (file_at(at)->left)
		more |= linger(file_at(at));
	if (in->again)
		retry(in);
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

	if (flags < 0)
		return error_errno(e, "cannot read %s", in->path);
	if ((flags & O_ACCMODE) == O_WRONLY)
		return error_set(e, "cannot read %s: it is open for writing only", in->path);
	return file_new(in, fd, false) ? 0 : error_errno(e, "cannot read %s", in->path);
}

static int open_plain(struct line_input *in, struct error *e)
{
	int fd = open_path(in);

	if (fd >= 0 && file_new(in, fd, true))
		return 0;
	error_errno(e, "cannot read %s", in->path);
	if (errno == ENOENT)
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
	return config_of(in)->follow ? follow_path(in, e) : open_plain(in, e);
}

void input_close(struct line_input *in)
{
	if (in->followed)
		follow_stop(&in->follow);
	LIST_EACH(at, after, &in->files)
	file_free(file_at(at));
}
