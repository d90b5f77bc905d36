/* See safe_open.h. */
#include "base/safe_open.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { MOST_LINKS = 40, OVERFLOW_UID = 65534 };

/* A way that is being walked: from the directory, what is left of the path. */
struct walk {
	const char *path, *doing;
	int flags;
	unsigned mode, what;
	int directory; /* O_PATH */
	char rest[PATH_MAX];
	int links;
	bool inherited; /* it led through /proc */
	struct error *e;
};

/* errno as it is. */
static int fail(const struct walk *w)
{
	error_errno(w->e, "%s %s", w->doing, w->path);
	if (w->flags & O_CREAT)
		error_hint_place(w->e, w->path);
	return -1;
}

static int refuse(const struct walk *w, int code, const char *why, const char *cure)
{
	error_set(w->e, "%s %s: %s", w->doing, w->path, why);
	if (cure)
		error_hint(w->e, "%s", cure);
	errno = code;
	return -1;
}

/* ---- who may write what ---------------------------------------------------------------------- */

/* In a user namespace without root, what is root's looks like nobody's (user_namespaces(7)). */
static bool is_trusted(uid_t owner)
{
	return owner == 0 || owner == geteuid() || (geteuid() != 0 && owner == OVERFLOW_UID);
}

/* By the group, too, but for root's; and for this user's own group of a directory of their own. */
static bool others_may_write(const struct stat *st)
{
	bool own_group = st->st_gid == 0 ||
			 (geteuid() != 0 && st->st_uid == geteuid() && st->st_gid == getegid());

	return (st->st_mode & S_IWOTH) || ((st->st_mode & S_IWGRP) && !own_group);
}

static bool may_follow(const struct stat *directory, const struct stat *link)
{
	if (is_trusted(directory->st_uid) && !others_may_write(directory))
		return true;
	return (directory->st_mode & S_ISVTX) &&
	       (link->st_uid == geteuid() || link->st_uid == directory->st_uid);
}

/* ---- what was opened ------------------------------------------------------------------------- */

static int check_kind(const struct walk *w, const struct stat *st)
{
	unsigned allowed = w->what;
	mode_t type = st->st_mode;

	if (S_ISCHR(type) && st->st_rdev == makedev(1, 3) && (allowed & SAFE_INHERITED))
		return 0; /* the null device: nothing */
	if (w->inherited && (allowed & SAFE_INHERITED))
		allowed |= SAFE_FIFO | SAFE_DEVICE;
	if (allowed & SAFE_DIRECTORY)
		return 0; /* O_DIRECTORY saw to it */
	if (S_ISREG(type) || (S_ISCHR(type) && (allowed & SAFE_DEVICE)) ||
	    ((S_ISFIFO(type) || S_ISSOCK(type)) && (allowed & SAFE_FIFO)))
		return 0;
	if (S_ISDIR(type)) {
		errno = EISDIR;
		return fail(w);
	}
	return refuse(w, EINVAL, S_ISFIFO(type) ? "it is a FIFO" : "it is no regular file",
		      "name a regular file");
}

static int refuse_writable(const struct walk *w)
{
	refuse(w, EPERM, "others than its owner and root may write it", NULL);
	return error_hint(w->e, "chmod go-w %s", w->path);
}

static int check_owner(const struct walk *w, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return 0;
	if ((w->what & SAFE_TRUSTED) && geteuid() == 0 && others_may_write(st))
		return refuse_writable(w);
	if ((w->what & SAFE_OWN) && !is_trusted(st->st_uid))
		return refuse(w, EPERM, "it belongs to another user",
			      "remove it, or name another file");
	return 0;
}

static int check_opened(const struct walk *w, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(w);
	return check_kind(w, &st) < 0 ? -1 : check_owner(w, &st);
}

/* ---- the way --------------------------------------------------------------------------------- */

/* The last component, which was no link when it was looked at. */
static int open_last(const struct walk *w, const char *name, int follow)
{
	return openat(w->directory, name, w->flags | follow | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		      w->mode);
}

/* Goes to the directory that `fd` is, or to the root. */
static int move_to(struct walk *w, int fd)
{
	if (fd < 0)
		return -1;
	fd_close(&w->directory);
	w->directory = fd;
	return 0;
}

/* Puts the link's text in front of what is left. */
static int follow_link(struct walk *w, int link, const char *after)
{
	char text[PATH_MAX], rest[PATH_MAX];
	ssize_t n = readlinkat(link, "", text, sizeof text - 1);

	if (n < 0)
		return -1;
	text[n] = '\0';
	if (++w->links > MOST_LINKS) {
		errno = ELOOP;
		return -1;
	}
	if ((size_t)snprintf(rest, sizeof rest, "%s%s", text, after) >= sizeof rest) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(w->rest, rest, sizeof rest);
	return *text == '/' ? move_to(w, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) : 0;
}

static int take_link(struct walk *w, int link, const struct stat *st, const char *after)
{
	struct stat directory;

	if (fstat(w->directory, &directory) < 0)
		return fail(w);
	if (!may_follow(&directory, st))
		return refuse(
		    w, EACCES, "a link on the way is in a directory that others may write",
		    "name the file that it leads to, or take their right to write (chmod)");
	return follow_link(w, link, after) < 0 ? fail(w) : 0;
}

/* Is this /proc, whose links lead to open files? */
static bool in_proc(const struct walk *w)
{
	struct statfs fs;

	return fstatfs(w->directory, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* One component. Returns 0 to go on, 1 with *opened, or -1 with the error. */
static int take_component(struct walk *w, int *opened)
{
	char *name = w->rest + strspn(w->rest, "/"), *after = name + strcspn(name, "/");
	char component[PATH_MAX];
	bool last = !after[strspn(after, "/")];
	struct stat st;
	int fd, result;

	snprintf(component, sizeof component, "%.*s", (int)(after - name), name);
	if (in_proc(w)) {
		w->inherited = true;
		*opened = open_last(w, *name ? name : ".", 0);
		return *opened < 0 ? fail(w) : 1;
	}
	if (!*component)
		snprintf(component, sizeof component, ".");
	fd = openat(w->directory, component, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if ((fd < 0 && !(last && errno == ENOENT)) || (fd >= 0 && fstat(fd, &st) < 0)) {
		fd_close(&fd);
		return fail(w);
	}
	if (fd >= 0 && S_ISLNK(st.st_mode)) {
		result = take_link(w, fd, &st, after);
		fd_close(&fd);
		return result;
	}
	if (!last) {
		memmove(w->rest, after, strlen(after) + 1);
		return move_to(w, fd);
	}
	fd_close(&fd);
	*opened = open_last(w, component, O_NOFOLLOW);
	return *opened < 0 ? fail(w) : 1;
}

static int walk_open(struct walk *w)
{
	int result = 0, fd = -1;

	w->directory = open(*w->path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->directory < 0)
		return fail(w);
	while (result == 0)
		result = take_component(w, &fd);
	fd_close(&w->directory);
	if (result > 0 && check_opened(w, fd) < 0)
		fd_close(&fd);
	return fd;
}

int safe_open(const char *path, int flags, unsigned mode, unsigned what, const char *doing,
	      struct error *e)
{
	struct walk w = {.path = path, .doing = doing, .mode = mode, .what = what, .e = e};

	w.flags = flags | (what & SAFE_DIRECTORY ? O_DIRECTORY : 0);
	error_clear(e);
	if (!*path || (size_t)snprintf(w.rest, sizeof w.rest, "%s", path) >= sizeof w.rest) {
		errno = *path ? ENAMETOOLONG : ENOENT;
		return fail(&w);
	}
	return walk_open(&w);
}
