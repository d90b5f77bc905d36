/* The file system, where a part of it may hang; see remote.h. */
#include "source/file/observe/sites.h"

#include "base/fd.h"
#include "source/file/model/model.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { MOST_READ = 65536 /* bytes of a file of /proc or /sys */ };

static struct remote *remote_of(const struct file_system *fs)
{
	return (struct remote *)(uintptr_t)fs;
}

/* ---- where a path leads ---------------------------------------------------------------------- */

static int join(char *out, const char *folder, const char *name)
{
	int n = snprintf(out, MOUNTS_PATH, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder,
			 name + strspn(name, "/"));

	if (n < 0 || n >= MOUNTS_PATH)
		return -1;
	if (n > 1 && out[n - 1] == '/')
		out[n - 1] = '\0';
	return 0;
}

/* The remote mount that the path leads into, or NULL; `real` is where it leads, "" if unknown. */
static const struct mount_point *find_point(struct remote *r, const struct opening *how, char *real)
{
	const struct remote_root *root = sites_root(r, how->path, how->root, false);

	real[0] = '\0';
	if (how->follow)
		return mounts_resolve(r->mounts, how->path, real);
	if (!root || !root->real || join(real, root->real, how->path + how->root) < 0)
		return NULL;
	return mounts_remote(r->mounts, real);
}

/* It is known without asking there. */
static void look_of_point(const struct mount_point *p, struct look *out)
{
	*out = (struct look){.type = 'd', .identity = {.inode = (uint64_t)p->id, .born = 1}};
	out->identity.device = disk_device(p->major, p->minor);
}

/* ---- folders --------------------------------------------------------------------------------- */

static struct remote_folder *free_folder(struct remote *r)
{
	for (int i = 0; i < REMOTE_OPEN; i++)
		if (!r->folders[i].real && !r->folders[i].answer)
			return &r->folders[i];
	errno = EMFILE;
	return NULL;
}

static struct remote_folder *folder_at(struct remote *r, int fd)
{
	if (fd >= FOLDER_REMOTE)
		return &r->folders[fd - FOLDER_REMOTE];
	for (int i = 0; i < REMOTE_OPEN && r->mounts->n_remote; i++)
		if (r->folders[i].real && r->folders[i].fd == fd)
			return &r->folders[i];
	return NULL;
}

static bool has_remote_below(const struct remote *r, const char *real)
{
	for (size_t i = 0; i < r->mounts->count; i++)
		if (r->mounts->items[i].remote && mounts_within(real, r->mounts->items[i].path))
			return true;
	return false;
}

static int open_local(struct remote *r, const struct opening *how, const char *real,
		      struct look *found)
{
	int fd = r->disk.fs.open(&r->disk.fs, how, found);
	struct remote_folder *f;

	if (fd < 0 || !real[0] || (!has_remote_below(r, real) && !how->follow))
		return fd;
	f = free_folder(r);
	if (f)
		f->real = strdup(real);
	if (!f || !f->real) {
		fd_close(&fd);
		return -1;
	}
	f->fd = fd;
	return fd;
}

/*
 * What the thread of the directory above has not seen yet is waited for: its answer will say what
 * is there now.
 */
static int open_answer(struct remote *r, const struct opening *how, const struct look *point,
		       struct question *q, struct look *found)
{
	struct answer *a = q->answer;
	struct remote_folder *f;

	errno = EAGAIN;
	if (!a || a->error == ENOENT || a->error == ENOTDIR || a->error == ELOOP)
		return -1;
	errno = a->error;
	if (a->error)
		return -1;
	*found = a->look;
	if (point)
		found->identity = point->identity;
	errno = EAGAIN;
	if (how->node && !model_expects(how->node, found))
		return -1;
	f = free_folder(r);
	if (!f)
		return -1;
	*f = (struct remote_folder){.fd = -1, .answer = answer_hold(a), .question = q};
	return FOLDER_REMOTE + (int)(f - r->folders);
}

static int open_folder(const struct file_system *fs, const struct opening *how, struct look *found)
{
	struct remote *r = remote_of(fs);
	char real[MOUNTS_PATH];
	const struct mount_point *p;
	struct look point;
	struct site *s;
	struct question *q;

	if (!r->mounts->n_remote)
		return r->disk.fs.open(&r->disk.fs, how, found);
	p = find_point(r, how, real);
	s = p ? sites_at(r, p) : NULL;
	if (!s)
		return open_local(r, how, real, found);
	q = sites_ask(r, s, how);
	errno = ENOMEM;
	if (!q)
		return -1;
	look_of_point(p, &point);
	return open_answer(r, how, p->whole && strcmp(p->path, real) == 0 ? &point : NULL, q,
			   found);
}

static int next(const struct file_system *fs, int folder, struct listed *out)
{
	struct remote *r = remote_of(fs);
	struct remote_folder *f;
	const struct found *item;

	if (folder < FOLDER_REMOTE)
		return r->disk.fs.next(&r->disk.fs, folder, out);
	f = folder_at(r, folder);
	if (f->at == f->answer->count)
		return 0;
	item = &f->answer->items[f->at++];
	*out = (struct listed){item->name, item->look.type, item->look.identity.inode};
	return 1;
}

static void close_folder(const struct file_system *fs, int folder)
{
	struct remote *r = remote_of(fs);
	struct remote_folder *f = folder_at(r, folder);

	if (f) {
		answer_release(f->answer);
		free(f->real);
		*f = (struct remote_folder){.fd = -1};
	}
	if (folder < FOLDER_REMOTE)
		r->disk.fs.close(&r->disk.fs, folder);
}

/* ---- looks ----------------------------------------------------------------------------------- */

/* A hash of what a file holds, or 0. */
static uint32_t hash_of_content(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	static char buffer[4096];
	uint64_t hash = 1;
	ssize_t n = 0;

	for (size_t had = 0; fd >= 0 && had < MOST_READ; had += (size_t)n) {
		n = read(fd, buffer, sizeof buffer);
		if (n <= 0)
			break;
		hash = hash * UINT64_C(0x9e3779b97f4a7c15) + hash_bytes(buffer, (size_t)n);
	}
	fd_close(&fd);
	return fd < 0 && hash == 1 ? 0 : (uint32_t)(hash >> 32) | 1;
}

static bool is_of_kernel(const char *path)
{
	struct statfs st;

	return statfs(path, &st) == 0 &&
	       ((uint32_t)st.f_type == PROC_SUPER_MAGIC || (uint32_t)st.f_type == SYSFS_MAGIC);
}

static int look_at_local_root(struct remote *r, struct remote_root *root, bool follow,
			      struct look *out)
{
	int result = r->disk.fs.look(&r->disk.fs, FOLDER_NONE, root->path, follow, out);
	bool kernel = result == 0 && out->type == 'f' && is_of_kernel(root->path);

	sites_set_kernel(r, root, kernel);
	if (kernel)
		out->stamp.content = hash_of_content(root->path);
	return result;
}

static int look_at_root(struct remote *r, const char *path, bool follow, struct look *out)
{
	struct remote_root *root = sites_root(r, path, strlen(path), true);
	struct opening how = {.path = path, .root = strlen(path)};
	const struct mount_point *p;

	errno = ENOMEM;
	if (!root)
		return -1;
	if (!root->site)
		return look_at_local_root(r, root, follow, out);
	sites_set_kernel(r, root, false);
	p = root->whole ? mounts_remote(r->mounts, root->real) : NULL;
	if (p) {
		look_of_point(p, out);
		return 0;
	}
	if (!root->look) {
		root->look = asker_ask(root->site->asker, &how, false);
		if (!root->look)
			return -1;
		root->look->site = root->site;
	}
	errno = EAGAIN;
	if (!root->look->answer)
		return -1;
	*out = root->look->answer->look;
	errno = root->look->answer->error;
	return errno ? -1 : 0;
}

static int look_in_answer(const struct answer *a, const char *name, bool follow, struct look *out)
{
	const struct found *f = answer_find(a, name);

	*out = (struct look){0};
	if (!f)
		return 0;
	*out = follow ? f->target : f->look;
	errno = EIO;
	return out->type == '?' ? -1 : 0;
}

/* The entry of a local folder: is a remote mount there, or behind a link that is followed? */
static const struct mount_point *point_in(const struct remote *r, const struct remote_folder *f,
					  const char *name, bool follow, bool *exact)
{
	char path[MOUNTS_PATH], real[MOUNTS_PATH];
	const struct mount_point *p;

	if (join(path, f->real, name) < 0)
		return NULL;
	if (follow)
		p = mounts_resolve(r->mounts, path, real);
	else
		p = mounts_remote(r->mounts, strcpy(real, path));
	*exact = p && p->whole && strcmp(p->path, real) == 0;
	return p;
}

static int look(const struct file_system *fs, int folder, const char *name, bool follow,
		struct look *out)
{
	struct remote *r = remote_of(fs);
	const struct remote_folder *f = NULL;
	const struct mount_point *p = NULL;
	bool exact = false;

	if (folder == FOLDER_NONE)
		return look_at_root(r, name, follow, out);
	f = folder_at(r, folder);
	if (f && f->answer)
		return look_in_answer(f->answer, name, follow, out);
	if (f)
		p = point_in(r, f, name, follow, &exact);
	if (!p)
		return r->disk.fs.look(&r->disk.fs, folder, name, follow, out);
	look_of_point(p, out);
	errno = EAGAIN;
	return exact ? 0 : -1;
}

/* ---- the owner's ----------------------------------------------------------------------------- */

void remote_bind(struct remote *r, struct node *n, int folder)
{
	const struct remote_folder *f = folder_at(r, folder);
	struct question *q = f ? f->question : NULL;
	struct question *before = (struct question *)(uintptr_t)n->watch[0];

	if (before && before != q)
		sites_drop(r, before);
	n->watch[0] = (uintptr_t)q;
}

void remote_unbind(struct remote *r, struct node *n)
{
	if (n->watch[0])
		sites_drop(r, (struct question *)(uintptr_t)n->watch[0]);
}

bool remote_may_hang(struct remote *r, const struct opening *how)
{
	char real[MOUNTS_PATH];

	return r->mounts->n_remote && (find_point(r, how, real) || !real[0]);
}

bool remote_has(const struct remote *r, const char *path)
{
	char real[MOUNTS_PATH];

	return r->mounts->n_remote && mounts_resolve(r->mounts, path, real);
}

void remote_open(struct remote *r)
{
	r->fs = (struct file_system){open_folder, look, next, close_folder};
	disk_init(&r->disk);
	sites_open(r);
}

void remote_close(struct remote *r)
{
	sites_close(r);
}
