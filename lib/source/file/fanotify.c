/*
 * --fanotify: one mark a file system instead of a watch a directory.
 *
 * Arming does not depend on the size of the tree: nothing is read, nothing remembered. The kernel
 * tells of everything on the file system, each event with the handle of its directory and a name
 * (Linux 5.17: FAN_RENAME), without a limit of its queue; what is in no root is dropped here.
 *
 * The hard part is to know whether a rename replaced something, for that is a save and not a new
 * file. The kernel tells in the same breath: after the rename it tells the inode that was replaced
 * of its lost link, without a name, then the one that moved. So a rename waits for what its process
 * is told of next.
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
#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif

#define NEXT_WORD (2 * NS_PER_MS) /* how long a rename waits for the next event of its process */

enum { INFO_DFID_NAME = 2, INFO_OLD = 10, INFO_NEW = 12 }; /* fanotify(7), info types */
enum { ROOM = 64 * 1024, ROUNDS = 16 };

/* ---- events ---------------------------------------------------------------------------------- */

static char type_of(const char *path, uint64_t mask)
{
	struct stat st;

	if (mask & FAN_ONDIR)
		return 'd';
	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? 'l' : 'f';
}

static void report(struct file_source *s, const struct root *r, unsigned event, const char *path,
		   const char *old_path, char type)
{
	struct stat st;
	struct happening h = {.event = event, .path = path, .old_path = old_path, .root = r};

	h.type = type;
	h.open = event == FILE_CREATE && type == 'f' && s->base.has_command &&
		 lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;
	changes_add(s, &h);
}

/* ---- renames ----------------------------------------------------------------------------------
 */

static void report_moved_in(struct file_source *s, const struct fan_rename *m, char type)
{
	changes_add(s, &(struct happening){.event = FILE_CREATE,
					   .path = m->path.data,
					   .root = m->to,
					   .type = type,
					   .replaced = m->replaced && type != 'd'});
	if (type == 'd')
		fan_walk(s, m->to, m->path.data, NULL);
	else if (!m->replaced)
		report(s, m->to, FILE_CLOSE_WRITE, m->path.data, NULL, type);
}

/* Reports the rename that waits. */
static void settle(struct file_source *s)
{
	struct fan_rename *m = &s->fan->rename;
	const char *there = m->to ? m->path.data : m->old_path.data;
	char type;

	if (!m->waits)
		return;
	m->waits = false;
	timer_stop(s->base.reactor, &s->move_timer);
	type = type_of(there, m->directory ? FAN_ONDIR : 0);
	if (m->from && m->to)
		changes_add(s, &(struct happening){.event = FILE_MOVE,
						   .path = m->path.data,
						   .old_path = m->old_path.data,
						   .root = m->to,
						   .type = type,
						   .replaced = m->replaced && type != 'd'});
	else if (m->from)
		report(s, m->from, FILE_DELETE, m->old_path.data, NULL, type);
	else
		report_moved_in(s, m, type);
}

static void on_move_timer(struct reactor *r, struct timer *t)
{
	struct file_source *s = CONTAINER_OF(t, struct file_source, move_timer);

	(void)r;
	fan_read(s); /* the next word may be there already */
	settle(s);
	fan_read(s);
}

static void renamed(struct file_source *s, const struct info *from, const struct info *to,
		    const struct fanotify_event_metadata *ev)
{
	struct fan_rename *m = &s->fan->rename;

	m->from = fan_locate(s, from, &m->old_path);
	m->to = fan_locate(s, to, &m->path);
	m->directory = ev->mask & FAN_ONDIR;
	m->replaced = false;
	m->pid = ev->pid;
	m->waits = m->from || m->to;
	if (m->directory)
		fan_forget_places(s->fan);
	if (m->waits && timer_start_in(s->base.reactor, &s->move_timer, NEXT_WORD) < 0)
		settle(s);
}

/* An event without a name: of an inode alone. */
static void inode_happened(struct file_source *s, const struct fanotify_event_metadata *ev)
{
	struct fan_rename *m = &s->fan->rename;

	if (!m->waits || m->pid != ev->pid)
		return;
	/* Where both are merged, it is the one that moved that has lost a link since. */
	if (ev->mask & FAN_ATTRIB && !(ev->mask & FAN_MOVE_SELF))
		m->replaced = true;
	settle(s);
}

/* ---- entries ----------------------------------------------------------------------------------
 */

/* Was it created in a directory whose moving in is still to be reported? That goes first. */
static bool is_in_what_moved(const struct fan *f, const char *path)
{
	const struct fan_rename *m = &f->rename;

	return m->waits && m->directory && m->to &&
	       strncmp(path, m->path.data, m->path.length) == 0 && path[m->path.length] == '/';
}

/* The kernel merges what it has not delivered yet: the order is told by what is there now. */
static void entry_happened(struct file_source *s, const struct info *info, uint64_t mask)
{
	static const struct {
		uint64_t mask;
		unsigned event;
	} plain[] = {{FAN_CREATE, FILE_CREATE},           {FAN_OPEN, FILE_OPEN},
		     {FAN_ACCESS, FILE_ACCESS},           {FAN_MODIFY, FILE_MODIFY},
		     {FAN_CLOSE_WRITE, FILE_CLOSE_WRITE}, {FAN_ATTRIB, FILE_ATTRIB}};
	const struct file_config *c = s->base.config;
	const struct root *r = fan_locate(s, info, &s->fan->path);
	const char *path = s->fan->path.data;
	bool last;
	struct stat st;
	char type;

	if (!r)
		return;
	if (is_in_what_moved(s->fan, path))
		settle(s);
	if (mask & FAN_CREATE && names_find(s->fan->walked, path))
		mask &= ~(uint64_t)FAN_CREATE; /* the walk reported it */
	type = type_of(path, mask);
	last = mask & FAN_DELETE && lstat(path, &st) < 0;
	if (mask & FAN_DELETE && !last)
		report(s, r, FILE_DELETE, path, NULL, type);
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (mask & plain[i].mask &&
		    (plain[i].event != FILE_ATTRIB || c->events & FILE_ATTRIB))
			report(s, r, plain[i].event, path, NULL, type);
	if (last)
		report(s, r, FILE_DELETE, path, NULL, type);
}

/* An event with its records; events are not aligned as their head would need. */
static void happened(struct file_source *s, const char *at,
		     const struct fanotify_event_metadata *ev)
{
	const char *end = at + ev->event_len;
	const struct info *info, *from = NULL, *to = NULL, *entry = NULL;

	for (at += ev->metadata_len; at + sizeof *info <= end; at += info->length) {
		info = (const struct info *)(const void *)at;
		if (!info->length)
			break;
		if (info->type == INFO_OLD)
			from = info;
		else if (info->type == INFO_NEW)
			to = info;
		else if (info->type == INFO_DFID_NAME)
			entry = info;
	}
	if ((from && to) || (entry && s->fan->rename.pid == ev->pid))
		settle(s);
	if (from && to)
		renamed(s, from, to, ev);
	else if (!entry || ev->mask & FAN_MOVE_SELF)
		inode_happened(s, ev);
	else
		entry_happened(s, entry, ev->mask);
}

static ssize_t read_round(struct file_source *s)
{
	_Alignas(struct fanotify_event_metadata) char room[ROOM];
	ssize_t n = read(s->inotify, room, sizeof room);
	struct fanotify_event_metadata ev;

	for (ssize_t at = 0; at < n; at += ev.event_len) {
		memcpy(&ev, room + at, sizeof ev);
		if (ev.vers != FANOTIFY_METADATA_VERSION || ev.event_len < sizeof ev)
			break;
		happened(s, room + at, &ev);
	}
	return n;
}

void fan_read(struct file_source *s)
{
	ssize_t n = 1;

	for (int i = 0; i < ROUNDS && n > 0; i++)
		n = read_round(s);
	if (n <= 0)
		names_free(&s->fan->walked); /* all is read that was created before the walk */
	batch_review(s);
}

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
			fan_walk(s, r, r->path, NULL);
		else
			report(s, r, FILE_CREATE, r->path, NULL, 'f');
	}
	fan_read(s); /* what the walk remembers is forgotten with the end of the queue */
	return 0;
}

int fan_open(struct file_source *s, struct error *e)
{
	struct fan *f = s->fan = calloc(1, sizeof *f);
	size_t n = 0;

	LIST_EACH(at, after, &s->roots)
	n++;
	if (!f || !(f->mounts = calloc(n + 1, sizeof *f->mounts)) ||
	    !(f->roots = calloc(n + 1, sizeof *f->roots)))
		return error_errno(e, "cannot watch files");
	s->inotify = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_REPORT_DFID_NAME |
				       FAN_UNLIMITED_QUEUE | FAN_NONBLOCK | FAN_CLOEXEC,
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
	fan_forget_places(f);
	names_free(&f->walked);
	for (size_t i = 0; i < f->n_mounts; i++)
		fd_close(&f->mounts[i].fd);
	for (size_t i = 0; i < f->n_roots; i++)
		free(f->roots[i].real);
	free(f->mounts);
	free(f->roots);
	buf_free(&f->path);
	buf_free(&f->rename.path);
	buf_free(&f->rename.old_path);
	free(f);
	s->fan = NULL;
}
