/* What a regular file holds; see content.h. */
#include "source/file/observe/content.h"

#include "base/fd.h"
#include "base/table.h"
#include "base/units.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 << 10 };

static bool may_read(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_size <= CONTENT_MOST;
}

/* A FIFO must not even be opened: who waits to write to it would go on. */
static int open_regular(int folder, const char *name, bool follow)
{
	struct stat st;
	int fd;

	if (fstatat(folder, name, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0 || !may_read(&st))
		return -1;
	fd = openat(folder, name,
		    O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
	if (fd >= 0 && (fstat(fd, &st) < 0 || !may_read(&st)))
		fd_close(&fd);
	return fd;
}

static int open_in(struct model *m, struct node *d, const char *name)
{
	bool displaced;
	int folder, fd = -1;

	if (d == m->top)
		return open_regular(AT_FDCWD, name, true);
	folder = model_open_node(m, d, false, &displaced);
	if (folder < 0)
		return -1;
	if (folder < FOLDER_REMOTE)
		fd = open_regular(folder, name, m->settings.follow);
	m->fs->close(m->fs, folder);
	return fd;
}

/* Nobody outside the process knows what comes of its hashes. */
static void begin(struct digest *d)
{
	uint64_t key[2] = {hash_bytes("content", 7), hash_bytes("of files", 8)};

	digest_begin(d, key);
}

int content_open(struct content_reader *r, struct model *m, struct node *d, const char *name)
{
	r->content = 0;
	r->fd = open_in(m, d, name);
	if (r->fd < 0)
		return -1;
	begin(&r->digest);
	return 0;
}

static void finish(struct content_reader *r)
{
	struct stat st;

	if (fstat(r->fd, &st) == 0) {
		r->changed = (int64_t)st.st_ctim.tv_sec * NS_PER_S + st.st_ctim.tv_nsec;
		r->content = digest_end(&r->digest);
		r->content += r->content == 0;
	}
	fd_close(&r->fd);
}

bool content_read(struct content_reader *r, int64_t deadline)
{
	unsigned char piece[PIECE];
	ssize_t n;

	do {
		n = read(r->fd, piece, sizeof piece);
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0)
			digest_add(&r->digest, piece, (size_t)n);
		if (n < 0 || r->digest.length > CONTENT_MOST) {
			fd_close(&r->fd);
			return false;
		}
		if (n == 0) {
			finish(r);
			return false;
		}
	} while (clock_read(CLOCK_OF_LOOP) < deadline);
	return true;
}

void content_close(struct content_reader *r)
{
	fd_close(&r->fd);
}
