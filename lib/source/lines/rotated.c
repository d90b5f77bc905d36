/*
 * Files that were rotated away from a followed path without having been opened there: evwatch was
 * stopped, or two rotations came at once.
 *
 * They are looked for beside what stands at the path: regular files whose name begins like its own
 * (log.1, log-20261129), that were born after the one that was read last and before the one that
 * stands there now, in that order. A copy of either, by its first bytes, is none; what is
 * compressed cannot be read.
 *
 * Who may write the directory may put thousands of files there, or rotate that often: so a look
 * while others wait takes only so many of them, and says so.
 */
#include "source/lines/lines.h"

#include "base/array.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/statx.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	START = 4096,
	MOST_NAMES = 50000, /* of the directory that are read beside the loop */
	MOST_KIN = 1000,    /* that are looked at */
};

struct kin {
	char *name; /* owned */
	ino_t inode;
	int64_t born, written;
};

struct family {
	DIR *directory;
	struct kin *items;
	size_t count, capacity;
	bool cut; /* there are more */
};

/* ---- who is one ------------------------------------------------------------------------------ */

static bool is_compressed(const char *name)
{
	static const char *const endings[] = {".gz", ".xz", ".zst", ".bz2", ".lz4", ".Z"};
	size_t n = strlen(name);

	for (size_t i = 0; i < ARRAY_LENGTH(endings); i++)
		if (n > strlen(endings[i]) &&
		    strcmp(name + n - strlen(endings[i]), endings[i]) == 0)
			return true;
	return false;
}

/* How much of a file's name those of its family share: the part before a date or a number. */
static size_t stem_of(const char *base)
{
	size_t n = strcspn(base, "0123456789");

	return n >= 2 ? n : strlen(base);
}

static int64_t ns(const struct statx_timestamp *t)
{
	return t->tv_sec * 1000000000 + t->tv_nsec;
}

static int add_kin(struct family *family, const char *name)
{
	struct statx st;

	if (statx(dirfd(family->directory), name, AT_SYMLINK_NOFOLLOW,
		  STATX_BASIC_STATS | STATX_BTIME, &st) < 0 ||
	    !S_ISREG(st.stx_mode))
		return 0;
	if (ARRAY_GROW(family->items, family->capacity, family->count + 1) < 0)
		return -1;
	family->items[family->count] = (struct kin){
	    .name = strdup(name),
	    .inode = (ino_t)st.stx_ino,
	    .born = st.stx_mask & STATX_BTIME ? ns(&st.stx_btime) : ns(&st.stx_mtime),
	    .written = ns(&st.stx_mtime),
	};
	if (!family->items[family->count].name)
		return -1;
	family->count++;
	return 0;
}

static int older_first(const void *a, const void *b)
{
	const struct kin *x = a, *y = b;

	if (x->born != y->born)
		return x->born < y->born ? -1 : 1;
	return (x->written > y->written) - (x->written < y->written);
}

static void family_close(struct family *family)
{
	for (size_t i = 0; i < family->count; i++)
		free(family->items[i].name);
	free(family->items);
	if (family->directory)
		closedir(family->directory);
}

/* Those that are called like `base`, as many as may be looked at; NULL: all that are there. */
static void family_fill(struct family *family, const char *base)
{
	const struct dirent *entry;
	size_t names = 0;

	while ((entry = readdir(family->directory))) {
		if (base && (++names > MOST_NAMES || family->count >= MOST_KIN)) {
			family->cut = true;
			return;
		}
		if ((!base || strncmp(entry->d_name, base, stem_of(base)) == 0) &&
		    !is_compressed(entry->d_name) && add_kin(family, entry->d_name) < 0)
			return;
	}
}

/* The files beside `path` that may be of its family, or all of them; the oldest first. */
static void family_open(struct family *family, const char *path, bool all)
{
	char *real = realpath(path, NULL), *above = path_above(real ? real : path),
	     *base = path_base(real ? real : path);

	*family = (struct family){0};
	if (above && base)
		family->directory = opendir(above);
	if (family->directory)
		family_fill(family, all ? NULL : base);
	if (family->count)
		qsort(family->items, family->count, sizeof *family->items, older_first);
	free(real);
	free(above);
	free(base);
}

static const struct kin *member(const struct family *family, ino_t inode)
{
	for (size_t i = 0; i < family->count; i++)
		if (family->items[i].inode == inode)
			return &family->items[i];
	return NULL;
}

static int open_kin(const struct family *family, const struct kin *kin)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

	return family->directory ? openat(dirfd(family->directory), kin->name, flags) : -1;
}

/* ---- who is missing -------------------------------------------------------------------------- */

/* Do both begin with the same bytes, as a copy does? */
static bool begin_alike(int a, int b)
{
	char of_a[START], of_b[START];
	ssize_t n = pread(a, of_a, sizeof of_a, 0), m = pread(b, of_b, sizeof of_b, 0);

	n = n < m ? n : m;
	return n > 0 && memcmp(of_a, of_b, (size_t)n) == 0;
}

/* The same, of one that is known by its start. */
static bool begins_so(const struct missed *m, int fd)
{
	uint64_t hash;

	return m->start_length && file_start_hash(fd, m->start_length, &hash) &&
	       hash == m->start_hash;
}

static void add_missed(struct missed *m, int fd, ino_t inode, int now)
{
	m->cut |= m->n == ROTATED_MOST;
	if (m->cut || begin_alike(fd, now) || begins_so(m, fd)) {
		close(fd);
		return;
	}
	m->found[m->n].fd = fd;
	m->found[m->n++].inode = inode;
}

void rotated_find(const char *path, int now, struct missed *m)
{
	struct family family;
	const struct kin *kin, *end;
	struct stat st;
	int fd;

	family_open(&family, path, false);
	kin = member(&family, m->after);
	end = fstat(now, &st) == 0 ? member(&family, st.st_ino) : NULL;
	while (kin && end && ++kin < end && !m->cut) {
		fd = open_kin(&family, kin);
		if (fd >= 0)
			add_missed(m, fd, kin->inode, now);
	}
	m->cut |= family.cut;
	family_close(&family);
}

/* One that is far was compared by the thread. */
static bool is_read_already(const struct line_input *in, int fd, ino_t inode)
{
	LIST_EACH(at, after, (struct link *)&in->files)
	{
		const struct line_file *f = line_file_of(at);

		if (f->inode == inode || (f->fd >= 0 && begin_alike(fd, f->fd)))
			return true;
	}
	return false;
}

/* A file that was rotated away, of this inode; the descriptor is its own. NULL with ENOMEM. */
static struct line_file *left_file(struct line_input *in, int fd, ino_t inode, bool far)
{
	struct line_file *f = file_new(in, far ? -1 : fd, true);

	if (!f)
		return NULL;
	f->left = true;
	f->grew = reactor_now(in->owner->base.reactor, CLOCK_OF_LOOP);
	f->inode = inode;
	return f;
}

void rotated_drop(struct missed *m)
{
	while (m->n > 0)
		fd_close(&m->found[--m->n].fd);
}

void rotated_take(struct line_input *in, struct missed *m, struct line_file *now, struct site *site)
{
	for (size_t i = 0; i < m->n; i++) {
		int *fd = &m->found[i].fd;
		struct line_file *f = is_read_already(in, *fd, m->found[i].inode)
					  ? NULL
					  : left_file(in, *fd, m->found[i].inode, site);

		if (!f)
			continue;
		list_remove(&f->link);
		list_append(&now->link, &f->link);
		if (site && far_open(f, site, *fd, NULL) < 0)
			file_free(f);
		else
			*fd = -1;
	}
	if (m->cut)
		followed_say_many(in);
}

/* ---- what was read before evwatch was started -------------------------------------------------
 */

int rotated_open(const char *path, ino_t inode)
{
	struct family family;
	const struct kin *kin;
	struct stat st;
	int fd = -1;

	if (stat(path, &st) == 0 && st.st_ino == inode && S_ISREG(st.st_mode))
		return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	family_open(&family, path, true);
	kin = member(&family, inode);
	if (kin)
		fd = open_kin(&family, kin);
	else if (family.directory)
		errno = ENOENT; /* the calls that went well may have left another (realpath(3)) */
	family_close(&family);
	return fd;
}

static void restore(struct line_input *in, const struct line_mark *mark, void *context)
{
	bool far = in->follow.site;
	int fd = far ? -1 : rotated_open(in->path, mark->inode);
	struct line_file *f = NULL;

	(void)context;
	if (far || (fd >= 0 && progress_is_of(mark, fd)))
		f = left_file(in, fd, mark->inode, far);
	if (f)
		file_skip(f, mark->offset);
	else
		fd_close(&fd);
	if (f && far) {
		f->device = in->follow.device;
		f->start_length = mark->start_length;
		f->start_hash = mark->start_hash;
		if (far_open(f, in->follow.site, -1, NULL) < 0)
			file_free(f);
	}
	in->lost = !f;
}

int rotated_restore(struct line_input *in)
{
	in->lost = false;
	if (progress_each(in, restore, NULL) == 0)
		return -1;
	return in->lost;
}
