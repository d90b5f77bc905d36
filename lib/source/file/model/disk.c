/* The kernel's file system: statx(2), openat2(2), getdents64(2); see disk.h. */
#include "source/file/model/disk.h"

#include "base/fd.h"
#include "base/statx.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- statx ----------------------------------------------------------------------------------- */

static char type_of(unsigned mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 'f';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	default:
		return 'o';
	}
}

/* Numbers that are compared for equality alone, in 32 bits; never 0, which says that there is none.
 */
static uint32_t fold(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t hash = a * UINT64_C(0x9E3779B97F4A7C15);

	hash = (hash ^ hash >> 29 ^ b) * UINT64_C(0xBF58476D1CE4E5B9);
	hash = (hash ^ hash >> 32 ^ c) * UINT64_C(0x94D049BB133111EB);
	return (uint32_t)(hash >> 32) | 1;
}

uint32_t disk_device(unsigned major, unsigned minor)
{
	return fold(major, minor, 0);
}

static void fill(struct look *out, const struct statx *st)
{
	*out = (struct look){.type = type_of(st->stx_mode),
			     .mounted = st->stx_attributes & STATX_ATTR_MOUNT_ROOT};
	out->identity.inode = st->stx_ino;
	out->identity.device = disk_device(st->stx_dev_major, st->stx_dev_minor);
	if (st->stx_mask & STATX_BTIME)
		out->identity.born = fold((uint64_t)st->stx_btime.tv_sec, st->stx_btime.tv_nsec, 0);
	out->stamp.content =
	    fold((uint64_t)st->stx_mtime.tv_sec, st->stx_mtime.tv_nsec, st->stx_size);
	out->changed = st->stx_ctime.tv_sec * INT64_C(1000000000) + st->stx_ctime.tv_nsec;
	out->stamp.attributes = out->type == 'd' ? fold(st->stx_mode, st->stx_uid, st->stx_gid)
						 : fold((uint64_t)out->changed, 0, 0);
}

/* The working directory that was removed is still "." for this process. */
static bool is_removed_here(int folder, const struct statx *st)
{
	char path[PATH_MAX];

	return folder == FOLDER_NONE && S_ISDIR(st->stx_mode) && !st->stx_nlink &&
	       !getcwd(path, sizeof path) && errno == ENOENT;
}

static int look(const struct file_system *fs, int folder, const char *name, bool follow,
		struct look *out)
{
	struct statx st;
	int flags = AT_NO_AUTOMOUNT | (follow ? 0 : AT_SYMLINK_NOFOLLOW);

	(void)fs;
	*out = (struct look){0};
	if (!*name)
		flags |= AT_EMPTY_PATH;
	if (statx(folder == FOLDER_NONE ? AT_FDCWD : folder, name, flags,
		  STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	if (is_removed_here(folder, &st))
		return 0;
	fill(out, &st);
	return 0;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int open_strictly(int folder, const char *path, int flags)
{
	const struct open_how how = {.flags = (unsigned)flags, .resolve = RESOLVE_NO_SYMLINKS};

	return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

/* The root may be reached over links, what is below it may not. */
static int open_below_root(const struct opening *how, int flags)
{
	char root[4096];
	const char *below = how->path + how->root;
	int top, fd;

	if (how->root >= sizeof root) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(root, how->path, how->root);
	root[how->root] = '\0';
	while (*below == '/')
		below++;
	top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return -1;
	fd = open_strictly(top, below, flags);
	fd_close(&top);
	return fd;
}

static int open_path(const struct opening *how, int flags)
{
	bool is_root = !how->path[how->root];
	int fd;

	if (is_root || how->follow)
		return open(how->path, flags);
	fd = open_strictly(AT_FDCWD, how->path, flags);
	if (fd < 0 && errno == ELOOP)
		fd = open_below_root(how, flags);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM)) /* EPERM: an old seccomp filter */
		fd = open(how->path, flags | O_NOFOLLOW);
	return fd;
}

static int open_folder(const struct file_system *fs, const struct opening *how, struct look *out)
{
	struct disk *d = (struct disk *)(uintptr_t)fs;
	int flags = O_DIRECTORY | O_CLOEXEC;
	int fd = open_path(how, flags | (how->to_read ? O_RDONLY | O_NONBLOCK : O_PATH));

	if (fd < 0)
		return -1;
	if (how->to_read)
		d->filled = d->at = 0;
	if (look(fs, fd, "", false, out) < 0)
		fd_close(&fd);
	return fd;
}

static void close_folder(const struct file_system *fs, int folder)
{
	(void)fs;
	fd_close(&folder);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* As in getdents(2). */
struct dirent64_of_kernel {
	uint64_t inode;
	int64_t offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

static char type_of_entry(unsigned char type)
{
	return type == DT_UNKNOWN ? '?' : type_of((unsigned)type << 12);
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static int refill(struct disk *d, int folder)
{
	long n;

	do
		n = syscall(SYS_getdents64, folder, d->buffer, sizeof d->buffer);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ENOENT ? 0 : -1; /* ENOENT: it was removed meanwhile */
	d->filled = (size_t)n;
	d->at = 0;
	return n > 0;
}

static int next(const struct file_system *fs, int folder, struct listed *out)
{
	struct disk *d = (struct disk *)(uintptr_t)fs;

	for (;;) {
		const struct dirent64_of_kernel *e;
		int got = d->at < d->filled ? 1 : refill(d, folder);

		if (got <= 0)
			return got;
		e = (const void *)(d->buffer + d->at);
		d->at += e->length;
		if (is_dots(e->name))
			continue;
		*out = (struct listed){e->name, type_of_entry(e->type), e->inode};
		return 1;
	}
}

void disk_init(struct disk *d)
{
	d->fs = (struct file_system){open_folder, look, next, close_folder};
	d->filled = d->at = 0;
}
