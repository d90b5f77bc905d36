/* The file system, where a part of it may hang; see remote.h. */
#include "source/file/observe/remote.h"

#include "base/buf.h"
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

static struct poll_observer *observer_of(const struct file_system *fs)
{
	return CONTAINER_OF((uintptr_t)fs, struct poll_observer, remote.fs);
}

/* The list of mounts; NULL: none of them is to be taken for a remote one (--poll 0). */
static const struct mounts *mounts_of(const struct poll_observer *o)
{
	return o->interval ? o->mounts : NULL;
}

static bool has_remote(const struct poll_observer *o)
{
	return o->interval && o->mounts->n_remote;
}

/* The site of a remote mount; NULL: there is no thread to be had, or it is none. */
static struct site *site_of(struct poll_observer *o, const struct mount_point *p)
{
	return p ? sites_at(&o->remote.sites, p, o->rule) : NULL;
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

/* Where the root of an opening leads; most are below the same root as the one before. */
static const char *real_root(struct poll_observer *o, const struct opening *how)
{
	if (how->root >= MOUNTS_PATH)
		return "";
	if (strncmp(o->remote.root, how->path, how->root) == 0 && !o->remote.root[how->root])
		return o->remote.real_root;
	memcpy(o->remote.root, how->path, how->root);
	o->remote.root[how->root] = '\0';
	mounts_resolve(mounts_of(o), o->remote.root, o->remote.real_root);
	o->remote.near = mounts_near(mounts_of(o), o->remote.real_root);
	return o->remote.real_root;
}

void remote_forget_root(struct poll_observer *o)
{
	o->remote.root[0] = o->remote.real_root[0] = '\0';
}

/* The remote mount that the path leads into, or NULL; `real` is where it leads, or its root if none
 * is near, "" if unknown. */
static const struct mount_point *find_point(struct poll_observer *o, const struct opening *how,
					    char *real)
{
	const char *root;

	if (how->follow)
		return mounts_resolve(mounts_of(o), how->path, real);
	root = real_root(o, how);
	strcpy(real, root);
	if (!root[0] || !o->remote.near)
		return NULL;
	if (join(real, root, how->path + how->root) == 0)
		return mounts_remote(mounts_of(o), real);
	real[0] = '\0';
	return NULL;
}

static bool is_whole(const struct mount_point *p, const char *real)
{
	return p->whole && strcmp(p->path, real) == 0;
}

/* It is known without asking there. */
static struct look look_of_point(const struct mount_point *p)
{
	return (struct look){.type = 'd',
			     .identity = {.inode = (uint64_t)p->id,
					  .device = disk_device(p->major, p->minor),
					  .born = 1}};
}

/* ---- folders --------------------------------------------------------------------------------- */

static struct remote_folder *free_folder(struct poll_observer *o)
{
	for (int i = 0; i < REMOTE_OPEN; i++)
		if (!o->remote.folders[i].answer)
			return &o->remote.folders[i];
	errno = EMFILE;
	return NULL;
}

static struct remote_folder *folder_at(struct poll_observer *o, int folder)
{
	return &o->remote.folders[folder - FOLDER_REMOTE];
}

/*
 * What the thread of the directory above has not seen yet is waited for: its answer will say what
 * is there now. `point` is the mount point that this is, or NULL: its identity is known without
 * asking.
 */
static int open_answer(struct poll_observer *o, const struct opening *how,
		       const struct mount_point *point, struct answer *a, struct look *found)
{
	struct remote_folder *f;

	errno = EAGAIN;
	if (!a || a->error == ENOENT || a->error == ENOTDIR || a->error == ELOOP)
		return -1;
	errno = a->error;
	if (a->error)
		return -1;
	*found = a->look;
	if (point)
		found->identity = look_of_point(point).identity;
	errno = point ? ENOENT : EAGAIN;
	if (how->node && !model_expects(how->node, found))
		return -1;
	f = free_folder(o);
	if (!f)
		return -1;
	*f = (struct remote_folder){.answer = answer_hold(a)};
	return FOLDER_REMOTE + (int)(f - o->remote.folders);
}

static int open_folder(const struct file_system *fs, const struct opening *how, struct look *found)
{
	struct poll_observer *o = observer_of(fs);
	char real[MOUNTS_PATH];
	const struct mount_point *p = has_remote(o) ? find_point(o, how, real) : NULL;
	struct site *s = site_of(o, p);
	struct answer *a;

	if (!s)
		return o->remote.disk.fs.open(&o->remote.disk.fs, how, found);
	a = question_of_node(o, s, how);
	return a ? open_answer(o, how, is_whole(p, real) ? p : NULL, a, found) : -1;
}

static int next(const struct file_system *fs, int folder, struct listed *out)
{
	struct poll_observer *o = observer_of(fs);
	struct remote_folder *f;
	const struct found *item;

	if (folder < FOLDER_REMOTE)
		return o->remote.disk.fs.next(&o->remote.disk.fs, folder, out);
	f = folder_at(o, folder);
	if (f->at == f->answer->count)
		return 0;
	item = f->answer->items[f->at++];
	*out = (struct listed){item->name, item->look.type, item->look.identity.inode};
	return 1;
}

static void close_folder(const struct file_system *fs, int folder)
{
	struct poll_observer *o = observer_of(fs);

	if (folder < FOLDER_REMOTE) {
		o->remote.disk.fs.close(&o->remote.disk.fs, folder);
		return;
	}
	answer_release(folder_at(o, folder)->answer);
	*folder_at(o, folder) = (struct remote_folder){0};
}

/* ---- files of /proc and /sys ----------------------------------------------------------------- */

/* A hash of what a file holds, or 0. */
static uint32_t hash_of_content(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct buf b = {0};
	uint32_t hash = 0;

	if (fd >= 0 && (fd_read_all(fd, &b, MOST_READ) == 0 || b.length))
		hash = (uint32_t)hash_bytes(b.data, b.length) | 1;
	fd_close(&fd);
	buf_free(&b);
	return hash;
}

static bool is_of_kernel(const char *path)
{
	struct statfs st;

	return statfs(path, &st) == 0 &&
	       ((uint32_t)st.f_type == PROC_SUPER_MAGIC || (uint32_t)st.f_type == SYSFS_MAGIC);
}

/* It is hinted at with the next tick; looked at then it is noted again. */
static void note_kernel(struct poll_observer *o, const char *root)
{
	for (size_t i = 0; i < o->remote.kernel.count; i++)
		if (strcmp(o->remote.kernel.items[i], root) == 0)
			return;
	text_list_add(&o->remote.kernel, root);
	poll_tick_on(o);
}

void remote_hint_kernel(struct poll_observer *o)
{
	struct text_list roots = o->remote.kernel;
	struct model *m = o->base.model;

	o->remote.kernel = (struct text_list){0};
	for (size_t i = 0; i < roots.count; i++)
		model_hint(m, m->top, roots.items[i], HINT_SCAN | HINT_STAMP);
	if (roots.count)
		model_drained(m);
	text_list_free(&roots);
}

/* ---- looks ----------------------------------------------------------------------------------- */

static int look_at_local_root(struct poll_observer *o, const char *path, bool follow,
			      struct look *out)
{
	int result = o->remote.disk.fs.look(&o->remote.disk.fs, FOLDER_NONE, path, follow, out);

	if (result == 0 && out->type == 'f' && is_of_kernel(path)) {
		note_kernel(o, path);
		out->stamp.content = hash_of_content(path);
	}
	return result;
}

/* A root may lead elsewhere than before. */
static int look_at_root(struct poll_observer *o, const char *path, bool follow, struct look *out)
{
	char real[MOUNTS_PATH];
	const struct mount_point *p = has_remote(o) ? mounts_resolve(o->mounts, path, real) : NULL;
	struct site *s = site_of(o, p);
	bool exact = s && is_whole(p, real);
	const struct answer *a = question_of_root(o, exact ? NULL : s, path);

	remote_forget_root(o);
	if (!s)
		return look_at_local_root(o, path, follow, out);
	if (exact) {
		*out = look_of_point(p);
		return 0;
	}
	if (!a)
		return -1;
	*out = a->look;
	errno = a->error;
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

/* Is a remote mount called so, wherever it is? */
static bool is_called(const struct mounts *m, const char *name)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->items[i].remote && strcmp(strrchr(m->items[i].path, '/') + 1, name) == 0)
			return true;
	return false;
}

/* The entry of a local folder: is a remote mount there, or behind a link that is followed? */
static const struct mount_point *point_in(const struct poll_observer *o, int folder,
					  const char *name, bool follow, bool *exact)
{
	char opened[32], path[MOUNTS_PATH], real[MOUNTS_PATH];
	const struct mount_point *p;
	ssize_t n;

	if (!has_remote(o) || (!follow && !is_called(o->mounts, name)))
		return NULL;
	snprintf(opened, sizeof opened, "/proc/self/fd/%d", folder);
	n = readlink(opened, real, sizeof real - 1);
	real[n > 0 ? n : 0] = '\0';
	if (n <= 0 || join(path, real, name) < 0)
		return NULL;
	if (follow)
		p = mounts_resolve(o->mounts, path, real);
	else
		p = mounts_remote(o->mounts, strcpy(real, path));
	*exact = p && is_whole(p, real);
	return p;
}

static int look(const struct file_system *fs, int folder, const char *name, bool follow,
		struct look *out)
{
	struct poll_observer *o = observer_of(fs);
	const struct mount_point *p;
	bool exact = false;

	if (folder == FOLDER_NONE)
		return look_at_root(o, name, follow, out);
	if (folder >= FOLDER_REMOTE)
		return look_in_answer(folder_at(o, folder)->answer, name, follow, out);
	p = point_in(o, folder, name, follow, &exact);
	if (!p)
		return o->remote.disk.fs.look(&o->remote.disk.fs, folder, name, follow, out);
	*out = look_of_point(p);
	errno = EAGAIN;
	return exact ? 0 : -1;
}

/* ---- the observer's -------------------------------------------------------------------------- */

bool remote_may_hang(struct poll_observer *o, const struct opening *how)
{
	char real[MOUNTS_PATH];

	return has_remote(o) && (find_point(o, how, real) || !real[0]);
}

bool poll_may_hang(const struct poll_observer *o, const char *path)
{
	char real[MOUNTS_PATH];

	return has_remote(o) && mounts_resolve(o->mounts, path, real);
}

static void on_ticked(struct sites *sites)
{
	struct poll_observer *o = CONTAINER_OF(sites, struct poll_observer, remote.sites);

	if (o->passing)
		o->passing(o);
}

void remote_open(struct poll_observer *o)
{
	o->remote.fs = (struct file_system){open_folder, look, next, close_folder};
	disk_init(&o->remote.disk);
	table_init(&o->remote.of_roots, &table_by_text);
	o->remote.sites = (struct sites){.reactor = o->reactor,
					 .mounts = o->mounts,
					 .rule = o->rule,
					 .priority = o->priority,
					 .quiet = !o->inner,
					 .interval = o->interval,
					 .ticked = on_ticked};
	sites_open(&o->remote.sites);
}

void remote_close(struct poll_observer *o)
{
	sites_close(&o->remote.sites);
	text_list_free(&o->remote.kernel);
	table_free(&o->remote.of_roots);
}
