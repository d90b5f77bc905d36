/*
 * Watches: which directory has which, where there are none left, and what stands at a path now.
 *
 * A watch belongs to an inode and a path to a place. What stands at a place changes without a word
 * of the kernel when something is mounted there, when events are lost, or when a file system goes:
 * watch_look looks again.
 */
#include "source/file/tree.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "source/file/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* One mask for every watch: a directory may be a root's parent and in another root's tree. */
uint32_t watch_mask(const struct file_source *s)
{
	unsigned events = ((const struct file_config *)s->base.config)->events;

	return IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
	       (events & FILE_ATTRIB ? (uint32_t)IN_ATTRIB : 0) |
	       (events & FILE_OPEN ? (uint32_t)IN_OPEN : 0) |
	       (events & FILE_ACCESS ? (uint32_t)IN_ACCESS : 0) | IN_ONLYDIR | IN_EXCL_UNLINK;
}

/* ---- by watch descriptor --------------------------------------------------------------------- */

static uint64_t wd_hash(const void *wd)
{
	return (uint64_t)(unsigned)*(const int *)wd * UINT64_C(0x9e3779b97f4a7c15) >> 32;
}

static uint64_t dir_hash(const void *dir)
{
	return wd_hash(&((const struct dir *)dir)->wd);
}

static bool dir_has_wd(const void *dir, const void *wd)
{
	return ((const struct dir *)dir)->wd == *(const int *)wd;
}

void watch_init(struct file_source *s)
{
	static const struct table_type by_wd = {dir_hash, wd_hash, dir_has_wd};

	table_init(&s->dirs, &by_wd);
}

struct dir *tree_find(const struct file_source *s, int wd)
{
	return table_find(&s->dirs, &wd);
}

/* ---- the limit ------------------------------------------------------------------------------- */

/* The value of a sysctl below fs.inotify; -1: it is not to be had. */
static long limit_read(const char *path)
{
	char text[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;

	fd_close(&fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? strtol(text, NULL, 10) : -1;
}

/* The limit is the user's, not ours: what others use of it is in use, too. */
void watch_tell_limit(struct file_source *s)
{
	const struct file_config *c = s->base.config;
	long limit;

	if (c->poll || !s->limit_path || !s->n_polled || s->told_limit)
		return;
	s->told_limit = true;
	limit = limit_read("/proc/sys/fs/inotify/max_user_watches");
	log_warn(s->base.rule,
		 "the limit of inotify watches is reached at %s: fs.inotify.max_user_watches is "
		 "%ld; %zu directories are watched, %zu more are polled every 2s; this rule "
		 "alone needs %zu: sysctl fs.inotify.max_user_watches=%ld",
		 s->limit_path, limit, s->dirs.count, s->n_polled, s->dirs.count + s->n_polled,
		 (limit + (long)(s->n_polled + s->n_polled / 4)) | 1023);
}

int watch_open(struct file_source *s, struct error *e)
{
	long limit;

	s->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->inotify >= 0)
		return 0;
	error_errno(e, "cannot watch files");
	if (errno != EMFILE)
		return -1;
	/* inotify_init(2) has one word for two limits; the file can be opened only if it is not the
	 * limit of descriptors. */
	limit = limit_read("/proc/sys/fs/inotify/max_user_instances");
	if (limit < 0)
		return error_hint(e, "see ulimit -n");
	error_set(e, "cannot watch files: the limit of inotify instances of this user is reached");
	return error_hint(e,
			  "fs.inotify.max_user_instances is %ld, and each rule of kind file "
			  "needs one: sysctl fs.inotify.max_user_instances=%ld",
			  limit, limit * 2 > 128 ? limit * 2 : 128);
}

/* ---- watches --------------------------------------------------------------------------------- */

/* What stands at the place of d is watched. Returns its watch; -1: it is to be polled; -2 with
 * errno: neither. ENOSPC of inotify_add_watch(2) has nothing to do with the disk. */
static int add_watch(struct file_source *s, const struct dir *d)
{
	const struct file_config *c = s->base.config;
	const char *path = tree_path(s, d, NULL);
	uint32_t nofollow = d->parent && !d->through_link ? (uint32_t)IN_DONT_FOLLOW : 0;
	int wd;

	if (c->poll)
		return -1;
	wd = inotify_add_watch(s->inotify, path, watch_mask(s) | nofollow);
	if (wd >= 0)
		return wd;
	if (errno != ENOSPC)
		return -2;
	if (!s->limit_path)
		s->limit_path = strdup(path);
	return -1;
}

/* Roots lean on watches, too: see root.c. */
void watch_drop(struct file_source *s, int wd)
{
	if (s->inotify >= 0 && !roots_lean_on(s, wd))
		inotify_rm_watch(s->inotify, wd); /* EINVAL: the kernel was first */
}

int watch_start(struct file_source *s, struct dir *d)
{
	int wd = add_watch(s, d);

	if (wd == -2)
		return -1;
	if (wd >= 0 && tree_find(s, wd)) {
		errno = EEXIST;
		return -1;
	}
	d->wd = wd;
	if (wd >= 0 && table_add(&s->dirs, d) < 0) {
		watch_drop(s, wd);
		return -1;
	}
	s->n_polled += wd < 0;
	return 0;
}

void watch_forget(struct file_source *s, struct dir *d)
{
	if (d->wd < 0)
		return;
	table_remove(&s->dirs, &d->wd);
	d->wd = -1;
	s->n_polled++;
}

void watch_stop(struct file_source *s, struct dir *d)
{
	int wd = d->wd;

	watch_forget(s, d);
	if (wd >= 0)
		watch_drop(s, wd);
	s->n_polled--;
}

/* d has this watch from now on. */
static void watch_become(struct file_source *s, struct dir *d, int wd)
{
	d->anew = d->wd >= 0;
	watch_stop(s, d);
	d->wd = wd;
	if (wd >= 0 && table_add(&s->dirs, d) == 0)
		return;
	d->wd = -1;
	s->n_polled++;
}

enum watch_look watch_look(struct file_source *s, struct dir *d)
{
	int wd = add_watch(s, d);
	struct dir *other;

	if (wd == -2)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? WATCH_GONE
									     : WATCH_HERE;
	if (wd == d->wd)
		return WATCH_HERE;
	other = wd >= 0 ? tree_find(s, wd) : NULL;
	if (!other) {
		watch_become(s, d, wd);
		return WATCH_HERE;
	}
	return add_watch(s, other) == wd ? WATCH_TWICE : WATCH_MOVED;
}
