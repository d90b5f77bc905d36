/*
 * Unix listening sockets.
 *
 * The hard part is what stands in the way already: a socket that nobody serves any more is
 * replaced, a live one never, and nothing that is no socket. Looking and replacing are two steps,
 * so those of two evwatch processes are kept apart by a lock on the directory. Nobody can connect
 * between bind and listen; mode and owner are set there, so that they never are wider than asked
 * for.
 */
#include "net/listener_ways.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/owner.h"
#include "base/path.h"
#include "net/holder.h"
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	GONE_MS = 1000, /* for sockets to be let go: 15 are usual, 100 on a busy machine */
	DYING_MS = 100, /* for a process to end that was killed */
	LOOKS_MOST = 3, /* at a socket whose process is gone */
};

/*
 * Locks the directory against another evwatch that looks at the same path; at most for two
 * seconds, since others may lock it for reasons of their own. Returns a descriptor, or -1: not
 * locked.
 */
static int directory_lock(const char *path)
{
	char *directory = path_above(path);
	int fd = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	free(directory);
	for (int tries = 0; fd >= 0 && tries < 200; tries++) {
		const struct timespec pause = {.tv_nsec = 10000000};

		if (flock(fd, LOCK_EX | LOCK_NB) == 0 || (errno != EWOULDBLOCK && errno != EINTR))
			break;
		nanosleep(&pause, NULL);
	}
	return fd;
}

/* ---- what stands in the way ------------------------------------------------------------------ */

/* Is the process that called listen at the other end (SO_PEERCRED, unix(7)) gone, or going now? */
static bool server_is_gone(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	struct pollfd process = {.events = POLLIN};
	bool gone;

	/* Its id is 0 when it is not of our PID namespace: nothing is known of it. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0)
		return false;
	process.fd = (int)syscall(SYS_pidfd_open, peer.pid, 0);
	if (process.fd < 0)
		return errno == ESRCH;
	gone = poll(&process, 1, DYING_MS) > 0;
	fd_close(&process.fd);
	return gone;
}

/* Is this connection closed by the other end soon? A socket that is let go closes all it had. */
static bool hangs_up(int fd)
{
	struct pollfd connection = {.fd = fd, .events = POLLRDHUP};

	return poll(&connection, 1, GONE_MS) > 0;
}

/*
 * Is this a Unix socket that nobody serves? Only a refused connection says so for sure. A process
 * that is gone proves nothing by itself: the one that listened may have left the socket to a child,
 * as daemons do. So a socket is looked at for up to a second then: what an io_uring still waits for
 * is let go in the background, and can be connected to until that is done.
 */
static bool is_dead(const struct address *a)
{
	for (int looks = 0; looks < LOOKS_MOST; looks++) {
		int fd = socket_new(a, SOCK_STREAM);
		bool taken, dead, goes;

		if (fd < 0)
			return false;
		taken = connect(fd, &a->any, a->length) == 0;
		dead = !taken && errno == ECONNREFUSED;
		goes = taken && server_is_gone(fd) && hangs_up(fd);
		fd_close(&fd);
		if (!goes)
			return dead;
	}
	return false;
}

static int explain(struct error *e, const char *path, const struct address *a)
{
	error_errno(e, "cannot listen on unix:%s", path);
	if (errno == EADDRINUSE)
		holder_hint(e, a, false);
	else
		error_hint_place(e, path);
	return -1;
}

static int in_use(struct error *e, const char *path, const struct address *a)
{
	errno = EADDRINUSE;
	return explain(e, path, a);
}

/* Something is there already: removes a dead socket, else says what it is. */
static int make_way(const char *path, const struct address *a, struct error *e)
{
	struct stat st;

	if (*path == '@')
		return is_dead(a) ? 0 : in_use(e, path, a);
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : error_errno(e, "cannot listen on unix:%s", path);
	if (!S_ISSOCK(st.st_mode)) {
		error_set(e, "cannot listen on unix:%s: a %s of this name is there", path,
			  S_ISDIR(st.st_mode)   ? "directory"
			  : S_ISLNK(st.st_mode) ? "symbolic link"
			  : S_ISREG(st.st_mode) ? "regular file"
						: "file that is no socket");
		return error_hint(e, "only a socket that nobody serves is ever replaced: remove it "
				     "yourself, or take another path");
	}
	if (!is_dead(a))
		return in_use(e, path, a);
	if (unlink(path) < 0 && errno != ENOENT)
		return error_errno(e, "cannot replace the stale socket %s", path);
	return 0;
}

/* ---- a socket -------------------------------------------------------------------------------- */

/* fchmod before bind gives the file its mode at birth (the umask aside). Returns 0 or -1. */
static int bind_with_mode(int fd, const struct address *a, unsigned mode)
{
	mode_t mask;
	int result;

	if (fchmod(fd, mode) < 0)
		return -1;
	mask = umask(0);
	result = bind(fd, &a->any, a->length);
	umask(mask);
	return result;
}

static int bind_path(int fd, const char *path, const struct address *a, unsigned mode,
		     struct error *e)
{
	if (bind_with_mode(fd, a, mode) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return explain(e, path, a);
	if (make_way(path, a, e) < 0)
		return -1;
	return bind_with_mode(fd, a, mode) == 0 ? 0 : explain(e, path, a);
}

/* Remembers which file is ours, so that closing removes that one and no other. */
static int remember(struct listener *l, const char *path, const struct address *a, struct error *e)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return explain(e, path, a);
	l->unlink_device = st.st_dev;
	l->unlink_inode = st.st_ino;
	return 0;
}

static int hand_over(const char *path, const struct listen_config *c, uid_t uid, gid_t gid,
		     struct error *e)
{
	if (!c->owner || fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	error_errno(e, "cannot give unix:%s to %s", path, c->owner);
	return errno == EPERM ? error_hint(e, "only root can give files away") : -1;
}

/* bind, then owner, then listen: nobody connects before all is as it should be. */
static int set_up(struct listener *l, const char *path, const struct address *a,
		  const struct listen_config *c, struct error *e)
{
	bool abstract = *path == '@';
	uid_t uid = (uid_t)-1; /* as it is: chown(2) */
	gid_t gid = (gid_t)-1;

	if (!abstract && c->owner && owner_parse(c->owner, &uid, &gid, e) < 0)
		return error_of_option(e, "owner");
	l->unlink_path = abstract ? NULL : strdup(path);
	if (!abstract && !l->unlink_path)
		return error_errno(e, "out of memory");
	if (bind_path(l->fds[0], path, a, c->mode, e) < 0)
		return -1;
	if (!abstract && (remember(l, path, a, e) < 0 || hand_over(path, c, uid, gid, e) < 0))
		return -1;
	if (listen(l->fds[0], listen_backlog(c)) < 0)
		return explain(e, path, a);
	return 0;
}

int listener_open_unix(struct listener *l, const struct endpoint *ep, const struct listen_config *c,
		       struct error *e)
{
	struct address a = {0};
	int fd, lock, result;

	endpoint_addresses(ep, &a, 1);
	fd = socket_new(&a, SOCK_STREAM);
	if (fd < 0 || listener_add(l, fd, false) < 0)
		return explain(e, ep->path, &a);
	lock = *ep->path == '@' ? -1 : directory_lock(ep->path);
	result = set_up(l, ep->path, &a, c, e);
	fd_close(&lock);
	if (result < 0)
		listener_close(l);
	return result;
}
