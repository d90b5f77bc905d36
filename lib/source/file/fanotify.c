/*
 * --fanotify: one mark a file system instead of a watch a directory.
 *
 * Arming does not depend on the size of the tree: nothing is read, nothing remembered. The kernel
 * tells of everything on the file system, each event with the handle of its directory and a name
 * (Linux 5.17: FAN_RENAME), without a limit of its queue; what is in no root is dropped here.
 *
 * The hard part is to get from a handle to a path: a system call or two, so the last directories
 * are remembered, until any directory is renamed. That also finds the path of one that is gone.
 */
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "source/file/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#ifndef FAN_REPORT_DFID_NAME
#define FAN_REPORT_DFID_NAME 0x00000c00
#endif
#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif

enum { INFO_DFID_NAME = 2, INFO_OLD = 10, INFO_NEW = 12 }; /* fanotify(7), info types */
enum { PLACES = 256, ROOM = 64 * 1024, ROUNDS = 16 };

/* As the kernel lays it out; libcs differ in what they declare. */
struct info {
	uint8_t type, pad;
	uint16_t length;
	int32_t fsid[2];
	uint32_t handle_bytes;
	int32_t handle_type;
	char handle[];
};

/* A file system with a mark; its directory serves to open handles. */
struct mount {
	int32_t fsid[2];
	int fd;
};

/* The path of a directory that was told of lately. */
struct place {
	uint64_t hash; /* of fsid and handle; 0: none */
	char *path;
};

struct fan_root {
	const struct root *root;
	char *real; /* its real path; owned */
	size_t length;
};

struct fan {
	struct mount *mounts;
	size_t n_mounts;
	struct fan_root *roots;
	size_t n_roots;
	struct place places[PLACES];
	struct buf path, old_path; /* scratch */
};

/* ---- from handles to paths ------------------------------------------------------------------- */

static const struct mount *mount_of(const struct fan *f, const struct info *info)
{
	for (size_t i = 0; i < f->n_mounts; i++)
		if (memcmp(f->mounts[i].fsid, info->fsid, sizeof info->fsid) == 0)
			return &f->mounts[i];
	return NULL;
}

static char *open_place(const struct mount *m, const struct info *info)
{
	char name[64], path[8192];
	int fd = -1;
	ssize_t n;

	fd = open_by_handle_at(m->fd, (struct file_handle *)(uintptr_t)&info->handle_bytes,
			       O_PATH | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	n = readlink(name, path, sizeof path - 1);
	fd_close(&fd);
	if (n <= 0)
		return NULL;
	path[n] = '\0';
	if (n > 10 && strcmp(path + n - 10, " (deleted)") == 0 && access(path, F_OK) < 0)
		path[n - 10] = '\0';
	return strdup(path);
}

/* The path of the directory in `info`, or NULL: it is gone and was not seen lately. */
static const char *place_of(struct fan *f, const struct info *info)
{
	const struct mount *m = mount_of(f, info);
	uint64_t hash = hash_bytes(info->fsid, sizeof info->fsid + 8 + info->handle_bytes) | 1;
	struct place *p = &f->places[(hash >> 32) % PLACES];

	if (!m || p->hash == hash)
		return m ? p->path : NULL;
	free(p->path);
	p->path = open_place(m, info);
	p->hash = p->path ? hash : 0;
	return p->path;
}

static void forget_places(struct fan *f)
{
	for (size_t i = 0; i < PLACES; i++) {
		free(f->places[i].path);
		f->places[i] = (struct place){0};
	}
}

/* ---- from paths to roots --------------------------------------------------------------------- */

/* The path as the user wrote its root, in *out; NULL: in no root. */
static const struct root *root_of(const struct fan *f, const char *folder, const char *name,
				  struct buf *out)
{
	struct buf real = {0};
	const struct root *found = NULL;

	buf_printf(&real, "%s%s%s", folder, folder[1] ? "/" : "", name);
	for (size_t i = 0; i < f->n_roots && !found && !real.failed; i++) {
		const struct fan_root *r = &f->roots[i];
		const char *rest = real.data + r->length;

		if (strncmp(real.data, r->real, r->length) != 0 || (*rest && *rest != '/'))
			continue;
		found = r->root;
		rest += strspn(rest, "/");
		buf_clear(out);
		buf_add_text(out, r->root->path);
		if (*rest && out->length && out->data[out->length - 1] != '/')
			buf_add_char(out, '/');
		buf_add_text(out, rest);
	}
	buf_free(&real);
	return found && !out->failed ? found : NULL;
}

/* The path of one info record if it is in a root and not below an ignored directory. */
static const struct root *locate(struct file_source *s, const struct info *info, struct buf *out)
{
	const char *name = info->handle + info->handle_bytes, *folder = place_of(s->fan, info);
	const struct root *r;

	if (!folder)
		return NULL;
	if (strcmp(name, ".") == 0)
		name = "";
	r = root_of(s->fan, folder, name, out);
	return r && filter_passes(s, r, out->data) ? r : NULL;
}

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

static void renamed(struct file_source *s, const struct info *from, const struct info *to,
		    uint64_t mask)
{
	struct fan *f = s->fan;
	const struct root *old, *new;
	char type;

	old = locate(s, from, &f->old_path);
	new = locate(s, to, &f->path);
	if (mask & FAN_ONDIR)
		forget_places(f);
	type = new ? type_of(f->path.data, mask) : mask &FAN_ONDIR ? 'd' : 'f';
	if (old && new) {
		report(s, new, FILE_MOVE, f->path.data, f->old_path.data, type);
	} else if (old) {
		report(s, old, FILE_DELETE, f->old_path.data, NULL, type);
	} else if (new) {
		changes_add(
		    s, &(struct happening){
			   .event = FILE_CREATE, .path = f->path.data, .root = new, .type = type});
		if (type != 'd')
			report(s, new, FILE_CLOSE_WRITE, f->path.data, NULL, type);
	}
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
	const struct root *r = locate(s, info, &s->fan->path);
	const char *path = s->fan->path.data;
	bool last;
	struct stat st;
	char type;

	if (!r)
		return;
	type = type_of(path, mask);
	last = mask & FAN_DELETE && lstat(path, &st) < 0;
	if (mask & FAN_DELETE && !last)
		report(s, r, FILE_DELETE, path, NULL, type);
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (mask & plain[i].mask)
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
	if (from && to)
		renamed(s, from, to, ev->mask);
	else if (entry)
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
	for (int i = 0; i < ROUNDS && read_round(s) > 0; i++)
		;
	batch_review(s);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* The nearest directory that is there; *real is what the root's real path is, or will be. */
static int open_near(const char *path, char **real)
{
	char *copy = strdup(path), *slash, *above = NULL;
	struct buf b = {0};
	int fd = -1;

	for (size_t n = copy ? strlen(copy) : 0; copy; n = strlen(copy)) {
		above = realpath(n ? copy : *path == '/' ? "/" : ".", NULL);
		if (above || !n)
			break;
		slash = strrchr(copy, '/');
		*(slash ? slash : copy) = '\0';
	}
	if (above) {
		const char *rest = path + strlen(copy);

		rest += strspn(rest, "/");
		buf_printf(&b, "%s%s%s", above, *rest && above[1] ? "/" : "", rest);
		while (b.length > 1 && b.data[b.length - 1] == '/')
			b.data[--b.length] = '\0';
		fd = open(above, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	*real = buf_take(&b);
	free(above);
	free(copy);
	return *real ? fd : -1;
}

static uint64_t fan_mask(const struct file_source *s)
{
	unsigned events = ((const struct file_config *)s->base.config)->events;

	return FAN_CREATE | FAN_MODIFY | FAN_CLOSE_WRITE | FAN_DELETE | FAN_RENAME | FAN_ONDIR |
	       (events & FILE_ATTRIB ? (uint64_t)FAN_ATTRIB : 0) |
	       (events & FILE_OPEN ? (uint64_t)FAN_OPEN : 0) |
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
		fd = open_near(r->root->path, &r->real);
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

int fan_open(struct file_source *s, struct error *e)
{
	struct fan *f = s->fan = calloc(1, sizeof *f);
	size_t n = 0;

	LIST_EACH(at, after, &s->roots)
	n++;
	if (!f || !(f->mounts = calloc(n + 1, sizeof *f->mounts)) ||
	    !(f->roots = calloc(n + 1, sizeof *f->roots)))
		return error_errno(e, "cannot watch files");
	s->inotify = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_UNLIMITED_QUEUE |
				       FAN_NONBLOCK | FAN_CLOEXEC,
				   O_RDONLY);
	if (s->inotify < 0) {
		error_errno(e, "--fanotify");
		return error_hint(e, "it needs CAP_SYS_ADMIN and Linux 5.17");
	}
	return mark_roots(s, e);
}

void fan_close(struct file_source *s)
{
	struct fan *f = s->fan;

	if (!f)
		return;
	forget_places(f);
	for (size_t i = 0; i < f->n_mounts; i++)
		fd_close(&f->mounts[i].fd);
	for (size_t i = 0; i < f->n_roots; i++)
		free(f->roots[i].real);
	free(f->mounts);
	free(f->roots);
	buf_free(&f->path);
	buf_free(&f->old_path);
	free(f);
	s->fan = NULL;
}
