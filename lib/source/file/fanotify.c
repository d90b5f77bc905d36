/*
 * --fanotify: one mark a file system instead of a watch a directory. Its life.
 *
 * Arming does not depend on the size of the tree: nothing is read, nothing remembered. The kernel
 * tells of everything on the file system, each event with the handle of its directory, a name, and
 * the handle of what it happened to (Linux 5.17), without a limit of its queue; what is in no root
 * is dropped here.
 */
#include "source/file/fanotify.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#ifndef FAN_REPORT_FID
#define FAN_REPORT_FID 0x00000200
#endif
#ifndef FAN_REPORT_DFID_NAME
#define FAN_REPORT_DFID_NAME 0x00000c00
#endif
#ifndef FAN_REPORT_TARGET_FID
#define FAN_REPORT_TARGET_FID 0x00001000
#endif
#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif

#define NEXT_WORD (2 * NS_PER_MS) /* how long a rename waits for the next event of its process */

enum { ROUNDS = 16 };

/* ---- events ---------------------------------------------------------------------------------- */

/* Tells what was read. Returns false if the first that is left needs a word that is still to come.
 */
static bool tell(struct file_source *s)
{
	struct fan_queue *q = &s->fan->queue;
	struct fan_event ev;

	for (size_t at = q->at; fan_queue_next(q, &ev); at = q->at) {
		fan_dirs_trim(s->fan);
		if (!fan_happened(s, &ev)) {
			fan_queue_put_back(q, at);
			s->fan->waited = /* or now, if there is no timer */
			    timer_start_in(s->base.reactor, &s->move_timer, NEXT_WORD) < 0;
			return s->fan->waited;
		}
		s->fan->waited = false;
	}
	return true;
}

void fan_read(struct file_source *s)
{
	bool more = true;

	for (int i = 0; i < ROUNDS && more; i++) {
		fan_queue_forget(&s->fan->queue);
		more = (fan_queue_fill(s) || i == 0) && tell(s);
	}
	if (s->fan->queue.at == s->fan->queue.bytes.length) {
		names_free(&s->fan->untold);
		names_free(&s->fan->arrived);
	}
	batch_review(s);
}

static void on_move_timer(struct reactor *r, struct timer *t)
{
	struct file_source *s = CONTAINER_OF(t, struct file_source, move_timer);

	(void)r;
	fan_queue_fill(s); /* the next word may be there already */
	s->fan->waited = true;
	fan_read(s);
}

/* ---- life ------------------------------------------------------------------------------------ */

static uint64_t fan_mask(const struct file_source *s)
{
	unsigned events = ((const struct file_config *)s->base.config)->events;

	return FAN_CREATE | FAN_MODIFY | FAN_CLOSE_WRITE | FAN_DELETE | FAN_RENAME | FAN_ATTRIB |
	       FAN_MOVE_SELF | FAN_ONDIR | (events & FILE_OPEN ? (uint64_t)FAN_OPEN : 0) |
	       (events & FILE_ACCESS ? (uint64_t)FAN_ACCESS : 0);
}

/* Marks the file system of this root unless it is marked already; takes the descriptor over. */
static int mark(struct file_source *s, int fd)
{
	struct fan *f = s->fan;
	struct mount *m = &f->mounts[f->n_mounts];
	struct statfs st;
	char path[64];

	if (fstatfs(fd, &st) < 0)
		goto fail;
	memcpy(m->fsid, &st.f_fsid, sizeof m->fsid);
	for (size_t i = 0; i < f->n_mounts; i++)
		if (memcmp(f->mounts[i].fsid, m->fsid, sizeof m->fsid) == 0) {
			fd_close(&fd);
			return 0;
		}
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (fanotify_mark(s->inotify, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, fan_mask(s), AT_FDCWD,
			  path) < 0)
		goto fail;
	m->fd = fd;
	f->n_mounts++;
	return 0;
fail:
	fd_close(&fd);
	return -1;
}

static int mark_roots(struct file_source *s, struct error *e)
{
	struct fan *f = s->fan;

	LIST_EACH(at, after, &s->roots)
	{
		struct fan_root *r = &f->roots[f->n_roots];
		int fd;

		r->root = CONTAINER_OF(at, struct root, link);
		r->real = root_real(r->root->path);
		fd = r->real ? fan_open_near(r->real) : -1;
		f->n_roots++;
		r->length = r->real && strcmp(r->real, "/") != 0 ? strlen(r->real) : 0;
		if (fd < 0 || mark(s, fd) < 0) {
			error_errno(e, "cannot watch the file system of %s", r->root->path);
			return error_hint(e, "--fanotify needs Linux 5.17 and a file system whose "
					     "files have handles; without it, it may work");
		}
	}
	return 0;
}

/* The marks stand: what is created from now on is told by the kernel. Returns 0. */
static int report_existing(struct file_source *s)
{
	const struct file_config *c = s->base.config;

	LIST_EACH(at, after, &s->roots)
	{
		const struct root *r = CONTAINER_OF(at, struct root, link);
		struct stat st;

		if (!c->existing || stat(r->path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			fan_walk(s, &(struct fan_tale){
					.root = r, .path = r->path, .event = FILE_CREATE});
		else
			fan_report(s, r, FILE_CREATE, r->path, 'f');
	}
	return 0;
}

int fan_open(struct file_source *s, struct error *e)
{
	struct fan *f = s->fan = calloc(1, sizeof *f);
	size_t n = 0;

	LIST_EACH(at, after, &s->roots)
	n++;
	if (f)
		fan_dirs_init(f);
	if (!f || !(f->mounts = calloc(n + 1, sizeof *f->mounts)) ||
	    !(f->roots = calloc(n + 1, sizeof *f->roots)))
		return error_errno(e, "cannot watch files");
	s->inotify = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_REPORT_DFID_NAME |
				       FAN_REPORT_TARGET_FID | FAN_UNLIMITED_QUEUE | FAN_NONBLOCK |
				       FAN_CLOEXEC,
				   O_RDONLY);
	if (s->inotify < 0) {
		error_errno(e, "--fanotify");
		return error_hint(
		    e, "it needs root (CAP_SYS_ADMIN) and Linux 5.17; without it, each directory "
		       "gets a watch of its own, and that needs neither");
	}
	timer_init(&s->move_timer, CLOCK_OF_LOOP, on_move_timer);
	return mark_roots(s, e) < 0 ? -1 : report_existing(s);
}

void fan_close(struct file_source *s)
{
	struct fan *f = s->fan;

	if (!f)
		return;
	timer_stop(s->base.reactor, &s->move_timer);
	fan_dirs_free(f);
	fan_queue_free(&f->queue);
	names_free(&f->untold);
	names_free(&f->arrived);
	for (size_t i = 0; i < f->n_mounts; i++)
		fd_close(&f->mounts[i].fd);
	for (size_t i = 0; i < f->n_roots; i++)
		free(f->roots[i].real);
	free(f->mounts);
	free(f->roots);
	buf_free(&f->path);
	buf_free(&f->old_path);
	buf_free(&f->real);
	free(f);
	s->fan = NULL;
}
