/*
 * A path that is followed, and its files.
 *
 * What stood at the path goes on being read when something else stands there: it may have been
 * written until then, and its writer may keep it open a while. So its files are a list. One that
 * has left the path is read to its end, before those behind it, and closed when it has not grown
 * for LINGER. Until then it is looked at five times a second; it has no watch any more.
 */
#include "source/lines/lines.h"
#include "source/missing.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t LINGER = 5000000000;

enum { MOST_UNREAD = 1000 }; /* files of a path that wait to be read */

static struct line_file *last_file(struct line_input *in)
{
	struct link *last = in->files.prev;

	return last && last != &in->files ? line_file_of(last) : NULL;
}

/* What stands at the path, as far as it could be opened; NULL: nothing. */
static struct line_file *current(struct line_input *in)
{
	struct line_file *last = last_file(in);

	return last && !last->left ? last : NULL;
}

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
void followed_try_again(struct line_input *in, int error)
{
	say(in, error);
	if (error == ENOENT || error == EISDIR || error == EACCES)
		return;
	in->again = true;
	lines_need_tick(in->owner);
}

void followed_say_lost(struct line_input *in)
{
	log_warn(in->owner->base.rule, "what was read last of %s is gone: lines may be missing",
		 in->path);
}

/* The file that has this inode already: its path was switched away from it, and back. */
static struct line_file *file_of(struct line_input *in, dev_t device, ino_t inode)
{
	LIST_EACH(at, after, &in->files)
	{
		struct line_file *f = line_file_of(at);

		if (f->device == device && f->inode == inode)
			return f;
	}
	return NULL;
}

/* The one whose mount is gone: mounted anew the file has its inode, if not its device. Another of
 * that inode begins otherwise, and is read from its start. */
static struct line_file *orphan_of(struct line_input *in, ino_t inode)
{
	LIST_EACH(at, after, &in->files)
	{
		struct line_file *f = line_file_of(at);

		if (f->regular && f->fd < 0 && !f->far && f->inode == inode)
			return f;
	}
	return NULL;
}

static struct line_file *same_file(struct line_input *in, int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? NULL : file_of(in, st.st_dev, st.st_ino);
}

void followed_say_many(struct line_input *in)
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
void followed_shed(struct line_input *in, int fd)
{
	size_t n = 0;

	LIST_EACH(at, after, &in->files)
	n++;
	LIST_EACH(at, after, &in->files)
	{
		struct line_file *f = line_file_of(at);

		if (n > ROTATED_MOST && f->left && f->at_end && after != &in->files && retire(f)) {
			followed_say_many(in);
			n--;
		}
	}
	if (n > 1 && !in->owner->matching &&
	    (n > MOST_UNREAD || (n > ROTATED_MOST && fd >= fd_most_for_peers()))) {
		followed_say_many(in);
		file_free(line_file_of(in->files.next));
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
	file_look(line_file_of(at));
}

/* The file at the path, which a thread is to read. NULL with errno. */
static struct line_file *take_far(struct line_input *in, bool at_end)
{
	const struct follow *path = &in->follow;
	struct line_file *last = last_file(in), *f = file_of(in, path->device, path->inode);

	errno = path->error ? path->error : EISDIR;
	if (path->error || S_ISDIR(path->mode))
		return NULL;
	if (!f)
		f = orphan_of(in, path->inode);
	if (!f) {
		f = file_new(in, -1, true);
		if (f && at_end)
			file_skip(f, path->size);
	}
	if (!f || f->far)
		return f;
	f->device = path->device;
	f->inode = path->inode;
	if (far_open(f, path->site, -1, last != f ? last : NULL) == 0)
		return f;
	file_free(f);
	errno = ENOMEM;
	return NULL;
}

/* Pipes and devices are read by the loop, wherever their names are. */
static bool is_plain(mode_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode);
}

/* The same, which the loop opened. */
static struct line_file *take_near(struct line_input *in, bool at_end)
{
	int fd = input_open_path(in);
	struct line_file *f = fd >= 0 ? same_file(in, fd) : NULL;

	if (!f && fd >= 0) {
		f = file_new(in, fd, true);
		if (f && f->regular && at_end)
			file_skip(f, lseek(fd, 0, SEEK_END));
		if (f)
			return f;
	}
	fd_close(&fd);
	return f;
}

/* Takes what stands at the path now, from its start or from its end on. Returns it, or NULL with
 * errno: nothing can be read. */
static struct line_file *take_path(struct line_input *in, bool at_end)
{
	bool far = in->follow.site && (in->follow.error || is_plain(in->follow.mode));
	struct line_file *f = far ? take_far(in, at_end) : take_near(in, at_end);

	in->again = false;
	if (!f) {
		int error = errno;

		followed_try_again(in, error);
		errno = error;
		return NULL;
	}
	list_remove(&f->link);
	list_append(&in->files, &f->link);
	f->left = false;
	in->said = 0;
	return f;
}

/* What came and went between the two, of which the path's walks found none. Of one that is far the
 * thread looks for it. */
static void take_missed(struct line_input *in, const struct line_file *last, struct line_file *now)
{
	struct missed m = {.after = last->inode};

	if (now->far)
		return;
	rotated_find(in->path, now->fd, &m);
	rotated_take(in, &m, now, NULL);
	rotated_drop(&m);
}

/* Goes on where the record says. False: there is none. */
static bool catch_up(struct line_input *in)
{
	int lost = rotated_restore(in);
	struct line_file *last = last_file(in), *now;

	if (lost < 0)
		return false;
	if (lost)
		followed_say_lost(in);
	if (last)
		lines_need_tick(in->owner);
	if (in->follow.error) {
		say(in, in->follow.error);
		return true;
	}
	now = take_path(in, false);
	if (now && last && now != last)
		take_missed(in, last, now);
	return true;
}

/* The first file that stands there is read from its end, or as --from says. -1 with errno: there
 * are no descriptors for it. */
static int begin(struct line_input *in)
{
	const struct lines_config *c = in->owner->base.config;

	if (catch_up(in))
		return 0;
	if (in->follow.error) {
		say(in, in->follow.error);
		return 0;
	}
	return take_path(in, !c->from) || !fd_is_short(errno) ? 0 : -1;
}

/* ---- the path -------------------------------------------------------------------------------- */

static void begin_answered(struct line_input *in)
{
	in->unanswered = begin(in) < 0; /* that is tried again */
	if (!in->unanswered)
		progress_start(in->owner);
}

static void on_changed(struct follow *follow, enum follow_change change)
{
	struct line_input *in = CONTAINER_OF(follow, struct line_input, follow);
	struct line_file *last = last_file(in), *now;

	if (in->unanswered) {
		begin_answered(in);
		input_go_on(in);
		return;
	}
	leave_current(in);
	if (change == FOLLOW_GONE) {
		if (follow->error != ENOENT && follow->error != EAGAIN)
			say(in, follow->error);
	} else {
		if (change == FOLLOW_REPLACED)
			log_info(in->owner->base.rule, "%s was replaced: reading the new file",
				 in->path);
		now = take_path(in, false);
		if (now && last && last != now && follow->comings > 1)
			take_missed(in, last, now);
		if (now)
			followed_shed(in, now->fd);
	}
	input_go_on(in);
}

static void on_modified(struct follow *follow)
{
	struct line_input *in = CONTAINER_OF(follow, struct line_input, follow);
	struct line_file *f = current(in);

	if (f && f->far)
		far_look(f, true);
	else if (f)
		file_look(f);
	else
		take_path(in, false);
	input_go_on(in);
}

int followed_start(struct line_input *in, struct error *e)
{
	static const struct follow_calls calls = {on_changed, on_modified};

	in->followed = true;
	in->follow = (struct follow){.calls = &calls, .rule = in->owner->base.rule};
	if (follow_start(in->owner->base.follows, &in->follow, in->path) < 0)
		return error_errno(e, "cannot follow %s", in->path);
	in->unanswered = in->follow.error == EAGAIN;
	return in->unanswered || begin(in) == 0 ? 0 : error_errno(e, "cannot follow %s", in->path);
}

/* ---- from time to time ----------------------------------------------------------------------- */

void followed_retry(struct line_input *in)
{
	struct line_file *f = current(in);
	int fd = f && !f->far && in->followed ? input_open_path(in) : -1;

	in->again = false;
	if (!in->followed)
		return; /* only memory was short */
	if (in->unanswered) {
		begin_answered(in);
	} else if (!f) {
		take_path(in, false);
	} else if (f->far) {
		far_look(f, true);
	} else if (fd < 0) {
		followed_try_again(in, errno);
	} else if (same_file(in, fd) == f) {
		in->said = 0;
		file_reopen(f, fd);
	} else {
		close(fd);
		leave_current(in);
		take_path(in, false);
	}
}

bool followed_linger(struct line_file *f)
{
	bool followed_by = f->link.next != &f->input->files;

	if (!f->far)
		file_look(f);
	if (!f->at_end)
		return true;
	if (file_quiet_for(f) >= LINGER)
		return followed_by && !retire(f);
	if (f->far)
		file_look(f); /* whether it grew is known later */
	return true;
}
